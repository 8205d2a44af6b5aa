# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Transport sockets: which of them is the mesh's mutual TLS, seen by who serves and by who calls."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.envoy import sockets
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._evidence.envoy.answers import context, mesh

VERSIONS = ("TLSv1_2", "TLSv1_3")
DEMANDS = {"REQUIRE_CLIENT_CERTIFICATE": True}


def names(*matches, key="match_subject_alt_names"):
    """Certificates from files, with the names that a client's must have."""
    return mesh("file-cert:/c~/k", "file-root:/r", **{key: list(matches)})


def typed(**matcher):
    return {"san_type": "URI", "matcher": matcher}


@pytest.mark.parametrize(
    ("common", "speaks"),
    [
        pytest.param({**mesh(), **DEMANDS}, "mtls", id="the mesh's secrets"),
        pytest.param({**mesh(), "REQUIRE_CLIENT_CERTIFICATE": {"value": True}}, "mtls", id="in an older dump"),
        pytest.param({**mesh(), "REQUIRE_CLIENT_CERTIFICATE": {"value": False}}, "simple", id="no demand, older dump"),
        pytest.param(mesh(), "simple", id="no client certificate is demanded"),
        pytest.param({**mesh(), "REQUIRE_CLIENT_CERTIFICATE": "true"}, "simple", id="a demand that is none"),
        pytest.param({**mesh("other"), **DEMANDS}, "mutual", id="another certificate"),
        pytest.param({**mesh(root="other"), **DEMANDS}, "mutual", id="another root"),
        pytest.param({**mesh(root=""), **DEMANDS}, "simple", id="no root"),
        pytest.param(
            {**mesh(trust_chain_verification="ACCEPT_UNTRUSTED"), **DEMANDS}, "simple", id="any chain is taken"
        ),
        pytest.param(
            {**mesh(trust_chain_verification="VERIFY_TRUST_CHAIN"), **DEMANDS}, "mtls", id="chains are verified"
        ),
        pytest.param({**names({"prefix": "spiffe://x/"}), **DEMANDS}, "mtls", id="files, and a prefix of identities"),
        pytest.param({**names({"exact": "spiffe://x/ns/a/sa/b"}), **DEMANDS}, "mtls", id="files, and one identity"),
        pytest.param({**names({"exact": "x.example"}), **DEMANDS}, "mutual", id="files, and a DNS name"),
        pytest.param(
            {**names({"prefix": "spiffe://x/"}, {"exact": "x.example"}), **DEMANDS},
            "mutual",
            id="files, and one of both",
        ),
        pytest.param({**names({"suffix": "spiffe://x/"}), **DEMANDS}, "mutual", id="files, and an end of a name"),
        pytest.param({**names({"prefix": "x/spiffe://"}), **DEMANDS}, "mutual", id="files, and the word inside a name"),
        pytest.param({**names(), **DEMANDS}, "mutual", id="files, and any name"),
        *(
            pytest.param(
                {**names(typed(prefix=prefix), key="match_typed_subject_alt_names"), **DEMANDS}, speaks, id=words
            )
            for prefix, speaks, words in (
                ("spiffe://x/", "mtls", "files, and a typed prefix of identities"),
                ("x.example", "mutual", "files, and a typed name"),
            )
        ),
        pytest.param(
            {"validation_context": {"trusted_ca": {"filename": "/r"}}, **DEMANDS}, "mutual", id="a plain root"
        ),
        pytest.param(
            {
                "tls_certificate_sds_secret_configs": [{"name": "default"}],
                "validation_context_sds_secret_config": {"name": "ROOTCA"},
                **DEMANDS,
            },
            "mtls",
            id="secrets that are not combined",
        ),
    ],
)
def test_what_a_server_demands(common, speaks):
    chain = {"transport_socket": context("DownstreamTlsContext", **common)}
    assert sockets.downstream(chain) == (speaks, VERSIONS, "")


ISTIO = ["istio-peer-exchange", "istio"]


@pytest.mark.parametrize(
    ("common", "speaks"),
    [
        pytest.param(mesh(), "mtls", id="the mesh's secrets"),
        pytest.param(mesh("file-cert:/c~/k", "file-root:/r"), "mutual", id="files"),
        pytest.param(
            {**mesh("file-cert:/c~/k", "file-root:/r"), "alpn_protocols": ISTIO}, "mtls", id="files and Istio's"
        ),
        pytest.param({**mesh("f", "r"), "alpn_protocols": ["h2", "istio"]}, "mtls", id="Istio's behind another"),
        pytest.param({**mesh("f", "r"), "alpn_protocols": ["h2", "x-istio"]}, "mutual", id="protocols not Istio's"),
        pytest.param({**mesh(root=""), "alpn_protocols": ISTIO}, "mutual", id="the server's is not verified"),
        pytest.param({"validation_context": {"trusted_ca": {"filename": "/r"}}}, "simple", id="no certificate"),
        pytest.param({**mesh(), "tls_certificate_sds_secret_configs": []}, "simple", id="a list of no certificate"),
        *(
            pytest.param({key: [{}], "validation_context": {root: {"x": 1}}}, "mutual", id=f"{key}, {root}")
            for key in ("tls_certificates", "tls_certificate_provider_instance", "custom_tls_certificate_selector")
            for root in (
                "trusted_ca",
                "custom_validator_config",
                "ca_certificate_provider_instance",
                "system_root_certs",
            )
        ),
    ],
)
def test_what_a_client_sends(common, speaks):
    assert sockets.upstream(context("UpstreamTlsContext", **common)) == (speaks, VERSIONS, "")


