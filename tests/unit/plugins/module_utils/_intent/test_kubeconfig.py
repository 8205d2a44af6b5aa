# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One kubeconfig of options, files and a pod's account."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._intent.kubeconfig import kubeconfig

LOGIN = {"command": "bin/login"}
FILE: dict[str, Any] = {
    "current-context": "lab",
    "contexts": [
        {"name": "lab", "context": {"cluster": "c", "user": "u", "namespace": "x"}},
        {"name": "other", "context": {"cluster": "d", "user": "v"}},
    ],
    "clusters": [
        {"name": "c", "cluster": {"server": "https://c.test", "certificate-authority": "ca.pem"}},
        {"name": "d", "cluster": {"server": "https://d.test", "certificate-authority-data": "Q0E="}},
    ],
    "users": [
        {"name": "u", "user": {"client-certificate": "u.pem", "client-key": "/keys/u.key", "exec": LOGIN}},
        {"name": "v", "user": {"token": "secret"}},
    ],
}  # fmt: skip
POD = {"server": "https://10.0.0.1:443", "certificate-authority": "/sa/ca.crt", "tokenFile": "/sa/token"}


def made(*sources: Any, pod: Any = None, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    found = kubeconfig(options, sources, pod)
    return found["clusters"][0]["cluster"], found["users"][0]["user"]


def test_a_files_current_context_with_absolute_paths() -> None:
    assert made((FILE, "/home/me/.kube")) == (
        {"server": "https://c.test", "certificate-authority": "/home/me/.kube/ca.pem"},
        {
            "client-certificate": "/home/me/.kube/u.pem",
            "client-key": "/keys/u.key",
            "exec": {"command": "/home/me/.kube/bin/login"},
        },
    )


def test_a_named_context() -> None:
    assert made((FILE, "/x"), context="other")[1] == {"token": "secret"}


def test_of_several_files_the_first_that_names_something_counts() -> None:
    first = {"current-context": "other", "users": [{"name": "v", "user": {"token": "first"}}]}
    cluster, user = made((first, "/a"), (FILE, "/b"))
    assert (cluster["server"], user) == ("https://d.test", {"token": "first"})


@pytest.mark.parametrize(
    ("options", "cluster", "user"),
    [
        ({"host": "https://e.test"}, {"server": "https://e.test"}, {}),
        ({"ca_cert": "/e.pem"}, {"certificate-authority": "/e.pem"}, {}),
        ({"validate_certs": False}, {"insecure-skip-tls-verify": True}, {}),
        ({"validate_certs": False, "ca_cert": "/e.pem"}, {"insecure-skip-tls-verify": True}, {}),
        ({"api_key": "k"}, {}, {"token": "k"}),
        ({"username": "me", "password": "p"}, {}, {"username": "me", "password": "p"}),
        ({"api_key": "k", "username": "me"}, {}, {"token": "k"}),
        ({"impersonate_user": "she", "impersonate_groups": ["g", ""]}, {}, {"as": "she", "as-groups": ["g"]}),
        ({"proxy": "http://p.test"}, {"proxy-url": "http://p.test"}, {}),
    ],
    ids=[
        "host", "ca_cert", "validate_certs", "no validation needs no CA", "api_key", "a login", "a token wins",
        "impersonation", "proxy",
    ],
)  # fmt: skip
def test_options_win_over_the_file(options: Any, cluster: Any, user: Any) -> None:
    found = made((FILE, "/x"), context="other", **options)
    assert {key: found[0].get(key) for key in cluster} == cluster
    assert {key: found[1].get(key) for key in user} == user
    if "ca_cert" in options or "validate_certs" in options:
        assert "certificate-authority-data" not in found[0]
    if "username" in options:
        assert found[1].get("token") != "secret"


def test_a_certificate_of_the_options_replaces_the_files() -> None:
    assert made((FILE, "/x"), client_cert="/me.pem", client_key="/me.key")[1]["client-key"] == "/me.key"


def test_a_pods_own_account() -> None:
    assert made(pod=POD) == (
        {"server": "https://10.0.0.1:443", "certificate-authority": "/sa/ca.crt"},
        {"tokenFile": "/sa/token"},
    )


def test_options_that_are_enough_need_no_file() -> None:
    found = kubeconfig({"host": "https://e.test", "api_key": "k", "context": None})
    assert found["current-context"] == "meshproof"


@pytest.mark.parametrize("source", [{}, {"contexts": 3}, {**FILE, "clusters": [{"name": "c", "cluster": None}]}])
def test_without_a_server_there_is_none(source: Any) -> None:
    with pytest.raises(ValueError, match="no cluster with a server"):
        made((source, "/x"))
