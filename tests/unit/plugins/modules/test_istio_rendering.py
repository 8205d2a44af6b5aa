# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where charts come from, and what is said when one does not render."""

from __future__ import annotations

import json

import pytest
from ansible_collections.meshproof.mtls.plugins.modules import istio_rendering

testing = pytest.importorskip("ansible.module_utils.testing")
CHARTS = [
    {"component": "base", "release": "istio-base", "folders": ["base"], "values_file": "values"},
    {"component": "istiod", "release": "istiod", "folders": ["istiod", "istio-discovery"], "values_file": "values"},
]


@pytest.fixture
def run(capsys, tmp_path):
    """Run the module with a Helm that repeats what it was asked; what it returns."""
    tool = tmp_path / "helm"

    def go(script='echo "asked: $*"', **options):
        tool.write_text(f"#!/bin/sh\n{script}\n")
        tool.chmod(0o755)
        given = {
            "method": "helm",
            "binary": str(tool),
            "folder": str(tmp_path),
            "version": "1.31.1",
            "namespace": "istio-system",
            "charts": CHARTS,
            "values": {"values": {"a": 1}},
            "kubernetes_version": "v1.35.4",
            **options,
        }
        with testing.patch_module_args(given), pytest.raises(SystemExit):
            istio_rendering.main()
        return json.loads(capsys.readouterr().out)

    return go


@pytest.fixture
def charts(tmp_path):
    """A folder with one packaged chart and one that is unpacked under its older name."""
    folder = tmp_path / "charts"
    (folder / "istio-control" / "istio-discovery").mkdir(parents=True)
    (folder / "istio-control" / "istio-discovery" / "Chart.yaml").write_text('name: istiod\nversion: "1.31.1" # x\n')
    (folder / "base-1.31.1.tgz").write_text("")
    return folder


def test_charts_of_a_folder(run, charts):
    made = run(directory=str(charts))
    assert made["charts"] == {
        "base": str(charts / "base-1.31.1.tgz"),
        "istiod": str(charts / "istio-control" / "istio-discovery"),
    }
    first, second = made["text"].split("\n---\n")
    assert first.startswith(f"asked: template istio-base {charts}/base-1.31.1.tgz --namespace=istio-system")
    assert "--kube-version=v1.35.4 --is-upgrade" in second


def test_values_are_for_this_account_alone(run, charts, tmp_path):
    run(directory=str(charts))
    assert json.loads((tmp_path / "values.yaml").read_text()) == {"a": 1}
    assert (tmp_path / "values.yaml").stat().st_mode & 0o777 == 0o600


def test_a_chart_of_another_version_is_none(run, charts):
    said = run(directory=str(charts), version="1.31.2")
    assert "Chart base, istiod 1.31.2 was not found" in said["msg"]


@pytest.mark.parametrize(
    ("repository", "words"),
    [
        ("https://c.test/charts", "pull base --repo=https://c.test/charts --version=1.31.1"),
        ("oci://c.test/charts", "pull oci://c.test/charts/base --version=1.31.1"),
    ],
)
def test_charts_of_a_repository(run, tmp_path, repository, words):
    run(f'echo "$*" >> {tmp_path}/asked', repository=repository)
    assert (tmp_path / "asked").read_text().startswith(words)


def test_a_repository_without_tls_is_not_asked(run, tmp_path):
    said = run(f"touch {tmp_path}/asked", repository="http://c.test/charts")
    assert "without TLS" in said["msg"]
    assert not (tmp_path / "asked").exists()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"repository": "https://c.test"}, "Chart base 1.31.1 could not be had from https://c.test: it broke"),
        ({"directory": True}, "Chart base 1.31.1 does not render with istio_install_values: it broke"),
        ({"method": "istioctl"}, "istioctl 1.31.1 does not render with istio_install_values: it broke"),
    ],
    ids=["no chart", "values that break a chart", "values that istioctl refuses"],
)
def test_what_a_tool_says_is_told_in_one_sentence(run, charts, given, words):
    given = {**given, "directory": str(charts)} if "directory" in given else given
    said = run(r"printf '\033[31mit\nbroke' >&2; exit 1", **given)
    assert said["msg"].startswith(words)
    assert "Remedy" in said["msg"]


def test_istioctl_is_given_the_operator(run, tmp_path):
    made = run(method="istioctl", operator={"kind": "IstioOperator"})
    assert made["text"].startswith(f"asked: manifest generate --filename={tmp_path}/istiooperator.yaml")
    assert json.loads((tmp_path / "istiooperator.yaml").read_text()) == {"kind": "IstioOperator"}
