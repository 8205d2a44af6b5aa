# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificates that a proxy shows and trusts, from its secrets. Private keys are not looked at, and never kept.

Envoy itself redacts keys in a dump; nothing here reads that field.
"""

from __future__ import annotations

import base64
from functools import lru_cache
from typing import Any, Dict, Iterable, List, Optional, Tuple

from ..._foreign.guards import NOT_UNDERSTOOD
from ..._foreign.unreadable import Unreadable
from ..._foreign.visible import visible
from .records import Certificate, Shared
from .sockets import dictionary

IMPORT_ERROR: Optional[ImportError] = None
try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
except ImportError as error:
    IMPORT_ERROR = error

LIBRARY = "cryptography"
"""What this file needs; ansible-core needs it, too, but a module may run under another interpreter."""

WORKLOAD, ROOT = "workload", "root"
_OWN, _ROOTS = "default", "ROOTCA"
_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
_MOST = 200
"""Certificates in the secrets of one proxy; a mesh has a root or two, and each workload a chain of two or three."""
_LONGEST = 64 * 1024
"""Bytes of one of them."""
_MOST_TRIALS = 1000
"""Signatures that are verified to find the root of a chain."""
_SPIFFE = "spiffe://"
_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}


def certificates(configs: Iterable[Any], shared: Shared) -> Tuple[Certificate, ...]:
    """The proxy's own certificates and then the roots that it trusts.

    :arg configs: Items of /config_dump?resource=dynamic_active_secrets. A secret whose certificate is not the mesh's,
        such as that of a gateway's server, is left out.

    Raises Unreadable where a secret holds something that is no certificate, or one that the library does not read.
    """
    try:
        return tuple(shared.of(item) for item in dict.fromkeys(_records(configs)))
    except Unreadable:
        raise
    except NOT_UNDERSTOOD as error:
        raise Unreadable(f"holds a certificate that cannot be read ({type(error).__name__})") from None


def _records(configs: Iterable[Any]) -> List[Certificate]:
    chains: List[List[Any]] = []
    roots: List[Any] = []
    left = _MOST
    for item in configs:
        name = str(dictionary(item).get("name") or "")
        secret = dictionary(dictionary(item).get("secret"))
        chain = _load(dictionary(dictionary(secret.get("tls_certificate")).get("certificate_chain")), left)
        left -= len(chain)
        if chain and (name == _OWN or _identity(chain[0])):
            chains.append(chain)
        if name == _ROOTS:  # others are for upstreams outside the mesh, such as the system's list
            trusted = _load(dictionary(dictionary(secret.get("validation_context")).get("trusted_ca")), left)
            left -= len(trusted)
            roots += trusted
    found = [_record(WORKLOAD, chain[0], _root_of(chain, roots)) for chain in chains]
    return found + [_record(ROOT, root, root) for root in roots]


def _load(source: Dict[str, Any], most: int) -> List[Any]:
    """The certificates of a DataSource: PEM, in bytes or as text. Raises Unreadable."""
    inline, text = source.get("inline_bytes") or "", source.get("inline_string") or ""
    if not isinstance(inline, str) or not isinstance(text, str):
        raise Unreadable("holds a certificate that is no text")
    try:
        data = base64.b64decode(inline, validate=True) or text.encode()
    except ValueError as problem:
        raise Unreadable("holds a certificate that is not base64") from problem
    pems = _pems(data, most)
    if data.strip() and not pems:
        raise Unreadable("holds a certificate that is not PEM")
    return [_parse(pem) for pem in pems]


def _pems(data: bytes, most: int) -> List[bytes]:
    """The certificates in a file, which may have other text between them. Raises Unreadable."""
    found: List[bytes] = []
    begin = data.find(_BEGIN)
    while begin >= 0:
        end = data.find(_END, begin, begin + _LONGEST)
        if end < 0:
            raise Unreadable("holds a certificate that has no end, or is longer than any")
        if len(found) == most:
            raise Unreadable("holds more certificates than any proxy has")
        found.append(data[begin : end + len(_END)])
        begin = data.find(_BEGIN, end)
    return found


@lru_cache(maxsize=64)
def _parse(pem: bytes) -> Any:
    """A certificate; all proxies of a mesh have the same roots."""
    return x509.load_pem_x509_certificate(pem)


def _root_of(chain: List[Any], roots: List[Any]) -> Optional[Any]:
    """The root that a chain leads to: the issuer of its last certificate that a root has really signed."""
    current = chain[0]
    others = list(chain[1:])
    trials = 0
    while True:
        trials += len(roots) + len(others)
        if trials > _MOST_TRIALS:
            raise Unreadable("holds a chain that is longer than any proxy has")
        for root in roots:
            if _issued(current, root):
                return root
        following = next((item for item in others if _issued(current, item)), None)
        if following is None:
            return None
        others.remove(following)
        current = following


def _issued(certificate: Any, issuer: Any) -> bool:
    """Whether the issuer's key signed the certificate. Newer libraries have a method for it, older ones do not."""
    if certificate.issuer != issuer.subject:
        return False
    key, signature, signed = issuer.public_key(), certificate.signature, certificate.tbs_certificate_bytes
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, signed, _padding(certificate), certificate.signature_hash_algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, signed, ec.ECDSA(certificate.signature_hash_algorithm))
        elif isinstance(key, (ed25519.Ed25519PublicKey, ed448.Ed448PublicKey)):
            key.verify(signature, signed)
        else:
            return False
    except (InvalidSignature, UnsupportedAlgorithm, TypeError, ValueError):
        return False
    return True


def _padding(certificate: Any) -> Any:
    """That of an RSA signature, as the certificate states it; libraries before version 41 know only the old one."""
    stated = getattr(certificate, "signature_algorithm_parameters", None)
    return stated if isinstance(stated, padding.PSS) else padding.PKCS1v15()


def _record(kind: str, certificate: Any, root: Optional[Any]) -> Certificate:
    identity = _identity(certificate)
    return Certificate(
        kind,
        visible(identity),
        visible(certificate.subject.rfc4514_string()),
        visible(certificate.issuer.rfc4514_string()),
        f"{certificate.serial_number:x}",
        _fingerprint(certificate),
        _fingerprint(root) if root is not None else "",
        _time(certificate, "not_valid_before"),
        _time(certificate, "not_valid_after"),
        _key(certificate.public_key()),
        visible(identity[len(_SPIFFE) :].split("/", 1)[0]),
    )


def _identity(certificate: Any) -> str:
    """The SPIFFE identity. A certificate of one has no other name of that kind (SPIFFE's X509-SVID, 2 and 5.2)."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ""
    uris = [str(uri) for uri in names.get_values_for_type(x509.UniformResourceIdentifier)]
    return ", ".join(uris) if any(uri.startswith(_SPIFFE) for uri in uris) else ""


def _fingerprint(certificate: Any) -> str:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(certificate.public_bytes(serialization.Encoding.DER))
    return digest.finalize().hex()


def _time(certificate: Any, name: str) -> str:
    # Before version 42 of the library times have no zone, and are UTC; later that warns.
    moment = getattr(certificate, f"{name}_utc", None) or getattr(certificate, name)
    return str(moment.strftime("%Y-%m-%dT%H:%M:%SZ"))


def _key(key: Any) -> str:
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {_CURVES.get(key.curve.name, key.curve.name)}"
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    return type(key).__name__.replace("PublicKey", "").lstrip("_")