@pytest.mark.parametrize("root", ["trusted_ca", "custom_validator_config", "ca_certificate_provider_instance"])
def test_roots_of_every_kind_are_verified_against(root):
    istio = {"tls_certificates": [{}], "alpn_protocols": ["istio"]}
    for holder in ({"validation_context": {root: {"x": 1}}}, mesh("f", "", **{root: {"x": 1}})):
        assert sockets.upstream(context("UpstreamTlsContext", **holder, **istio)).speaks == "mtls"


RAW = {"@type": "type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer"}
OTHER = {"@type": "type.googleapis.com/x.StartTls"}


@pytest.mark.parametrize(
    ("socket", "speaks", "name"),
    [
        pytest.param(None, "plaintext", "", id="none"),
        pytest.param({}, "plaintext", "", id="an empty one"),
        pytest.param({"name": "envoy.transport_sockets.raw_buffer"}, "plaintext", "", id="a raw one by its name"),
        pytest.param({"name": "x", "typed_config": RAW}, "plaintext", "", id="a raw one by its type"),
        pytest.param({"name": "x", "typed_config": OTHER}, "unknown", "x", id="another one"),
        pytest.param({"typed_config": OTHER}, "unknown", OTHER["@type"], id="another one without a name"),
        pytest.param({"name": "x", "typed_config": 5}, "unknown", "x", id="one of a wrong shape"),
    ],
)
def test_what_is_no_tls(socket, speaks, name):
    assert sockets.downstream({"transport_socket": socket}) == (speaks, (), name)
    assert sockets.upstream(sockets.dictionary(socket)) == (speaks, (), name)


def test_a_context_of_the_other_side_is_none():
    down, up = (context(f"{side}TlsContext", **mesh(), **DEMANDS) for side in ("Downstream", "Upstream"))
    assert [sockets.downstream({"transport_socket": one}).speaks for one in (down, up)] == ["mtls", "unknown"]
    assert [sockets.upstream(one).speaks for one in (down, up)] == ["unknown", "mtls"]


def test_the_tunnel_of_ambient_is_one_of_clients_alone():
    socket = {"name": "envoy.transport_sockets.internal_upstream"}
    assert sockets.upstream(socket) == ("hbone", (), "")
    assert sockets.downstream({"transport_socket": socket}) == ("unknown", (), socket["name"])


@pytest.mark.parametrize(
    ("low", "high", "versions"),
    [
        pytest.param(None, None, ("TLSv1_2", "TLSv1_3"), id="the default"),
        pytest.param("TLS_AUTO", "TLS_AUTO", ("TLSv1_2", "TLSv1_3"), id="the default in words"),
        pytest.param("TLSv1_3", None, ("TLSv1_3",), id="the newest alone"),
        pytest.param(None, "TLSv1_2", ("TLSv1_2",), id="not the newest"),
        pytest.param("TLSv1_0", "TLSv1_3", ("TLSv1_0", "TLSv1_1", "TLSv1_2", "TLSv1_3"), id="all"),
        pytest.param("TLSv1_0", "TLSv1_1", ("TLSv1_0", "TLSv1_1"), id="the oldest"),
        pytest.param("TLSv1_3", "TLSv1_2", (), id="none"),
    ],
)
def test_versions(low, high, versions):
    given = {"tls_minimum_protocol_version": low, "tls_maximum_protocol_version": high}
    assert sockets.versions({"tls_params": given}) == versions
    socket = context("UpstreamTlsContext", **mesh(), tls_params=given)
    assert sockets.upstream(socket).versions == versions


@pytest.mark.parametrize(
    ("holder", "root"),
    [
        ({"combined_validation_context": {"validation_context_sds_secret_config": {"name": "ROOTCA"}}}, "ROOTCA"),
        ({"validation_context_sds_secret_config": {"name": "other"}}, "other"),
        ({"validation_context_sds_secret_config": {}}, ""),
        ({"validation_context_sds_secret_config": "ROOTCA"}, ""),
        ({}, ""),
    ],
    ids=["combined", "alone", "without a name", "no mapping", "none"],
)
def test_the_secret_of_the_roots(holder, root):
    assert sockets._root_name(holder) == root
