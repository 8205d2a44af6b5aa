"""The alert rules and every query of the dashboard, as the real promtool sees them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import prometheus
from lab.errors import LabError

FILES = Path(__file__).resolve().parents[4] / "roles" / "istio_observability" / "files"
DASHBOARD: dict[str, Any] = json.loads((FILES / "mtls.json").read_text())
# What Grafana puts in before it asks.
GRAFANA = {"$__rate_interval": "1m", "$__range": "1h", "$namespace": "shop|bank"}


def queries() -> Iterator[tuple[str, str]]:
    """(panel and query, PromQL) of every query of the dashboard, as Prometheus is asked it."""
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            text = target["expr"]
            for name, value in GRAFANA.items():
                text = text.replace(name, value)
            yield f"{panel['title']} {target['refId']}", text


@pytest.fixture(scope="session")
def promtool() -> str:
    """The path of a real promtool: the machine's own, or Debian's, unpacked."""
    if installed := shutil.which("promtool"):
        return installed
    package = prometheus.artifact()
    try:
        package.ensure()
    except (LabError, OSError) as error:
        pytest.skip(f"there is no promtool, and Debian's package prometheus is not to be had: {error}")
    return str(package.path / prometheus.TOOL)


def test_panels_are_told_apart_and_ask_the_chosen_prometheus() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["title"] for panel in panels}) == len({panel["id"] for panel in panels}) == len(panels)
    assert {target["datasource"]["uid"] for panel in panels for target in panel["targets"]} == {"${datasource}"}


def run(*command: str | Path) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_are_rules(promtool: str) -> None:
    run(promtool, "check", "rules", "--lint-fatal", FILES / "rules.yml")


def test_the_alerts_fire_when_they_should_and_else_not(promtool: str) -> None:
    run(promtool, "test", "rules", Path(__file__).parent / "alerts.yml")


def test_the_dashboards_queries_are_promql(promtool: str, tmp_path: Path) -> None:
    rules = [{"record": f"query:{number}", "expr": text} for number, (_, text) in enumerate(queries())]
    assert len(rules) >= 8
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    run(promtool, "check", "rules", tmp_path / "rules.yml")


@pytest.mark.parametrize(("title", "series", "value"), [
    ("Share of mutual TLS", {"mutual_tls": 999, "none": 1}, 0.999),
    ("Share of mutual TLS", {"mutual_tls": 5}, 1),
    ("Share of mutual TLS", {"none": 5}, 0),
    ("Share of mutual TLS", {"mutual_tls": 3, "unknown": 1}, 0.75),
    ("Share of mutual TLS", {}, None),
    ("Plaintext callers", {"mutual_tls": 5}, 0),
    ("Plaintext callers", {"mutual_tls": 5, "none": 5}, 1),
    ("Plaintext callers", {}, None),
    ("Share of mutual TLS by namespace", {"mutual_tls": 5}, 1),
    ("Share of mutual TLS by namespace", {"none": 5}, 0),
    ("Share of mutual TLS by namespace", {}, None),
])  # fmt: skip
def test_what_the_dashboard_shows(
    promtool: str, tmp_path: Path, title: str, series: dict[str, int], value: float | None
) -> None:
    """The first query of a panel, over counters that grow by so much a minute; None is no data, which is not 100%."""
    query = dict(queries())[f"{title} A"].replace("[1m]", "[5m]")
    name = 'istio_requests_total{reporter="destination", destination_workload_namespace="shop"'
    labels = '{destination_workload_namespace="shop"}' if "by namespace" in title else "{}"
    case = {
        "interval": "1m",
        "input_series": [
            {"series": f'{name}, connection_security_policy="{policy}"}}', "values": f"0+{step}x120"}
            for policy, step in series.items()
        ],
        "promql_expr_test": [{
            "expr": f"round({query}, 0.001)",
            "eval_time": "100m",
            "exp_samples": [] if value is None else [{"labels": labels, "value": value}],
        }],
    }  # fmt: skip
    (tmp_path / "test.yml").write_text(yaml.safe_dump({"tests": [case]}))
    run(promtool, "test", "rules", tmp_path / "test.yml")
