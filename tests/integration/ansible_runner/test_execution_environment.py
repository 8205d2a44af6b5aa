"""What AWX needs before a job runs: an execution environment that ansible-builder accepts, playbooks that it finds."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
AWX = ROOT / "examples" / "awx"
BUILDER = str(Path(sys.executable).parent / "ansible-builder")
# AWX lists a file as a playbook when one of its lines looks so.
PLAYBOOK = re.compile(r"^\s*?-?\s*?(?:hosts|include|import_playbook):\s*?.*?$", re.MULTILINE)


def builder(*arguments: str) -> str:
    ended = subprocess.run([BUILDER, *arguments], cwd=AWX, text=True, capture_output=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_builder_creates_a_context(tmp_path: Path) -> None:
    builder("create", "--context", str(tmp_path), "--output-filename", "Containerfile")
    assert "quay.io/centos/centos:stream9" in (tmp_path / "Containerfile").read_text()
    wanted = yaml.safe_load((tmp_path / "_build" / "requirements.yml").read_text())["collections"]
    assert [item["name"] for item in wanted] == ["meshproof.mtls", "kubernetes.core"]


def test_builder_finds_what_the_collection_needs() -> None:
    found = yaml.safe_load(builder("introspect", str(ROOT / ".ansible" / "collections")))
    for kind, requirement in (("python", "kubernetes>="), ("system", "tar ")):
        ours = [line for line in found[kind] if line.endswith("# from collection meshproof.mtls")]
        assert [line for line in ours if line.startswith(requirement)], found


@pytest.mark.parametrize("name", ["preflight", "site", "verify", "observability", "uninstall"])
def test_awx_finds_the_playbook(name: str) -> None:
    text = (AWX / f"{name}.yml").read_text()
    assert PLAYBOOK.search(text)
    assert yaml.safe_load(text)[0]["import_playbook"] == f"meshproof.mtls.{name}"
