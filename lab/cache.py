"""What is built or downloaded once per user: one folder for each artifact, named by all that it is made from."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


def root() -> Path:
    """The cache's folder: $XDG_CACHE_HOME/meshproof-lab, or ~/.cache/meshproof-lab."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "meshproof-lab"


def log(name: str) -> Path:
    """Where the output of building `name` goes."""
    return root() / "logs" / f"{name}.log"


def digest(parts: Iterable[str | bytes]) -> str:
    """Twelve hex digits that differ when any part differs, or where one part ends and the next begins."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(len(data).to_bytes(8, "big") + data)
    return total.hexdigest()[:12]


@dataclass(frozen=True)
class Artifact:
    """A folder in the cache. `build` fills an empty folder; `inputs` is all that decides what comes out."""

    name: str
    version: str
    inputs: tuple[str | bytes, ...]
    build: Callable[[Path], None]

    @property
    def key(self) -> str:
        return f"{self.name}-{self.version}-{digest(self.inputs)}"

    @property
    def path(self) -> Path:
        return root() / self.key

    def ensure(self) -> str:
        """Build it unless it is there. A folder under its final name is always complete, whatever was interrupted."""
        if self.path.is_dir():
            return "from the cache"
        with lock(root() / "locks" / self.key):
            if self.path.is_dir():
                return "built by another run meanwhile"
            unfinished = root() / f"{self.key}.unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
            self.build(unfinished)
            unfinished.rename(self.path)
        return "built"


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold an exclusive lock; it ends with the process, so an interrupted run leaves none behind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
