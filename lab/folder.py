"""The folder of one lab ($LAB_DIR): what is in it, and how it is emptied."""

from __future__ import annotations

import hashlib
import shutil
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from lab import cache


@dataclass(frozen=True)
class LabFolder:
    """A lab's folder and what is in it."""

    path: Path

    @property
    def kubeconfig(self) -> Path:
        return self.path / "kubeconfig"

    @property
    def vars(self) -> Path:
        return self.path / "vars.yml"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def data(self) -> Path:
        """What containerd stores: the one part that is too large for memory."""
        return self.path / "data"

    @property
    def configuration(self) -> Path:
        """The configuration files of the cluster's parts."""
        return self.path / "configuration"

    @property
    def state(self) -> Path:
        return self.path / "state.json"

    @property
    def mirror_port(self) -> Path:
        return self.path / "mirror-port"

    @property
    def name(self) -> str:
        """Differs for every folder; names the lab's control group and lock."""
        return f"meshproof-lab-{hashlib.sha256(str(self.path).encode()).hexdigest()[:8]}"

    def lock(self) -> AbstractContextManager[None]:
        return cache.lock(cache.root() / "locks" / self.name)

    def clear_data(self) -> None:
        """Remove all that a lab put here, except its logs, and nothing else: the folder is the user's choice."""
        for file in (self.kubeconfig, self.vars, self.state, self.mirror_port):
            file.unlink(missing_ok=True)
        for folder in (self.data, self.configuration):
            shutil.rmtree(folder, ignore_errors=True)

    def clear(self) -> None:
        """Remove the logs, too, and the folder if nothing else is in it."""
        self.clear_data()
        shutil.rmtree(self.logs, ignore_errors=True)
        if self.path.is_dir() and not any(self.path.iterdir()):
            self.path.rmdir()
