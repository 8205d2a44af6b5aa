"""The shipped ClusterRoles allow what the code does, and no more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.manifests import KINDS

RIGHTS = Path(__file__).resolve().parents[3] / "docs" / "rights"
LEAST = ("reader", "inspector", "prober", "prometheus", "access-log", "publisher")


def role(name: str) -> dict[str, Any]:
    return yaml.safe_load((RIGHTS / f"{name}.yml").read_text())


def allowed(name: str) -> Iterator[tuple[str, str, str]]:
    """(group, resource, verb) of everything that a ClusterRole allows."""
    for rule in role(name)["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for verb in rule["verbs"]:
                    yield group, resource, verb


def test_the_reader_may_read_exactly_what_the_engine_reads() -> None:
    assert set(allowed("reader")) == {(kind.group, kind.plural, verb) for kind in KINDS for verb in ("get", "list")}


def test_of_config_maps_only_the_mesh_configuration_and_the_public_root() -> None:
    rules = [rule for rule in role("reader")["rules"] if "configmaps" in rule["resources"]]
    assert all(rule["resources"] == ["configmaps"] for rule in rules)
    assert {name for rule in rules for name in rule["resourceNames"]} == {"istio", "istio-ca-root-cert"}


@pytest.mark.parametrize("name", LEAST)
def test_no_wildcards_and_no_secrets(name: str) -> None:
    assert not [right for right in allowed(name) if "*" in right or right[1].startswith("secrets")]


@pytest.mark.parametrize("name", [*LEAST, "installer"])
def test_its_name_is_that_of_its_file(name: str) -> None:
    assert (role(name)["kind"], role(name)["metadata"]["name"]) == ("ClusterRole", f"meshproof-{name}")
