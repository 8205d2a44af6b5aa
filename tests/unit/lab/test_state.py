from __future__ import annotations

from pathlib import Path

import pytest

from lab.isolation import Holder, start_time
from lab.state import State, load, staleness

_STATE = State("boot", Holder(4711, "123"), "recipe", "mplab0", ready=True)


@pytest.mark.parametrize(
    ("state", "boot", "alive", "recipe", "problem"),
    [
        (_STATE, "boot", True, "recipe", None),
        (None, "boot", False, "recipe", "cannot be read"),
        (_STATE, "another", True, "recipe", "restarted"),
        (_STATE, "boot", False, "recipe", "have ended"),
        (_STATE, "boot", True, "another", "other versions"),
        (State("boot", Holder(4711, "123"), "recipe"), "boot", True, "recipe", "never finished"),
    ],
)
def test_staleness(state: State | None, boot: str, alive: bool, recipe: str, problem: str | None) -> None:
    found = staleness(state, boot=boot, alive=alive, recipe=recipe)
    assert found == problem if problem is None else problem in str(found)


def test_round_trip(tmp_path: Path) -> None:
    _STATE.save(tmp_path / "state.json")
    assert load(tmp_path / "state.json") == _STATE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("{", None),
        ("[]", None),
        ('{"boot": "b"}', None),
        ('{"boot": "b", "holder": {"pid": 1}}', None),
        # Of another version of the lab: enough to end it.
        ('{"boot": "b", "holder": {"pid": 1, "started": "2"}, "colour": "red"}', State("b", Holder(1, "2"))),
    ],
)
def test_unreadable_and_foreign_states(tmp_path: Path, text: str, expected: State | None) -> None:
    (tmp_path / "state.json").write_text(text)
    assert load(tmp_path / "state.json") == expected


def test_start_time_tells_processes_apart() -> None:
    own = Path("/proc/self").resolve().name
    assert start_time(int(own)).isdecimal()
    assert start_time(2**22 + 1) == ""
    assert not Holder(int(own), "0").is_alive()
