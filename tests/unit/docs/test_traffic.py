"""docs/traffic.md shows the queries that are asked, and the formats that the tests' proxies write."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.traffic.queries import queries

from tests.integration.traffic.manifests import FORMATS

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "traffic.md").read_text()


def blocks(language: str) -> list[str]:
    """What stands between fences of a language."""
    return re.findall(rf"^```{language}\n(.*?)\n```$", TEXT, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("query", queries(3600), ids=["requests", "connections", "reporters"])
def test_the_queries_are_those_that_are_asked(query: str) -> None:
    assert query in blocks("promql")


def test_the_json_format_is_the_tested_one_and_more() -> None:
    (config,) = (yaml.safe_load(block) for block in blocks("yaml") if "accessLogFormat" in block)
    shown = json.loads(config["meshConfig"]["accessLogFormat"])
    tested = FORMATS["json"]["json_format"]
    assert {name: shown.get(name) for name in tested} == tested


def test_the_text_format_is_the_tested_one() -> None:
    assert blocks("text") == [FORMATS["text"]["text_format_source"]["inline_string"].strip()]
