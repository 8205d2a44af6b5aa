# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a proxy answers on its admin port."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from typing import Any

from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.comparison.inventory import inventory
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.envoy import answers
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.envoy.records import Proxy, Shared
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._evidence.envoy.answers import (
    RECORDED,
    recorded,
)
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._evidence.envoy.test_answers import (
    TARGET as WHOSE,
)

from .. import damage
from ..running import Target

_RECORDED = {path.stem: recorded(path.stem) for path in sorted(RECORDED.glob("*.json"))}

_NOW = datetime(2026, 1, 31, tzinfo=UTC)


def _attempt(rnd: random.Random) -> None:
    content = rnd.choice(list(_RECORDED.values()))
    bodies = _bodies(content)
    good = answers.proxy(WHOSE, answers.Answers(**bodies), Shared())
    rnd.choice([_damaged, _incomplete])(rnd, content, bodies, good)


def _bodies(content: dict[str, Any]) -> dict[str, bytes]:
    return {
        name: part.encode("utf-8", "replace") if isinstance(part, str) else damage.dumped(part)
        for name, part in content.items()
    }


def _damaged(rnd: random.Random, content: dict[str, Any], bodies: dict[str, bytes], good: Proxy) -> None:
    """It becomes a record that can be shown, and what is read after it is read as before."""
    name = rnd.choice(sorted(bodies))
    if rnd.random() < 0.5 and not isinstance(content[name], str):
        bad = damage.dumped(damage.value(rnd, content[name], 5))
    else:
        bad = damage.raw(rnd, bodies[name])
    shared = Shared()
    found = answers.proxy(WHOSE, answers.Answers(**{**bodies, name: bad}), shared)
    _is_shown(found)
    assert answers.proxy(WHOSE, answers.Answers(**bodies), shared) == good, "the next proxy was read differently"


def _incomplete(rnd: random.Random, _content: Any, bodies: dict[str, bytes], good: Proxy) -> None:
    """Without some of its answers every port and upstream is as it was, or unknown."""
    kept = damage.some(rnd, sorted(bodies))
    found = answers.proxy(WHOSE, answers.Answers(**{name: bodies[name] for name in kept}), Shared())
    _is_shown(found)
    accepted = {port.port: port.accepts for port in good.ports}
    for port in found.ports:
        assert port.accepts in ("unknown", accepted.get(port.port)), (kept, port)
    sent = {(item.host, item.port, item.subset): item.sends for item in good.upstreams}
    for item in found.upstreams:
        assert item.sends in ("unknown", sent.get((item.host, item.port, item.subset))), (kept, item)
    assert found.istiod.connected in (None, good.istiod.connected)
    assert found.configuration.accepted in (None, good.configuration.accepted)


def _is_shown(found: Proxy) -> None:
    text = json.dumps(found.public(), ensure_ascii=False, allow_nan=False)
    assert text.isprintable(), "something in the record acts when it is shown"
    text.encode()
    inventory([found], _NOW)


TARGET = Target("proxies", "a proxy's answer can make only its own record worse, and never ends a run", _attempt)
