"""How tests that need a cluster run playbooks and modules: by full name, against KUBECONFIG, with the lab's values."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent

in_the_lab = pytest.mark.skipif(
    os.geteuid() != 0 or "MTLS_VARS" not in os.environ, reason="it needs the lab on this machine, and root"
)
"""For tests that make a lab, or enter its nodes and pods: elsewhere these cannot be reached from here."""


def values() -> dict[str, Any]:
    """The lab's own values; none on a cluster of the user's own."""
    path = os.environ.get("MTLS_VARS")
    return (yaml.safe_load(Path(path).read_text()) or {}) if path else {}


def python_image() -> str:
    """An image with Python that the cluster can run."""
    return str(values().get("istio_verify_probe_image", "python:3.13-alpine"))


def command(playbook: str, *arguments: str) -> list[str]:
    """The command line of one playbook of the collection."""
    path = os.environ.get("MTLS_VARS")
    extra = ["-e", f"@{path}"] if path else []
    return [str(BIN / "ansible-playbook"), f"meshproof.mtls.{playbook}", *extra, *arguments]


def environment(**changes: str | None) -> dict[str, str]:
    """This process's environment with changes; None removes a variable."""
    plain = {"ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml", "ANSIBLE_NOCOLOR": "1"}
    merged: dict[str, str | None] = {**os.environ, **plain, **changes}
    return {name: value for name, value in merged.items() if value is not None}


def run(playbook: str, *arguments: str, **changes: str | None) -> subprocess.CompletedProcess[str]:
    """Run a playbook to its end; output and errors in one text."""
    return subprocess.run(
        command(playbook, *arguments), cwd=ROOT, env=environment(**changes), text=True, check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def must(playbook: str, *arguments: str) -> str:
    """Run a playbook that has to succeed; its output, which a failure shows whole."""
    result = run(playbook, *arguments)
    assert result.returncode == 0, f"{playbook} {' '.join(arguments)}\n{result.stdout}"
    return result.stdout


def module_command(name: str, *options: str, **arguments: Any) -> list[str]:
    """The command line of one module of the collection."""
    task = ["-m", f"meshproof.mtls.{name}", "-a", json.dumps(arguments)]
    return [str(BIN / "ansible"), "localhost", *task, *options]


def returned(output: str) -> dict[str, Any]:
    """What a module returned, from what Ansible prints of it; `failed` tells how it ended."""
    assert "Traceback" not in output, output
    head, dummy, text = output[output.find("localhost |") :].partition("=>")
    assert text, output
    result: dict[str, Any] = json.loads(text)
    return {**result, "failed": "SUCCESS" not in head and "CHANGED" not in head}


def module(name: str, *options: str, **arguments: Any) -> dict[str, Any]:
    """Run a module; what it returned, also when it failed."""
    ended = subprocess.run(
        module_command(name, *options, **arguments), cwd=ROOT, env=environment(ANSIBLE_CALLBACK_RESULT_FORMAT="json"),
        text=True, check=False, capture_output=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert "Traceback" not in ended.stderr, ended.stderr
    return returned(ended.stdout)
