# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and messages that try to act where they are printed."""

from __future__ import annotations

import random
from typing import Any
from xml.etree import ElementTree

from ansible_collections.meshproof.mtls.plugins.module_utils._foreign.visible import visible
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.judge import judge
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.preview import preview
from ansible_collections.meshproof.mtls.plugins.module_utils._policy import evaluate
from ansible_collections.meshproof.mtls.plugins.module_utils._report.documents import made
from ansible_collections.meshproof.mtls.plugins.module_utils._report.table import verdict_table
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.meshes import ONE_OF_EACH, mesh
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._report.html import audits

from .. import damage
from ..running import Target

_TEXTS = [text for text in damage.HOSTILE_TEXTS if damage.is_json(text)]


def _attempt(rnd: random.Random) -> None:
    manifests = mesh(rnd.randrange(10**9))[:25] + rnd.sample(ONE_OF_EACH, 5)
    for dummy in range(rnd.randint(1, 5)):
        place = rnd.randrange(len(manifests))
        hostile = damage.text(rnd, manifests[place])
        manifests[place] = hostile if damage.is_json(hostile) else manifests[place]
    gaps = [{"kind": "Sidecar", "namespace": None, "reason": rnd.choice(_TEXTS)}]
    proposed = [{"op": "apply", "manifest": damage.text(rnd, rnd.choice(ONE_OF_EACH))}]
    _report(rnd, evaluate(manifests, unread=gaps))
    try:
        result = evaluate(manifests, unread=gaps, proposed=proposed)
    except ValueError as error:
        damage.require_sentence(error)
        return
    for lines in preview(result).values():
        _are_lines(lines)


def _report(rnd: random.Random, result: dict[str, Any]) -> None:
    _are_lines(verdict_table(judge({**result, "rules": []})))
    audit = {**audits.two(), **{name: result[name] for name in ("workloads", "edges", "client_sets", "findings")}}
    title = rnd.choice(_TEXTS)
    raw = damage.dumped(audit)
    for name, data in made("a", raw, ["html", "junit"], title, 20).files.items():
        text = data.decode()
        assert "<script>alert" not in text, name
        if name == "junit":
            ElementTree.fromstring(text)
    assert visible(title).isprintable()


def _are_lines(lines: list[str]) -> None:
    for line in lines:
        assert line.isprintable(), repr(line)


TARGET = Target("texts", "no text of a cluster's acts where it is printed, in tables, XML or HTML", _attempt)
