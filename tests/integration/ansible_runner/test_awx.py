"""site and verify as AWX runs them, with the rights of the accounts of docs/rights.md."""

from __future__ import annotations

import json

from kubernetes import client

from tests.integration.ansible_runner.controller import (
    AUDITOR,
    INSTALLER,
    NAMESPACE,
    READER,
    Controller,
    Job,
    succeeded,
)


def test_site_hands_on_its_verdict(site: Job) -> None:
    assert site.artifacts["mtls_verify"]["verdict"] == "pass"


def test_a_second_site_changes_nothing(site: Job, controller: Controller) -> None:
    assert succeeded(controller.run("site", INSTALLER), controller).changed == 0


def test_the_reader_has_what_a_verification_needs(site: Job, controller: Controller) -> None:
    job = succeeded(controller.run("preflight", READER, mtls_preflight_job="verify"), controller)
    assert job.artifacts["mtls_preflight"]["missing"] == []


def test_verify_with_get_and_list_only(site: Job, controller: Controller) -> None:
    job = succeeded(controller.run("verify", READER), controller)
    assert (job.artifacts["mtls_verify"]["verdict"], job.changed) == ("pass", 0)


EVIDENCE = {
    "istio_verify_sources": ["declared", "programmed", "observed"],
    "istio_verify_require": "observed",
    "istio_verify_probe_namespace": NAMESPACE,
    "istio_verify_publish": {"config_map": {"namespace": NAMESPACE, "name": "nightly"}},
}
"""The job `mTLS: evidence` of the example."""


def test_the_auditor_proves_and_publishes(site: Job, controller: Controller, api: client.ApiClient) -> None:
    ready = succeeded(controller.run("preflight", AUDITOR, **EVIDENCE), controller)
    assert ready.artifacts["mtls_preflight"]["missing"] == []
    job = succeeded(controller.run("verify", AUDITOR, **EVIDENCE), controller)
    verdict = json.loads(client.CoreV1Api(api).read_namespaced_config_map("nightly", NAMESPACE).data["verify.json"])
    assert (job.artifacts["mtls_verify"]["verdict"], verdict["verdict"]) == ("pass", "pass")
    states = {name: seen["state"] for name, seen in verdict["evidence"]["seen"].items()}
    assert (states["programmed"], states["observed"]) == ("seen", "seen"), verdict["evidence"]


def test_preflight_names_what_the_reader_lacks_for_it(site: Job, controller: Controller) -> None:
    job = controller.run("preflight", READER, **EVIDENCE)
    assert job.status != 0
    lacking = [text.split(":")[0] for text in job.artifacts["mtls_preflight"]["missing"]]
    assert lacking == [
        "Rights meshproof-inspector",
        f"Rights meshproof-prober in namespace {NAMESPACE}",
        f"Rights meshproof-publisher in namespace {NAMESPACE}",
    ]


def test_the_reader_cannot_do_what_site_needs(site: Job, controller: Controller) -> None:
    job = controller.run("preflight", READER, mtls_preflight_job="site")
    assert job.status != 0
    missing = job.artifacts["mtls_preflight"]["missing"]
    assert [text for text in missing if text.startswith("Rights meshproof-installer")]
