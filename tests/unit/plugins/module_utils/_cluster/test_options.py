# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a connection: what is taken from where, and what of them must not be shown."""

from __future__ import annotations

import pytest
from ansible.module_utils.errors import AnsibleFallbackNotFound
from ansible_collections.meshproof.mtls.plugins.module_utils._cluster import options


def from_environment(name):
    function, names = options.ARGUMENT_SPEC[name]["fallback"]
    return function(*names)


@pytest.mark.parametrize(
    ("variables", "value"),
    [
        pytest.param({"K8S_AUTH_VALIDATE_CERTS": "no"}, "no", id="its name"),
        pytest.param({"K8S_AUTH_VERIFY_SSL": "no"}, "no", id="its other name"),
        pytest.param({"K8S_AUTH_VALIDATE_CERTS": "yes", "K8S_AUTH_VERIFY_SSL": "no"}, "yes", id="the first one wins"),
        pytest.param({"K8S_AUTH_VALIDATE_CERTS": "", "K8S_AUTH_VERIFY_SSL": "no"}, "no", id="empty is not given"),
    ],
)
def test_options_come_from_the_environment(monkeypatch, variables, value):
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    assert from_environment("validate_certs") == value


@pytest.mark.parametrize("text", [None, ""], ids=["not set", "empty"])
def test_an_option_that_the_environment_does_not_give(monkeypatch, text):
    monkeypatch.delenv("K8S_AUTH_HOST", raising=False)
    if text is not None:
        monkeypatch.setenv("K8S_AUTH_HOST", text)
    with pytest.raises(AnsibleFallbackNotFound):
        from_environment("host")


def test_secret_options_are_secret():
    headers = options.ARGUMENT_SPEC["proxy_headers"]["options"]
    spec = {**options.ARGUMENT_SPEC, **headers}
    assert {name for name, option in spec.items() if option.get("no_log")} == {
        "api_key",
        "password",
        "proxy_basic_auth",
        "basic_auth",
    }


def test_headers_of_the_proxy_come_from_the_environment_without_the_option():
    assert options.ARGUMENT_SPEC["proxy_headers"]["apply_defaults"] is True


def test_what_is_not_given_keeps_its_default():
    found = options.Options.of({"host": "h", "context": None, "validate_certs": False, "state": "present"})
    assert found == options.Options(host="h", validate_certs=False, read_timeout=1800)


def kubeconfig(**more):
    return {"users": [{"name": "me", "user": more}]}


def of_exec(**more):
    return kubeconfig(exec={"command": "helper", **more})


@pytest.mark.parametrize(
    ("config", "secrets"),
    [
        pytest.param(kubeconfig(token="t0k"), ["t0k"], id="a token"),
        pytest.param(kubeconfig(token=""), [], id="an empty token"),
        pytest.param(kubeconfig(**{"client-key-data": "LS0"}), ["LS0"], id="a key"),
        pytest.param(kubeconfig(username="me", **{"client-certificate": "/c.pem"}), [], id="no secrets"),
        pytest.param(
            kubeconfig(**{"auth-provider": {"config": {"client-secret": "a", "refresh-token": "b", "id-token": "c"}}}),
            ["a", "b", "c"],
            id="of an auth provider",
        ),
        pytest.param({"clusters": [{"cluster": {"server": "https://u:pw@h"}}]}, ["pw"], id="in the server's URL"),
        pytest.param({"clusters": ({"cluster": {"proxy-url": "http://u:pw@h"}},)}, ["pw"], id="in the proxy's URL"),
        pytest.param({"clusters": [{"name": "https://u:pw@h"}]}, [], id="a URL that nobody calls"),
        pytest.param("/home/me/.kube/config", [], id="a path"),
        pytest.param(of_exec(args=["get-token", "--cluster", "west"]), [], id="harmless words"),
        pytest.param(of_exec(args=["--password", "a1"]), ["a1"], id="after a telling option"),
        pytest.param(of_exec(args=["--password", "-v", "a1"]), ["-v"], id="only the argument right after it"),
        pytest.param(of_exec(args=["--password", "a1", "b1"]), ["a1"], id="and no further one"),
        pytest.param(of_exec(args=["password", "a1"]), [], id="a word that is no option"),
        pytest.param(of_exec(args=["--password=a1"]), ["a1"], id="in one argument"),
        pytest.param(of_exec(args=["--password=a1", "b1"]), ["a1"], id="in one argument, and not the next"),
        pytest.param(of_exec(args=["--cluster=west"]), [], id="harmless in one argument"),
        pytest.param(of_exec(args=["AbC9876543210"]), ["AbC9876543210"], id="what is no harmless word"),
        pytest.param(of_exec(args=["a" * 20]), [], id="the longest harmless word"),
        pytest.param(of_exec(args=["a" * 21]), ["a" * 21], id="a longer one"),
        pytest.param(of_exec(args="--password=a1"), [], id="arguments that are no list"),
        pytest.param(of_exec(env=[{"name": "AWS_PROFILE", "value": "west"}]), [], id="a harmless variable"),
        pytest.param(of_exec(env=[{"name": "MY_TOKEN", "value": "west"}]), ["west"], id="a telling variable"),
        pytest.param(of_exec(env=[{"name": "MY_PIN", "value": "1234"}]), ["1234"], id="a pin"),
        pytest.param(of_exec(env=[{"name": "PINNED", "value": "1234"}]), [], id="what only begins like one"),
        pytest.param(of_exec(env=[{"name": "MY_TOKEN", "value": None}]), [], id="a variable without value"),
        pytest.param(of_exec(env=["MY_TOKEN=x"]), [], id="a variable of another shape"),
        pytest.param(of_exec(env={"MY_TOKEN": "x"}), [], id="variables that are no list"),
        pytest.param({"exec": "token"}, [], id="a helper of another shape"),
    ],
)
def test_secrets_in_a_kubeconfig(config, secrets):
    assert list(options.secrets_in(config)) == secrets


def test_secrets_among_a_modules_parameters():
    parameters = {"kubeconfig": kubeconfig(token="t0k"), "host": "https://a:b1@h", "proxy": "http://c:d1@p", "x": "y"}
    assert list(options.secrets_of(parameters)) == ["t0k", "b1", "d1"]
