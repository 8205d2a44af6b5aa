# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wrong identity: in everything like the mesh's own but for who vouches for it."""

from __future__ import annotations

import datetime

from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.probe import wrong_identity
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

NOW = datetime.datetime(2026, 11, 22, 12, tzinfo=datetime.UTC)


def test_identity_and_authority():
    made = wrong_identity.make_wrong("mesh.example", NOW)
    leaf, authority = x509.load_pem_x509_certificates(made["certificate"].encode())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["spiffe://mesh.example/ns/default/sa/default"]
    assert leaf.issuer.rfc4514_string() == "O=mesh.example"
    leaf.verify_directly_issued_by(authority)
    assert load_pem_private_key(made["key"].encode(), None).public_key() == leaf.public_key()
    assert leaf.not_valid_before_utc < NOW < leaf.not_valid_after_utc


def test_two_probes_share_nothing():
    first, second = (wrong_identity.make_wrong("mesh.example", NOW) for dummy in range(2))
    assert first["key"] != second["key"]
    assert first["certificate"] != second["certificate"]
