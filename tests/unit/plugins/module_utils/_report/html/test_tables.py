# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a table hands to the page's script."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._report.html.tables import Row, Table, rendered


class States(HTMLParser):
    """The states by which rows can be filtered, as the script reads them."""

    def handle_starttag(self, tag, attrs):
        states = dict(attrs).get("data-states")
        if states:
            self.found = json.loads(states)


@pytest.mark.parametrize(
    "names",
    [["strict", "unknown"], [f"{number} {'x' * 90}" for number in range(50)], ["a\"'<&>\u202e", "\ud800", "\x1b"]],
    ids=["few", "more than is shown of a text", "hostile"],
)
def test_states_are_whole_whatever_they_are(names):
    page = States()
    page.feed(rendered(Table("t", "Ports", ("Port",), [Row(name, ["x"]) for name in names], filtered=True), 100))
    assert sorted(page.found) == sorted(names)
