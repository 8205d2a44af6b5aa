# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an API server did not take, in a sentence for each object, out of the answer of kubernetes.core.k8s."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from .._foreign.visible import visible

_SENTENCE = re.compile(r'"message": ?"((?:[^"\\]|\\.)*)"')
"""The API server's own sentence in what kubernetes.core hands over: JSON, headers, a traceback."""
_REMEDIES = {
    "failed calling webhook": (
        "the webhook that the message names does not answer; wait until istiod is ready (the role istio_install does)"
    ),
    "is forbidden: User": "grant that right (the playbook meshproof.mtls.preflight tells what is missing)",
    "exceeded quota": "raise the quota, or lower what is asked for",
    "field is immutable": "remove the object first, as nobody can change that field",
    "404 page not found": "Istio and its CRDs were removed; run the role meshproof.mtls.istio_install first",
}
"""By words of the API server's."""
_MOST = 5


def refusals(returned: Mapping[str, Any], definitions: Sequence[Mapping[str, Any]]) -> list[str]:
    """Sentences with a remedy, none where all were taken. `returned` is what a task over the `definitions` registered.

    With ``continue_on_error`` each object has its own answer. What failed as a whole has none, and speaks for all.
    """
    if "result" not in returned and not returned.get("skipped"):
        return [_sentence(f"{len(definitions)} objects", str(returned.get("msg") or ""))]
    result = returned.get("result")
    results = result.get("results") if isinstance(result, Mapping) and len(definitions) > 1 else [returned]
    found = [
        _sentence(_named(definitions[index]), str(_mapping(answer.get("error")).get("msg") or ""))
        for index, answer in enumerate(results or ())
        if answer.get("error")
    ]
    taken = len(definitions) - len(found)
    said = found[:_MOST] + ([f"And {len(found) - _MOST} more"] if len(found) > _MOST else [])
    return [*said, f"The other {taken} objects were taken"] if found and taken else said


def _sentence(what: str, message: str) -> str:
    sentence = _SENTENCE.search(message)
    said = visible(_unescaped(sentence[1]) if sentence else message.strip(), 600).rstrip(".")
    remedy = next((text for sign, text in _REMEDIES.items() if sign in message), "put right what the message names")
    return f"The cluster refused {what}: {said}. Remedy: {remedy}, then run this role again"


def _unescaped(text: str) -> str:
    # What went through Python's repr of bytes has its quotes escaped twice.
    try:
        return str(json.loads(f'"{text}"'))
    except ValueError:
        return text.replace('\\\\"', '"')


def _named(manifest: Mapping[str, Any]) -> str:
    meta = manifest["metadata"]
    return f"{manifest['kind']} {meta.get('namespace') or ''}/{meta['name']}".replace(" /", " ")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
