# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An identity that looks like one of the mesh and that no mesh issued, for a probe to be refused with."""

from __future__ import annotations

from datetime import datetime, timedelta

_HOUR = timedelta(hours=1)


def make_wrong(trust_domain: str, now: datetime) -> dict[str, str]:
    """A certificate with its certificate authority, and its key, as PEM: ``{"certificate", "key"}``.

    All is as istiod makes it (pkg/security/pki): an EC key, a SPIFFE identity of the trust domain, an authority named
    like istiod's own; only nobody trusts that authority, whose key is gone when this returns. ``now`` in UTC. Raises
    ImportError where the library cryptography, on which ansible-core depends, is missing.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, trust_domain)])
    identity = x509.UniformResourceIdentifier(f"spiffe://{trust_domain}/ns/default/sa/default")
    both = x509.CertificateBuilder().issuer_name(ca_name).not_valid_before(now - _HOUR)
    both = both.not_valid_after(now + 24 * _HOUR)
    ca = (
        both.subject_name(ca_name)
        .public_key(ca_key.public_key())
        .serial_number(x509.random_serial_number())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    leaf = (
        both.subject_name(x509.Name([]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        .add_extension(x509.SubjectAlternativeName([identity]), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    chain = [certificate.public_bytes(serialization.Encoding.PEM) for certificate in (leaf, ca)]
    return {"certificate": b"".join(chain).decode(), "key": private.decode()}
