# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubeconfigs and options, good and bad."""

from __future__ import annotations

import json
import os

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
    loaded = configuration.load(api.Options.of(params))
    assert (loaded.host, loaded.verify_ssl) == ("https://10.0.0.2:6443", False)


@pytest.mark.parametrize(
    "credentials",
    [{"api_key": "secret"}, {"username": "u", "password": "p"}],
)
def test_host_and_credentials_need_no_kubeconfig(credentials):
    params = {"host": "https://10.0.0.2:6443", **credentials}
    assert api.connect(params).server == "https://10.0.0.2:6443"


BASIC = ("authorization", "Basic dTpw")


@pytest.mark.parametrize(
    ("options", "headers"),
    [
        pytest.param({"username": "u", "password": "p"}, [BASIC], id="basic authentication"),
        pytest.param({"username": "u"}, [], id="a user without a password"),
        pytest.param({"password": "p"}, [], id="a password without a user"),
        pytest.param({"username": "u", "password": "p", "api_key": "k"}, [], id="a token is enough"),
        pytest.param(
            {"impersonate_user": "v", "impersonate_groups": ["a", "", "b"]},
            [("Impersonate-User", "v"), ("Impersonate-Group", "a"), ("Impersonate-Group", "b")],
            id="on behalf of somebody, in groups that have a name",
        ),
    ],
)
def test_headers_of_every_request(options, headers):
    assert configuration.headers(api.Options(**options)) == headers


@pytest.mark.parametrize(
    "part",
    [
        {"host": "https://h"},
        {"host": "https://h", "username": "u"},
        {"host": "https://h", "password": "p"},
        {"host": "https://h", "client_cert": __file__},
        {"host": "https://h", "client_key": __file__},
        {"api_key": "s"},
    ],
    ids=" and ".join,
)
def test_half_of_a_connection_needs_a_kubeconfig(part):
    with pytest.raises(api.ClusterError, match="No connection is given"):
        configuration.load(api.Options(**part))


def test_a_client_certificate_with_its_key_needs_no_kubeconfig():
    options = api.Options(host="https://h", client_cert=__file__, client_key=__file__, read_timeout=1)
    assert configuration.load(options).host == "https://h"


def test_longer_secrets_are_hidden_before_what_they_begin_with(tmp_path, monkeypatch):
    def quote(**options):
        raise ValueError("of hidden-all")

    monkeypatch.setattr(configuration.config, "load_kube_config", quote)
    users = [{"name": name, "user": {"token": name}} for name in ("hidden", "hidden-all")]
    with pytest.raises(api.ClusterError, match=r"used: of …\. Remedy"):
        api.connect({"kubeconfig": write(tmp_path, {**GOOD, "users": users})})


def test_several_kubeconfigs_are_one(tmp_path):
    """As in KUBECONFIG: files that are not there and names that are empty do not matter."""
    path = os.pathsep.join(["", write(tmp_path, GOOD), str(tmp_path / "nothing")])
    assert configuration.load(api.Options(kubeconfig=path)).host == "https://10.0.0.1:6443"


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
        ({"host": "https://h", "api_key": "s", "read_timeout": 0}, "read_timeout is less than a second"),
        ({"kubeconfig": GOOD, "context": "nope"}, "has no context nope"),
        ({"host": "10.0.0.1:6443", "api_key": "secret"}, "is no URL"),
        ({"host": "u:hidden@10.0.0.1:6443", "api_key": "secret"}, "The API server's address …@10.0.0.1:6443 is no URL"),
        ({"kubeconfig": {**GOOD, "contexts": ["one", 5, None]}}, "has no context one"),
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


def user(**more):
    return {**GOOD, "users": [{"name": "u", "user": more}]}


def helper(arguments=(), **variables):
    env = [{"name": name, "value": value} for name, value in variables.items()]
    return user(exec={"command": "helper", "args": list(arguments), "env": env})


