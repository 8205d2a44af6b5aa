"""What a lab's folder remembers, and whether what it remembers still holds."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from lab.isolation import Holder


@dataclass(frozen=True)
class State:
    """Written to state.json as soon as the holder exists, and again when the lab is ready."""

    boot: str
    holder: Holder
    recipe: str = ""
    link: str = ""
    link_index: int = 0
    ready: bool = False

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")


def load(path: Path) -> State | None:
    """The saved state, also of an older or newer version of the lab; None when it cannot be read at all."""
    try:
        values = json.loads(path.read_text())
        known = {field.name: values[field.name] for field in fields(State) if field.name in values}
        return State(**{**known, "holder": Holder(**values["holder"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def boot_id() -> str:
    """Differs after every start of the machine: process ids from before it mean nothing."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def staleness(state: State | None, *, boot: str, alive: bool, recipe: str) -> str | None:
    """Why a lab that was once started cannot be used again, or None when it can."""
    if state is None:
        return "its state cannot be read"
    if state.boot != boot:
        return "the machine was restarted since"
    if not alive:
        return "its processes have ended"
    if not state.ready:
        return "it was never finished"
    if state.recipe != recipe:
        return "it was made of other versions or another configuration"
    return None
