# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates: as recorded of a real proxy, and chains made here."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.envoy import certificates
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.envoy.records import Shared
from ansible_collections.meshproof.mtls.plugins.module_utils._foreign.unreadable import Unreadable
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._evidence.envoy.answers import (
    configs,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, x25519
from cryptography.x509.oid import NameOID

START = datetime(2026, 1, 31, 12)
KEYS = {
    "EC P-256": ec.generate_private_key(ec.SECP256R1()),
    "EC P-384": ec.generate_private_key(ec.SECP384R1()),
    "RSA 2048": rsa.generate_private_key(65537, 2048),
    "Ed25519": ed25519.Ed25519PrivateKey.generate(),
}
OTHER = ec.generate_private_key(ec.SECP256R1())
SPIFFE = "spiffe://old.domain/ns/shop/sa/cart"


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, text)])


def issue(subject, key, issuer, issuer_key, uri="", rsa_padding=None):
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(0xABCDEF)
        .not_valid_before(START)
        .not_valid_after(START + timedelta(days=1))
    )
    if uri:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=True
        )
    algorithm = None if isinstance(issuer_key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(issuer_key, algorithm, rsa_padding=rsa_padding)


def source(*chain):
    pem = b"".join(item.public_bytes(serialization.Encoding.PEM) for item in chain)
    return {"inline_bytes": base64.b64encode(pem).decode()}


def own(*chain, secret="default"):
    return {"name": secret, "secret": {"tls_certificate": {"certificate_chain": source(*chain)}}}


def roots(*chain, secret="ROOTCA"):
    return {"name": secret, "secret": {"validation_context": {"trusted_ca": source(*chain)}}}


def fingerprint(certificate):
    return certificate.fingerprint(hashes.SHA256()).hex()


def test_recorded_of_a_real_sidecar():
    workload, root = certificates.certificates(configs("strict", "secrets"), Shared())
    assert (workload.kind, root.kind) == ("workload", "root")
    assert workload.identity == "spiffe://cluster.local/ns/proxies-home/sa/strict"
    assert (workload.trust_domain, workload.issuer, workload.key) == ("cluster.local", "O=cluster.local", "RSA 2048")
    assert workload.root_fingerprint == root.fingerprint == root.root_fingerprint
    assert (len(workload.fingerprint), workload.fingerprint) != (64, root.fingerprint)
    assert workload.not_before[:4] == "2026"
    assert root.not_after[:4] == "2036"


@pytest.mark.parametrize("kind", KEYS)
def test_a_chain_over_an_intermediate_leads_to_its_root(kind):
    key = KEYS[kind]
    root = issue("root", key, "root", key)
    between = issue("between", OTHER, "root", key)
    leaf = issue("", KEYS["EC P-256"], "between", OTHER, SPIFFE)
    found = certificates.certificates([own(leaf, between), roots(root)], Shared())
    assert found[0] == (
        "workload",
        SPIFFE,
        "O=",
        "O=between",
        "abcdef",
        fingerprint(leaf),
        fingerprint(root),
        "2026-01-31T12:00:00Z",
        "2026-02-01T12:00:00Z",
        "EC P-256",
        "old.domain",
    )
    assert (found[1].kind, found[1].key, found[1].identity, found[1].trust_domain) == ("root", kind, "", "")


def test_a_root_that_signs_as_newer_corporate_roots_do_is_found():
    """RSASSA-PSS."""
    key, pss = KEYS["RSA 2048"], padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    root = issue("root", key, "root", key, rsa_padding=pss)
    leaf = issue("", KEYS["EC P-256"], "root", key, SPIFFE, rsa_padding=pss)
    found = certificates.certificates([own(leaf), roots(root)], Shared())
    assert found[0].root_fingerprint == fingerprint(root)


@pytest.mark.parametrize(
    ("chain_of", "trusted"),
    [
        pytest.param("leaf", "other root of the same name", id="a name alone is no signature"),
        pytest.param("leaf", "no root", id="no root is trusted"),
        pytest.param("leaf over a missing intermediate", "root", id="the intermediate is missing"),
    ],
)
def test_a_chain_that_leads_nowhere(chain_of, trusted):
    key = KEYS["EC P-256"]
    root, forged = issue("root", key, "root", key), issue("root", OTHER, "root", OTHER)
    leaf = issue("", KEYS["RSA 2048"], "root" if chain_of == "leaf" else "between", key, SPIFFE)
    known = {"root": [root], "other root of the same name": [forged], "no root": []}[trusted]
    found = certificates.certificates([own(leaf), *([roots(*known)] if known else [])], Shared())
    assert found[0].root_fingerprint == ""


def test_a_chain_in_which_two_vouch_for_each_other_leads_nowhere():
    key = KEYS["EC P-256"]
    one, two = issue("one", key, "two", OTHER), issue("two", OTHER, "one", key)
    leaf = issue("", KEYS["RSA 2048"], "one", key, SPIFFE)
    found = certificates.certificates([own(leaf, one, two), roots(issue("root", key, "root", key))], Shared())
    assert found[0].root_fingerprint == ""


def test_of_two_roots_the_one_that_issued_it():
    old, new = KEYS["EC P-256"], KEYS["EC P-384"]
    first, second = issue("root", old, "root", old), issue("root", new, "root", new)
    found = certificates.certificates([own(issue("", OTHER, "root", new, SPIFFE)), roots(first, second)], Shared())
    assert [item.kind for item in found] == ["workload", "root", "root"]
    assert found[0].root_fingerprint == fingerprint(second)


def test_secrets_that_are_not_the_meshs_are_left_out():
    key = KEYS["EC P-256"]
    public = issue("www.example.com", key, "some CA", key)
    found = [own(public, secret="kubernetes://gateway"), roots(public, secret="file-root:system"), None, {"name": "x"}]
    assert certificates.certificates(found, Shared()) == ()


def test_equal_certificates_are_one_object():
    key, shared = KEYS["EC P-256"], Shared()
    root = issue("root", key, "root", key)
    [first], [second] = (certificates.certificates([roots(root)], shared) for dummy in range(2))
    assert first is second


@pytest.mark.parametrize(
    "content",
    [
        {"inline_bytes": "%%%"},
        {"inline_bytes": base64.b64encode(b"not a certificate").decode()},
        {"inline_string": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"},
    ],
)
def test_what_is_no_certificate(content):
    with pytest.raises(ValueError, match=r"."):
        certificates.certificates(
            [{"name": "default", "secret": {"tls_certificate": {"certificate_chain": content}}}], Shared()
        )


def test_a_private_key_is_never_kept():
    secret = own(issue("", OTHER, "root", KEYS["EC P-256"], SPIFFE))
    secret["secret"]["tls_certificate"]["private_key"] = {"inline_string": "the key itself"}
    assert "the key itself" not in repr(certificates.certificates([secret], Shared()))


def signed(*extensions):
    key = KEYS["EC P-256"]
    builder = (
        x509.CertificateBuilder()
        .subject_name(name("x"))
        .issuer_name(name("x"))
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(START)
        .not_valid_after(START + timedelta(days=1))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, hashes.SHA256())


def uris(*values):
    return x509.SubjectAlternativeName([x509.UniformResourceIdentifier(value) for value in values])


def spoilt(certificate, old, new):
    """A certificate in which the bytes of something are those of something else."""
    der = certificate.public_bytes(serialization.Encoding.DER)
    assert old in der
    text = base64.encodebytes(der.replace(old, new)).decode()
    return {"inline_string": f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n"}


BASIC = x509.BasicConstraints(ca=False, path_length=None)
NAMES_OID, BASIC_OID, P256_OID = (bytes.fromhex(text) for text in ("0603551d11", "0603551d13", "2a8648ce3d030107"))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(spoilt(signed(uris(SPIFFE), BASIC), BASIC_OID, NAMES_OID), id="an extension twice"),
        pytest.param(spoilt(signed(), P256_OID, P256_OID[:-1] + b"\x04"), id="a curve that nobody has"),
        pytest.param(spoilt(signed(uris(SPIFFE)), b"/sa/cart", b"/sa/\xe9\xe8\xe7\xe6"), id="a name that is no ASCII"),
        pytest.param(spoilt(signed(), b"260131120000Z", b"269931120000Z"), id="the 99th month"),
        pytest.param({"inline_string": "-----BEGIN CERTIFICATE-----" * 20_000}, id="beginnings without an end"),
        pytest.param(
            {"inline_string": "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n" * 300}, id="hundreds"
        ),
        pytest.param({"inline_bytes": "caf\u00e9"}, id="base64 that is no ASCII"),
        pytest.param({"inline_bytes": ["QQ=="]}, id="a list"),
    ],
)
def test_what_a_secret_can_hold_is_unreadable_at_worst(content):
    secret = {"name": "default", "secret": {"tls_certificate": {"certificate_chain": content}}}
    with pytest.raises(Unreadable):
        certificates.certificates([secret], Shared())


@pytest.mark.parametrize(
    ("names", "identity"),
    [
        ((SPIFFE,), SPIFFE),
        (("https://a.example",), ""),
        ((SPIFFE, "spiffe://old.domain/ns/shop/sa/till"), f"{SPIFFE}, spiffe://old.domain/ns/shop/sa/till"),
        (("https://a.example", SPIFFE), f"https://a.example, {SPIFFE}"),
    ],
    ids=["one", "none of the mesh", "two are nobody's", "with another name beside it"],
)
def test_an_identity_stands_alone(names, identity):
    [found] = certificates.certificates([own(signed(uris(*names)))], Shared())
    assert found.identity == identity


@pytest.mark.parametrize(
    ("stated", "issuer", "other", "issued"),
    [
        pytest.param("root", "EC P-256", None, True, id="EC"),
        pytest.param("root", "RSA 2048", None, True, id="RSA"),
        pytest.param("root", "Ed25519", None, True, id="Ed25519"),
        pytest.param("root", "EC P-256", "EC P-384", False, id="another key of the same kind"),
        pytest.param("root", "EC P-256", "RSA 2048", False, id="a key of another kind"),
        pytest.param("root", "RSA 2048", "Ed25519", False, id="a key of a third kind"),
        pytest.param("elsewhere", "EC P-256", None, False, id="the key, and another name"),
    ],
)
def test_an_issuer_has_the_name_and_the_key(stated, issuer, other, issued):
    leaf = issue("leaf", OTHER, stated, KEYS[issuer])
    key = KEYS[other or issuer]
    assert bool(certificates._issued(leaf, issue("root", key, "root", key))) is issued
    found = certificates.certificates([own(leaf), roots(issue("root", key, "root", key))], Shared())
    assert bool(found[0].root_fingerprint) is issued


def test_a_chain_in_a_circle_leads_nowhere():
    """As two authorities have that signed each other's certificate."""
    first, second = KEYS["EC P-256"], KEYS["EC P-384"]
    leaf = issue("leaf", OTHER, "first", first, SPIFFE)
    circle = issue("first", first, "second", second), issue("second", second, "first", first)
    found = certificates.certificates([own(leaf, *circle)], Shared())
    assert [item.root_fingerprint for item in found] == [""]


def test_a_chain_in_any_order_leads_to_its_root():
    key = KEYS["EC P-256"]
    root = issue("root", key, "root", key)
    between = issue("between", OTHER, "root", key)
    elsewhere = issue("elsewhere", KEYS["EC P-384"], "root", key)
    leaf = issue("", KEYS["RSA 2048"], "between", OTHER, SPIFFE)
    for others in ((elsewhere, between), (between, elsewhere)):
        found = certificates.certificates([own(leaf, *others), roots(root)], Shared())
        assert found[0].root_fingerprint == fingerprint(root)


def test_a_key_that_signs_nothing_issued_nothing():
    signing = KEYS["EC P-256"]
    exchange = issue("root", x25519.X25519PrivateKey.generate(), "root", signing)
    leaf = issue("leaf", OTHER, "root", signing, SPIFFE)
    found = certificates.certificates([own(leaf), roots(exchange)], Shared())
    assert (found[0].root_fingerprint, found[1].key) == ("", "X25519")


@pytest.mark.parametrize(
    ("numbers", "read"),
    [
        pytest.param([200, 0], True, id="as many as can be"),
        pytest.param([201, 0], False, id="one more in one secret"),
        pytest.param([120, 80], True, id="as many in two secrets"),
        pytest.param([120, 81], False, id="one more in two secrets"),
    ],
)
@pytest.mark.parametrize("kind", [own, roots])
def test_all_secrets_of_a_proxy_together_hold_no_more_than_a_bound(kind, numbers, read):
    key = KEYS["EC P-256"]
    one = issue("x", key, "elsewhere", key, SPIFFE)
    given = [kind(*[one] * number) for number in numbers if number]
    if read:
        assert len(certificates.certificates(given, Shared())) == 1
    else:
        with pytest.raises(Unreadable, match="more certificates than any proxy has"):
            certificates.certificates(given, Shared())


@pytest.mark.parametrize(("others", "read"), [(28, True), (29, False)], ids=["a thousand trials", "more"])
def test_the_search_for_a_root_ends(others, read):
    """A chain of 25 links is tried against its own rest and each root, link by link: 300 trials and 25 a root."""
    key = KEYS["EC P-256"]
    link, root = issue("link", key, "link", key, SPIFFE), issue("root", OTHER, "root", OTHER)
    given = [own(*[link] * 25), roots(*[root] * others)]
    if read:
        assert certificates.certificates(given, Shared())[0].root_fingerprint == ""
    else:
        with pytest.raises(Unreadable, match="longer than any proxy has"):
            certificates.certificates(given, Shared())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"inline_bytes": ["QQ=="]}, "is no text"),
        ({"inline_string": 3}, "is no text"),
        ({"inline_bytes": "%%%"}, "is not base64"),
        ({"inline_string": "secret"}, "is not PEM"),
        ({"inline_string": "-----BEGIN CERTIFICATE-----\nAAAA"}, "has no end"),
    ],
)
def test_what_is_wrong_with_a_certificate_is_told(content, words):
    secret = {"name": "default", "secret": {"tls_certificate": {"certificate_chain": content}}}
    with pytest.raises(Unreadable, match=words):
        certificates.certificates([secret], Shared())
