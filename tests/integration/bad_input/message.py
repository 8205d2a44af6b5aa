"""What a failed playbook tells its user."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.cluster_runs import run

# One line for each failed task, or for each failed item of a loop.
_FAILURE = re.compile(
    r"^(?:fatal: \[localhost\]: FAILED!|failed: \[localhost\] \(item=.*\)) => (\{.*)$",
    re.MULTILINE,
)
_RECAP = re.compile(r"^localhost .* failed=1 .* rescued=(\d+)", re.MULTILINE)
# Words of a sentence that says what to do.
_REMEDIES = ("Remedy", "Check ", "Set ", "Name ", "Keep ", "Run ", "run again", "Leave ", "has to be")


def given(**variables: Any) -> list[str]:
    """Extra variables of a playbook, with their types."""
    return ["-e", json.dumps(variables)]


def only_message(playbook: str, *arguments: str, **changes: str | None) -> str:
    """Run a playbook that has to fail, and return the one message that it ends with.

    A failure that a role rescued may stand above it, in the words of the tool that failed.
    """
    ended = run(playbook, *arguments, **{"ANSIBLE_CALLBACK_RESULT_FORMAT": "json", **changes})
    recap = _RECAP.search(ended.stdout)
    assert recap, ended.stdout
    assert "Traceback" not in ended.stdout, ended.stdout
    failed = [found for task in ended.stdout.split("\nTASK [") if (found := _FAILURE.findall(task))]
    assert len(failed) == 1 + int(recap[1]), ended.stdout
    assert len(failed[-1]) == 1, ended.stdout
    message = str(json.loads(failed[-1][0])["msg"])
    assert any(word in message for word in _REMEDIES), message
    return message
