"""The page of findings says what the code says, and each of its examples has the finding that it stands for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.comparison import findings as compared
from ansible_collections.meshproof.mtls.plugins.module_utils._policy import evaluate
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.findings import SEVERITIES
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.manifests import key_of
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    deployment,
    mesh_config,
    namespace,
    service,
)

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "findings.md").read_text()
SECTIONS = dict(re.findall(r"^## (MTLS-\d{3})\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
BESIDE = [namespace("demo", istio_injection="enabled"), deployment("demo/a"), service("demo/a"), mesh_config()]


def example(identifier: str) -> list[dict[str, Any]]:
    """The example with the objects that the page says are there beside it."""
    found = re.findall(r"```yaml\n(.*?)```", SECTIONS[identifier], re.DOTALL)
    assert len(found) == 1
    manifests = list(yaml.safe_load_all(found[0]))
    replaced = {key_of(item) for item in manifests}
    return [item for item in BESIDE if key_of(item) not in replaced] + manifests


def test_every_finding_is_on_the_page_and_no_other() -> None:
    assert sorted(SECTIONS) == sorted(SEVERITIES)
    assert len(re.findall(r"^## ", PAGE, re.MULTILINE)) == len(SEVERITIES)


def test_the_table_has_the_severities_of_the_code() -> None:
    rows = re.findall(r"^\| \[(MTLS-\d{3})\]\(#(mtls-\d{3})\) \| (\w+) \| (.+) \|$", PAGE, re.MULTILINE)
    assert {identifier: severity for identifier, dummy, severity, dummy in rows} == SEVERITIES
    assert [identifier for identifier, *dummy in rows] == sorted(SEVERITIES)
    assert all(anchor == identifier.lower() for identifier, anchor, *dummy in rows)
    assert all(f"**{title}** ({severity})." in SECTIONS[name] for name, dummy, severity, title in rows)


@pytest.mark.parametrize("identifier", sorted(SEVERITIES))
def test_the_section_says_why_and_what_to_do(identifier: str) -> None:
    assert re.search(r"\*Why it matters\.\* \S.*\n\n\*Fix\.\* \S", SECTIONS[identifier], re.DOTALL)


@pytest.mark.parametrize("identifier", sorted(SEVERITIES))
def test_the_example_has_the_finding(identifier: str) -> None:
    found = evaluate(example(identifier))["findings"]
    assert identifier in {item["id"] for item in found}


def test_without_the_examples_there_is_nothing_but_the_default_mode() -> None:
    assert {item["id"] for item in evaluate(BESIDE)["findings"]} == {"MTLS-006"}


def test_the_findings_of_compared_sources_are_on_the_page_as_the_code_has_them() -> None:
    rows = re.findall(r"^\| (MTLS-1\d{2}) \| (\w+) \| ([^|]+) \| [^|]+ \|$", PAGE, re.MULTILINE)
    assert {identifier: severity for identifier, severity, dummy in rows} == compared.SEVERITIES
    assert all(
        f"{identifier}  " in str(compared.__doc__) and title in str(compared.__doc__)
        for identifier, dummy, title in rows
    )
