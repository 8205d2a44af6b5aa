# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a rendered Istio differs from the cluster."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
import yaml
from ansible_collections.meshproof.mtls.plugins.module_utils._intent.changes import difference, rendered
from ansible_collections.meshproof.mtls.plugins.module_utils._intent.control_planes import control_planes
from ansible_collections.meshproof.mtls.plugins.module_utils._intent.install import plan
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._intent.istios import installed, istiod, release
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._intent.test_install import GIVEN

Manifest = dict[str, Any]
TEXT = """
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data: {mesh: "a: 1"}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: istio-sidecar-injector, labels: {app: sidecar-injector}}
webhooks: [{name: a}]
---
"""
SAME: list[Manifest] = [{"changed": False, "method": "patch"}] * 2
NO_NAMESPACE: Manifest = {"error": {"msg": 'namespaces "istio-system" not found'}}
CHANGED: Manifest = {"changed": True, "diff": {"before": {}, "after": {"a": 1}}}
PRINT = hashlib.sha256(TEXT.encode()).hexdigest()
DONE = {"fingerprint": PRINT, "components": "istiod"}


def found(compared: list[Manifest], *more: Manifest, text: str = TEXT, **record: Any) -> dict[str, Any]:
    there = installed(**{**DONE, **record}) if record.get("phase") != "none" else []
    observed = {"cluster": {"kubernetes_version": "v1.35.4"}, **control_planes([*there, *more])}
    made = plan(observed, {**GIVEN, "components": ["istiod"]}, {})
    assert made["problems"] == []
    return {**made, **difference(made, text, compared, yaml.safe_load_all, yaml.safe_dump)}


def test_nothing_differs() -> None:
    made = found(SAME)
    assert {name: made[name] for name in ("needed", "apply", "wait", "lines", "problems")} == {
        "needed": False, "apply": False, "wait": False, "lines": [], "problems": [],
    }  # fmt: skip
    assert made["before"] == made["after"]


@pytest.mark.parametrize(
    ("made", "line"),
    [
        (lambda: found([{"method": "create"}, SAME[0]]), "ConfigMap istio-system/istio: new"),
        (lambda: found([SAME[0], NO_NAMESPACE]), "MutatingWebhookConfiguration istio-sidecar-injector: new"),
        (lambda: found([CHANGED, SAME[0]]), "ConfigMap istio-system/istio: changes"),
        (lambda: found(SAME, fingerprint="old"), None),
        (lambda: found(SAME, phase="installing"), None),
        (lambda: found(SAME, release("istiod", "failed", 2)), None),
        (lambda: found(SAME, phase="none"), None),
    ],
    ids=[
        "a new object", "one whose namespace is not there yet", "a changed object", "another rendering",
        "a run that did not end", "a release that failed", "nothing is there",
    ],
)  # fmt: skip
def test_something_is_to_be_done(made: Any, line: str | None) -> None:
    result = made()
    assert (result["needed"], result["apply"], result["wait"]) == (True, True, True)
    assert result["lines"] == ([line] if line else [])


def test_an_istiod_at_0_is_to_be_started_though_no_object_differs() -> None:
    parts = [item for item in installed(**DONE) if item["kind"] != "Deployment"]
    observed = {"cluster": {"kubernetes_version": "v1.35.4"}, **control_planes([*parts, istiod(wanted=0)])}
    made = plan(observed, {**GIVEN, "components": ["istiod"]}, {})
    made = {**made, **difference(made, TEXT, SAME, yaml.safe_load_all, yaml.safe_dump)}
    assert (made["needed"], made["apply"], made["wait"]) == (False, True, True)


def test_what_the_cluster_would_refuse_stops_it() -> None:
    [problem] = found([{"error": {"msg": "Invalid value:\nx"}}, SAME[0]])["problems"]
    assert problem.startswith("The cluster would refuse ConfigMap istio: Invalid value:")
    assert "\n" not in problem


def test_a_dry_run_that_did_not_answer_for_all_stops_it() -> None:
    assert "1 of 2 objects" in found(SAME[:1])["problems"][0]


def test_the_record_before_keeps_what_was_there() -> None:
    old = [{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "gone", "namespace": "istio-system"}}]
    made = found(SAME, objects=old)
    kinds = [
        [item["kind"] for item in json.loads(made[name]["data"]["objects"])] for name in ("installing", "installed")
    ]
    assert kinds == [
        ["Service", "ConfigMap", "MutatingWebhookConfiguration"],
        ["ConfigMap", "MutatingWebhookConfiguration"],
    ]
    assert [made[name]["data"]["phase"] for name in ("installing", "installed")] == ["installing", "installed"]


def test_all_that_is_rendered_gets_our_label_beside_its_own() -> None:
    labels = [item["metadata"]["labels"] for item in rendered(TEXT, "helm", yaml.safe_load_all)]
    assert labels == [
        {"meshproof.mtls/role": "istio_install"},
        {"app": "sidecar-injector", "meshproof.mtls/role": "istio_install"},
    ]


def test_what_istioctl_and_istiod_rewire_is_no_part_of_it() -> None:
    text = TEXT.replace("webhooks: [{name: a}]", "webhooks:\n- name: a\n  failurePolicy: Ignore\n")
    assert rendered(text, "istioctl", yaml.safe_load_all)[1]["webhooks"] == []


def test_of_a_text_only_the_lines_that_change_are_shown() -> None:
    diff = {"before": {"data": {"mesh": "a: 1\nb: 1\n"}}, "after": {"data": {"mesh": "a: 1\nb: 2\n"}}}
    made = found([{"changed": True, "diff": diff}, SAME[0]])
    assert made["after"].startswith("--- ConfigMap istio-system/istio\ndata.mesh:\n  b: 2\n---")


def test_new_objects_are_shown_with_a_line_each() -> None:
    assert found([{"method": "create"}] * 2, phase="none")["after"].splitlines()[:2] == [
        "--- ConfigMap istio-system/istio (new)",
        "--- MutatingWebhookConfiguration istio-sidecar-injector (new)",
    ]