@pytest.mark.parametrize(
    ("kubeconfig", "secrets"),
    [
        pytest.param(GOOD, ["secret"], id="a token"),
        pytest.param(user(username="u", password="p"), ["p"], id="a password"),
        pytest.param(user(**{"client-certificate-data": "public", "client-key-data": "k"}), ["k"], id="a key"),
        pytest.param(
            user(**{"auth-provider": {"config": {"client-id": "id", "client-secret": "c", "id-token": "i"}}}),
            ["c", "i"],
            id="an older provider's secrets",
        ),
        pytest.param(helper(["--client-secret=S3"]), ["S3"], id="an argument with its value"),
        pytest.param(helper(["--token", "plain"]), ["plain"], id="an argument and its value"),
        pytest.param(helper(["login", "Hunter2"]), ["Hunter2"], id="an argument without a name"),
        pytest.param(helper(AWS_SECRET_ACCESS_KEY="plain"), ["plain"], id="a variable"),
        pytest.param(helper(SESSION="Zm9v+YmFy"), ["Zm9v+YmFy"], id="a variable whose value says what it is"),
        pytest.param(helper(PROXY="http://u:p%40@h"), ["p%40", "p@", "http://u:p%40@h"], id="a URL in a variable"),
        pytest.param(
            helper(["eks", "get-token", "--cluster-name", "production", "--region=eu-central-1", "-v", "5"]),
            [],
            id="words that results may hold, too",
        ),
        pytest.param(
            {"clusters": [{"name": "c", "cluster": {"server": "https://u:p@h", "proxy-url": "http://t@h"}}]},
            ["p", "t"],
            id="addresses",
        ),
        pytest.param("/a/path", [], id="the path of a file"),
        pytest.param({"users": "x", "exec": 5, "token": None, "password": ["p"]}, [], id="other shapes"),
        pytest.param(user(exec={"args": "x", "env": [5, {"name": "token"}]}), [], id="a helper of another shape"),
    ],
)
def test_what_of_a_kubeconfig_is_never_shown(kubeconfig, secrets):
    assert list(api.secrets_in(kubeconfig)) == secrets


def test_what_of_the_options_is_never_shown():
    params = {"kubeconfig": GOOD, "host": "https://u:one@h", "proxy": "http://u:two@p:3128", "context": "c"}
    assert list(api.secrets_of(params)) == ["secret", "one", "two"]


@pytest.mark.parametrize(
    "params",
    [
        pytest.param({"host": "http://u:hidden@127.0.0.1:1", "api_key": "s"}, id="in the address"),
        pytest.param({"host": "http://127.0.0.1:1/?token=hidden", "api_key": "s"}, id="in the query"),
        pytest.param({"host": "http://u:hidden@127.0.0.1:port", "api_key": "s"}, id="with a port that is none"),
        pytest.param({"host": "ftp://u:hid/den@127.0.0.1", "api_key": "s"}, id="of another scheme"),
        pytest.param({"host": "http://h", "api_key": "s", "proxy": "http://u:hidden@127.0.0.1:1"}, id="of a proxy"),
        pytest.param({"host": "http://h", "api_key": "s", "proxy": "http://u:hidden@127.0.0.1:x"}, id="of no proxy"),
        pytest.param({"host": "http://h", "api_key": "s", "proxy": "u:hidden@127.0.0.1:1"}, id="without a scheme"),
    ],
)
def test_no_message_shows_a_password(params):
    with pytest.raises(api.ClusterError) as caught:
        api.connect(params).version()
    assert "hidden" not in str(caught.value) + caught.value.reason
    assert "hid/den" not in str(caught.value)


def test_an_address_is_shown_without_its_password():
    assert api.connect({"host": "https://u:hidden@h:6443", "api_key": "s"}).server == "https://…@h:6443"


def test_what_the_library_says_about_a_kubeconfig_hides_what_it_quotes(tmp_path, monkeypatch):
    def quote(**options):
        raise ValueError("cannot read --client-secret=S3 of token hidden\x1b")

    monkeypatch.setattr(configuration.config, "load_kube_config", quote)
    users = [{"name": "v", "user": {"token": "hidden"}}, *helper(["--client-secret=S3"])["users"]]
    with pytest.raises(api.ClusterError, match=r"cannot read --client-secret=… of token …\\u001b\. Remedy"):
        api.connect({"kubeconfig": write(tmp_path, {**GOOD, "users": users})})


def test_all_parts_of_a_run_share_a_connection():
    params = {"host": "https://h", "api_key": "s", "namespaces": ["a"]}
    assert api.connect(params) is api.connect({**params, "namespaces": ["b"]})
    assert api.connect(params) is not api.connect({**params, "api_key": "t"})
