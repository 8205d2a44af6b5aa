# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How addresses and ranges of them are spelt."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.ranges import (
    address_of,
    canonical,
    is_prefix,
    network_of,
    range_of,
    ranges_of,
)

# text, its address, its network, whether it is a range of several, whether it is a prefix to Go
SPELT = [
    ("192.0.2.1", "192.0.2.1", "192.0.2.1/32", False, False),
    ("192.0.2.0/24", None, "192.0.2.0/24", True, True),
    ("192.0.2.77/24", None, "192.0.2.0/24", True, True),
    ("192.0.2.1/32", None, "192.0.2.1/32", False, True),
    ("0.0.0.0/0", None, "0.0.0.0/0", True, True),
    ("2001:DB8::1", "2001:db8::1", "2001:db8::1/128", False, False),
    ("2001:db8::/64", None, "2001:db8::/64", True, True),
    ("2001:db8::1/128", None, "2001:db8::1/128", False, True),
    ("192.0.2.0/255.255.255.0", None, "192.0.2.0/24", True, False),
    ("192.0.2.0/", None, None, False, False),
    ("/24", None, None, False, False),
    ("192.0.2.0/33", None, None, False, False),
    ("192.0.2.0/-1", None, None, False, False),
    ("192.0.2.0/\u0661", None, None, False, False),
    ("192.0.2", None, None, False, False),
    ("fe80::1%eth0/64", None, "fe80::/64", True, False),
    ("192.0.2.0/" + "0" * 60 + "24", None, "192.0.2.0/24", True, False),
    ("api.example.com", None, None, False, False),
    ("", None, None, False, False),
]


@pytest.mark.parametrize(("text", "address", "network", "several", "prefix"), SPELT, ids=[row[0][:30] for row in SPELT])
def test_what_a_text_is(text, address, network, several, prefix):
    one, many = address_of(text), network_of(text)
    assert (str(one) if one is not None else None) == address
    assert (str(many) if many is not None else None) == network
    assert (range_of(text) is not None) is several
    assert is_prefix(text) is prefix


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::FFFF:192.0.2.1", "192.0.2.1"),
        ("::ffff:c000:201", "192.0.2.1"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("API.Example.com.", "api.example.com"),
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("", ""),
    ],
)
def test_one_spelling_for_each_address_and_name(text, expected):
    assert canonical(text) == expected


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("10.0.0.0", True),
        ("10.0.255.255", True),
        ("10.1.0.0", False),
        ("9.255.255.255", False),
        ("10.9.0.1", True),
        ("10.9.0.2", False),
        ("2001:db8::1", True),
        ("2001:db9::1", False),
        ("::a00:1", False),
    ],
)
def test_an_address_is_in_one_of_several_ranges(address, inside):
    """One within another, one address alone, both families, and what is none."""
    texts = ("10.0.0.0/16", "10.0.1.0/24", "10.9.0.1", "nonsense", "2001:db8::/32", "10.0.0.5/32")
    assert ranges_of(texts).hold(address_of(address)) is inside
