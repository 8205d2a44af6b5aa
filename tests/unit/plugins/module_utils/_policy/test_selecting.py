# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects are found by labels as if each had been asked."""

from __future__ import annotations

import itertools

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.membership import matches
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.selecting import Selecting

LABELS = [
    {"abc"[place]: value for place, value in enumerate(values)}
    for length in range(4)
    for values in itertools.product(("1", "2"), repeat=length)
]
"""Every set of up to three labels with two values."""
SELECTORS = [None, {}, {"a": "1"}, {"b": "1"}, {"a": "1", "b": "2"}, {"a": "1"}, {"c": "2", "a": "2"}, {"d": "1"}, None]


@pytest.mark.parametrize("labels", LABELS, ids=str)
def test_what_selects_labels_is_found_in_its_order(labels: dict[str, str]) -> None:
    items = list(enumerate(SELECTORS))
    found = Selecting(items, lambda item: item[1]).of(labels)
    assert list(found) == [item for item in items if matches(item[1], labels)]


def test_labels_that_no_selector_tells_apart_get_the_same_answer() -> None:
    selecting = Selecting(SELECTORS, lambda selector: selector)
    assert selecting.of({"a": "1", "own": "x"}) is selecting.of({"own": "y", "a": "1"})
    assert selecting.of({"a": "1"}) is not selecting.of({"a": "2"})
