# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of tests/differential that need no referee."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from lab import golang
from tests.differential import referee
from tests.differential.generate import scenario
from tests.differential.shrink import shrink


def test_a_seed_gives_the_same_mesh_again():
    assert scenario(7) == scenario(7) != scenario(8)


@pytest.mark.parametrize("seed", range(50))
def test_every_object_of_a_mesh_has_a_name_of_its_own(seed):
    manifests = scenario(seed)
    names = {(item["kind"], item["metadata"].get("namespace"), item["metadata"]["name"]) for item in manifests}
    assert len(names) == len(manifests)


def test_meshed_pods_are_the_proxies():
    manifests = scenario(1)
    meshed = {
        item["metadata"]["name"] for item in manifests if item["metadata"].get("annotations") and "status" in item
    }
    assert {proxy["name"] for proxy in referee.proxies(manifests)} == meshed


def test_shrinking_keeps_only_what_matters():
    def differs(manifests: list[dict[str, Any]]) -> bool:
        return any(item.get("spec", {}).get("mtls", {}).get("mode") == "STRICT" for item in manifests)

    policy = {"kind": "PeerAuthentication", "metadata": {"name": "p"}}
    spec = {"selector": {"matchLabels": {"app": "a"}}, "mtls": {"mode": "STRICT"}}
    smallest = shrink([{"kind": "Pod", "metadata": {"name": "a"}}, {**policy, "spec": spec}], differs)
    assert smallest == [{**policy, "spec": {"mtls": {"mode": "STRICT"}}}]


def test_the_referees_sources_are_part_of_its_name(tmp_path):
    for name in ("go.mod", "go.sum", "main.go"):
        (tmp_path / name).write_text(name)
    build = golang.GoBuild("referee", "1", (".",), module=Path(tmp_path))
    before = golang.artifact(build).key
    (tmp_path / "main.go").write_text("changed")
    assert golang.artifact(build).key != before


def test_the_referee_is_built_from_the_istio_of_the_lab():
    own, lab = (
        set(re.findall(r"(istio\.io/\S+) (v\S+)", (folder / "go.mod").read_text()))
        for folder in (artifact_folder(), Path(golang.__file__).parent / "go" / "istio")
    )
    assert own
    assert own <= lab


def artifact_folder() -> Path:
    """Where the referee's sources are."""
    return Path(referee.__file__).parent / "referee"
