# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What roles print of a cluster's, a tool's or a server's words goes through the filter `visible`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.meshproof.mtls.tests.unit.roles.test_argument_specs import ROLES, load

SAYING = ("ansible.builtin.debug", "ansible.builtin.fail", "ansible.builtin.assert")
FOREIGN = re.compile(
    r"\.(message|msg|stderr|stdout|response|reason|waiting)\b|attribute='(message|reason|text)'|_why\b"
)
"""Fields in which somebody else's words are."""
OURS = (
    "meshproof.mtls.visible",
    "__istio_verify_judgement.message",
    "map(attribute='message') | list",
    "_remedies[",
    "_plan(",
)
"""What is visible already: the filter, the judge's own sentences, a role's own rules, remedies and plan."""
HOSTILE = "why\nPLAY RECAP\r\n\x1b[2Jfine\u202etxt.\u2028ok"


def tasks(node: Any) -> Iterator[dict[str, Any]]:
    """Every task of a file, those in blocks, too."""
    for task in node or ():
        yield task
        for part in ("block", "rescue", "always"):
            yield from tasks(task.get(part))


def said() -> Iterator[tuple[str, str]]:
    """(place, text): what each task says, with the variables that it says it with; and what templates print."""
    for role in ROLES:
        variables = load(role / "vars" / "main.yml") if (role / "vars" / "main.yml").exists() else {}
        lined_up = ""
        for path in sorted((role / "tasks").glob("*.yml")):
            for task in tasks(load(path)):
                for module in SAYING:
                    if module in task:
                        words = str([task[module].get("msg"), task[module].get("fail_msg"), task.get("vars", {})])
                        words += "".join(str(value) for name, value in variables.items() if f"{name} " in words)
                        lined_up += words if ".split('" in words else ""
                        yield f"{role.name}/{path.name}: {task.get('name')}", words
        for path in sorted((role / "templates").glob("*.txt.j2")):
            if path.name not in lined_up:
                for expression in re.findall(r"\{\{.*?\}\}", path.read_text(), re.DOTALL):
                    yield f"{role.name}/{path.name}: {expression[:60]}", expression


SAID = [(place, text) for place, text in said() if FOREIGN.search(text)]


def test_there_is_something_to_look_at():
    assert len(SAID) > 10


@pytest.mark.parametrize(("place", "text"), SAID, ids=[place for place, dummy in SAID])
def test_foreign_words_are_made_visible(place, text):
    assert any(word in text for word in OURS), place


def rendered(text: str, **variables: Any) -> str:
    """A template as Ansible renders it."""
    return str(Templar(DataLoader(), variables=variables).template(trusted(text)))


def trusted(text: str) -> str:
    try:
        from ansible.template import trust_as_template
    except ImportError:  # before ansible-core 2.19 every text is one
        return text
    return trust_as_template(text)


def test_no_line_is_forged_by_what_a_server_answers():
    [message] = [
        task["ansible.builtin.assert"]["fail_msg"]
        for task in tasks(load(ROLES[0].parent / "istio_verify" / "tasks" / "evidence.yml"))
        if "could not be listed" in str(task.get("ansible.builtin.assert"))
    ]
    shown = rendered(message, __istio_verify_why=HOSTILE)
    assert "PLAY RECAP" in shown
    assert shown.isprintable()


def test_a_text_is_cut_where_it_is_said_how_long_it_may_be():
    assert rendered("{{ one | meshproof.mtls.visible(3) }}", one="abcdef").startswith("abc…")
