"""How tests that need a cluster run playbooks: by full name, against KUBECONFIG, with the lab's own values if any."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent


def command(playbook: str, *arguments: str) -> list[str]:
    """The command line of one playbook of the collection."""
    values = os.environ.get("MTLS_VARS")
    extra = ["-e", f"@{values}"] if values else []
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
