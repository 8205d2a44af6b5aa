# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubeconfigs and options, good and bad."""

from __future__ import annotations

import json

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils import _cluster as api
from ansible_collections.meshproof.mtls.plugins.module_utils._cluster import configuration

GOOD = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "c", "cluster": {"server": "https://10.0.0.1:6443"}}],
    "users": [{"name": "u", "user": {"token": "secret"}}],
    "contexts": [
        {"name": "one", "context": {"cluster": "c", "user": "u"}},
        {"name": "two", "context": {"cluster": "c", "user": "u"}},
    ],
    "current-context": "one",
}


@pytest.fixture(autouse=True)
def nowhere(monkeypatch, tmp_path):
    """No kubeconfig and no pod of the machine that runs the tests."""
    monkeypatch.setattr(configuration.config, "KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)


def write(tmp_path, content):
    file = tmp_path / "kubeconfig"
    file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return str(file)


@pytest.mark.parametrize("as_file", [True, False])
def test_a_kubeconfig_as_file_or_dictionary(tmp_path, as_file):
    cluster = api.connect({"kubeconfig": write(tmp_path, GOOD) if as_file else GOOD, "context": "two"})
    assert cluster.server == "https://10.0.0.1:6443"


def test_options_win_over_the_kubeconfig(tmp_path):
    params = {"kubeconfig": GOOD, "host": "https://10.0.0.2:6443/", "api_key": None, "validate_certs": False}
    loaded = configuration.load(params)
    assert (loaded.host, loaded.verify_ssl) == ("https://10.0.0.2:6443", False)


@pytest.mark.parametrize(
    "credentials",
    [{"api_key": "secret"}, {"username": "u", "password": "p"}],
)
def test_host_and_credentials_need_no_kubeconfig(credentials):
    params = {"host": "https://10.0.0.2:6443", **credentials}
    assert api.connect(params).server == "https://10.0.0.2:6443"


def test_basic_authentication():
    assert configuration.headers({"username": "u", "password": "p"}) == [("authorization", "Basic dTpw")]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a: [", "is not YAML (line 1)"),
        (b"\x7fELF\xff", "is not YAML"),
        (b"just text", "no mapping of keys"),
        (b"", "no mapping of keys"),
        ({**GOOD, "current-context": ""}, "has no current context. Remedy: set the option context to one of: one, two"),
        ({**GOOD, "current-context": "three"}, "has no context three. Remedy: set the option context to one of: one"),
        ({**GOOD, "contexts": 3}, "has no context one"),
        ({**GOOD, "clusters": []}, "cannot be used"),
        ({**GOOD, "clusters": [{"name": "c", "cluster": {"server": 7}}]}, "cannot be used"),
    ],
)
def test_bad_kubeconfigs(tmp_path, content, words):
    with pytest.raises(api.ClusterError) as caught:
        api.connect({"kubeconfig": write(tmp_path, content)})
    assert words in str(caught.value)
    assert "Remedy: " in str(caught.value)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({}, "No connection is given, this is not a pod"),
        ({"kubeconfig": "/nowhere/kubeconfig"}, "There is no kubeconfig /nowhere/kubeconfig"),
        ({"kubeconfig": "/"}, "cannot be read"),
        ({"kubeconfig": GOOD, "context": "nope"}, "has no context nope"),
        ({"host": "10.0.0.1:6443", "api_key": "secret"}, "is no URL"),
        ({"host": "https://x", "api_key": "s", "ca_cert": "/nowhere/ca"}, "The file /nowhere/ca of the option ca_cert"),
    ],
)
def test_bad_options(params, words):
    with pytest.raises(api.ClusterError) as caught:
        api.connect(params)
    assert words in str(caught.value)
    assert "Remedy: " in str(caught.value)


def test_a_file_that_is_no_certificate(server, tmp_path):
    file = tmp_path / "ca"
    file.write_text("no certificate")
    with pytest.raises(api.ClusterError, match="certificate file cannot be used"):
        api.connect({"host": server.url.replace("http", "https"), "api_key": "s", "ca_cert": str(file)}).version()


def test_a_missing_library_names_package_and_interpreter(monkeypatch):
    monkeypatch.setattr(configuration, "IMPORT_ERROR", ImportError("No module named 'kubernetes'"))
    with pytest.raises(api.ClusterError, match="-m pip install kubernetes"):
        api.connect({"kubeconfig": GOOD})
