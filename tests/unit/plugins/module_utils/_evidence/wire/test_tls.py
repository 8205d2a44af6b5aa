# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS with and without certificates, against servers that look at them and one that does not."""

from __future__ import annotations

import datetime
import ssl

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.probe import wrong_identity
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.wire import tls

from .wire_servers import SERVER, http2, item, strict


@pytest.mark.parametrize(
    ("roots", "verified", "detail"),
    [
        ("", None, "the mesh's root certificate could not be read"),
        ("foreign", False, "self-signed certificate in certificate chain"),
    ],
)
def test_identity_is_read_without_a_root_that_verifies_it(serve, mesh, roots, verified, detail):
    answer = tls.ask_tls(item(serve(strict(mesh))), 2, mesh.get(roots, ""))
    assert answer["uris"] == [SERVER]
    assert answer["issuer"] == "organizationName=cluster.local"
    assert answer["verified"] is verified
    assert answer["verify_detail"] == detail


def test_own_certificate_is_accepted(serve, mesh):
    answer = tls.ask_mutual(item(serve(strict(mesh))), 2, str(mesh["client"]))
    assert (answer["result"], answer["after"], answer["status"]) == ("handshake", "answered", 200)
    assert answer["uris"] == [SERVER]


def test_certificate_of_another_mesh_is_rejected(serve, mesh):
    answer = tls.ask_mutual(item(serve(strict(mesh))), 2, str(mesh["stranger"]))
    assert answer["result"] == "handshake"
    assert answer["after"] == "rejected"


def test_server_of_another_mesh_is_untrusted(serve, mesh, tmp_path):
    (tmp_path / "root-cert.pem").write_text(mesh["foreign"])
    for name in ("cert-chain.pem", "key.pem"):
        (tmp_path / name).write_bytes((mesh["client"] / name).read_bytes())
    answer = tls.ask_mutual(item(serve(strict(mesh))), 2, str(tmp_path))
    assert answer["result"] == "untrusted"


def test_grpc_over_mutual_tls(serve, mesh):
    answer = tls.ask_mutual(item(serve(strict(mesh, http2)), "grpc"), 2, str(mesh["client"]))
    assert (answer["after"], answer["after_detail"], answer["alpn"]) == ("answered", "HTTP/2 200", "istio")


def made():
    return tls.Pair(**wrong_identity.make_wrong("cluster.local", datetime.datetime.now(datetime.UTC)))


@pytest.mark.parametrize(
    ("verify", "after"), [(ssl.CERT_REQUIRED, "rejected"), (ssl.CERT_NONE, "answered")], ids=["checks", "does not"]
)
def test_the_wrong_certificate_that_a_probe_makes(serve, mesh, verify, after):
    answer = tls.ask_as(item(serve(strict(mesh, verify=verify))), 2, made())
    assert (answer["result"], answer["after"]) == ("handshake", after)


def test_what_stands_in_the_way_is_said():
    assert tls.ask_as(item(1), 2, made(), "no time") == {"result": "not_asked", "detail": "no time"}


def test_the_time_at_which_a_certificate_expires(mesh):
    left = tls.expiry(tls.own_certificate(str(mesh["client"]))) - datetime.datetime.now().timestamp()
    assert 3000 < left < 3700


@pytest.mark.parametrize(
    "text", ["", "-----BEGIN CERTIFICATE-----", "-----BEGIN CERTIFICATE-----\n*-----END CERTIFICATE-----"]
)
def test_half_a_certificate_expires_at_no_time(text):
    assert tls.expiry(tls.Pair(text, "")) is None


def test_a_certificate_that_does_not_fit_its_key_is_read_again(mesh, tmp_path, monkeypatch):
    (tmp_path / "cert-chain.pem").write_bytes((mesh["client"] / "cert-chain.pem").read_bytes())
    (tmp_path / "key.pem").write_bytes((mesh["server"] / "key.pem").read_bytes())
    fitting = (mesh["client"] / "key.pem").read_bytes()
    monkeypatch.setattr(tls.time, "sleep", lambda seconds: (tmp_path / "key.pem").write_bytes(fitting))
    assert tls.own_certificate(str(tmp_path)).key == fitting.decode()
