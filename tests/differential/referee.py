# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the Go program in ./referee, which runs Istio's own code."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lab import golang, progress, versions
from lab.cache import Artifact

Manifest = dict[str, Any]
SETTLE = 2
"""Milliseconds without an event after which istiod's registries count as settled."""
# Istio's debug registry remembers every collection of every control plane, so a process serves only so many.
_QUESTIONS_PER_PROCESS = 250
UNNAMED_PORT = 7
"""A port that no manifest names."""


def artifact() -> Artifact:
    """The built program, in the user's cache."""
    return golang.artifact(
        golang.GoBuild(
            "referee",
            versions.ISTIO,
            (".",),
            expect="about 1 min after Istio itself was built, else 5",
            module=Path(__file__).parent / "referee",
        )
    )


def build() -> Path:
    """Build it unless it is there."""
    wanted = artifact()
    if not wanted.path.is_dir():
        progress.run([progress.Step("building the referee with Go", wanted.ensure, "1 to 6 min on 2 cores")])
    return wanted.path / "bin" / "referee"


class RefereeError(Exception):
    """The referee could not answer."""


class Referee:
    """The running program; started anew when it has answered often."""

    def __init__(self, program: Path) -> None:
        self._program = program
        self._process: subprocess.Popen[str] | None = None
        self._asked = 0

    def ask(self, manifests: list[Manifest], settle: int = SETTLE) -> dict[str, Any]:
        """What istiod would configure, see Answer in referee/main.go."""
        if self._process is not None and self._asked >= _QUESTIONS_PER_PROCESS:
            self.close()
        if self._process is None:
            self._asked = 0
            self._process = subprocess.Popen(
                [self._program],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                # Memory is cheap here, and nothing that the user's shell sets may change what istiod does.
                env={"GOMAXPROCS": "2", "GOGC": "400"},
            )
        self._asked += 1
        question = {
            "manifests": manifests,
            "proxies": list(proxies(manifests)),
            "ports": sorted({UNNAMED_PORT, *_ports(manifests)}),
            "settle": settle,
        }
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps(question) + "\n")
        stdin.flush()
        line = stdout.readline()
        if not line:
            self.close()
            raise RefereeError("the referee ended without an answer")
        answer: dict[str, Any] = json.loads(line)
        if answer.get("error"):
            raise RefereeError(answer["error"])
        return answer

    def close(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def proxies(manifests: list[Manifest]) -> Iterator[Manifest]:
    """The proxies of a scenario, each with what it tells istiod when it connects."""
    for manifest in manifests:
        if manifest["kind"] != "Pod":
            continue
        metadata, spec = manifest["metadata"], manifest["spec"]
        for container in (*spec["containers"], *spec.get("initContainers", ())):
            if container["name"] == "istio-proxy":
                status = json.loads(metadata.get("annotations", {}).get("sidecar.istio.io/status", "{}"))
                yield {
                    "namespace": metadata["namespace"],
                    "name": metadata["name"],
                    "address": manifest["status"]["podIP"],
                    "type": container["args"][1],
                    "revision": status.get("revision", "default"),
                    "labels": metadata.get("labels", {}),
                    "own_certs": any(variable["name"].endswith("CERT_CHAIN") for variable in container.get("env", ())),
                }


def _ports(value: Any) -> Iterator[int]:
    """Everything in manifests that could be a port's number."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key.isdigit():
                yield int(key)
            yield from _ports(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _ports(inner)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield value
