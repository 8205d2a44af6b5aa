"""Every rule on the page of rules: quiet over a mesh that is as it should be, violated over one that is not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.rules import RuleError, compiled, judged
from ansible_collections.meshproof.mtls.plugins.module_utils._policy import evaluate
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    mesh_config,
    namespace,
    peer,
    pod,
    rule,
    service,
    subset,
    tls,
)

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGES = ("rules.md", "findings.md")
STRICT = peer("istio-system/default", "STRICT")
BASE = [
    mesh_config(trustDomain="example.org"),
    namespace("payments", istio_injection="enabled"),
    pod("payments/api"),
    service("payments/api"),
    pod("shop/cart"),
]
GOOD = {**evaluate([*BASE, STRICT]), "cluster": {"istio_versions": ["1.31.1"]}}
EMPTY = {"workloads": [], "edges": [], "findings": [], "unknown": [], "cluster": {"istio_versions": ["1.30.2"]}}
WEAK = rule("payments/weak", "api", tls("DISABLE"), subsets=[subset("v1", tls("DISABLE"), app="api")])
PERMISSIVE = [peer("payments/open", "PERMISSIVE"), peer("shop/open", "PERMISSIVE")]
HOLE = pod("shop/hole", annotations={"traffic.sidecar.istio.io/excludeInboundPorts": "8080"})


def rules_in(value: Any) -> list[dict[str, Any]]:
    """The rules of a YAML block, however deep they stand in it."""
    if isinstance(value, dict) and "expression" in value:
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [rule for item in inner for rule in rules_in(item)]


RULES = {
    rule["name"]: rule
    for page in PAGES
    for block in re.findall(r"```yaml\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    for document in yaml.safe_load_all(block)
    for rule in rules_in(document)
}


def count(name: str, result: dict[str, Any]) -> int:
    return int(judged(compiled([RULES[name]]), result)[0]["count"])


@pytest.mark.parametrize("name", RULES)
def test_a_good_mesh_passes(name: str) -> None:
    assert count(name, GOOD) == 0


def proposing(before: list[dict[str, Any]], applied: dict[str, Any]) -> dict[str, Any]:
    return evaluate(before, proposed=[{"op": "apply", "manifest": applied}])


BAD = [
    EMPTY,
    {**EMPTY, **evaluate([*BASE[1:], HOLE, STRICT, *PERMISSIVE, WEAK])},
    proposing([*BASE, *PERMISSIVE, WEAK], peer("payments/open", "STRICT")),
    proposing([*BASE, STRICT], peer("istio-system/default", "PERMISSIVE")),
]


@pytest.mark.parametrize("name", RULES)
def test_it_finds_what_it_is_about(name: str) -> None:
    assert max(count(name, result) for result in BAD)


def test_the_error_on_the_page_is_what_is_printed() -> None:
    shown = re.search(r"```text\n(The expression of the rule .*?)\n```", (DOCS / "rules.md").read_text(), re.DOTALL)
    assert shown
    with pytest.raises(RuleError) as error:
        compiled([{"name": "payments is STRICT", "expression": "workloads[?namespace=='payments' = mode]"}])
    assert str(error.value) == shown[1]
