# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Revision tags: names by which namespaces ask for a revision that can be exchanged.

A tag is a webhook of its own, as the chart's templates/revision-tags-mwc.yaml makes it. It is moved by one change of
that webhook, in which the new istiod's address and its CA come together, so that each pod made meanwhile is answered.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .ownership import INSTALL, MANAGED_BY, OURS, REVISION, ROLE, TAG, listed, mapping, text

_DEFAULT = "default"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?", re.ASCII)
_INJECT, _INJECTION = "sidecar.istio.io/inject", "istio-injection"

Rule = dict[str, Any]


def tag_plan(
    tags: Sequence[str], revision: str, namespace: str, planes: Sequence[Mapping[str, Any]]
) -> tuple[list[str], list[str], list[str]]:
    """The tags to make or to move so that they lead to a revision, a line for each, and what speaks against them."""
    there = {
        tag["name"]: (plane["revision"], plane["namespace"], tag["owner"])
        for plane in planes
        for tag in listed(plane.get("tags"))
    }
    revisions = {plane["revision"] for plane in planes} | {revision}
    todo, lines, problems = [], [], []
    for tag in dict.fromkeys(tags):
        known = there.get(tag)
        if not _NAME.fullmatch(tag):
            problems.append(
                f"istio_install_tags has {tag!r}. Remedy: write tags with lower-case letters, digits and '-'."
            )
        elif tag in revisions:
            problems.append(
                f"istio_install_tags has {tag}, which is a revision's own name. Remedy: choose another name, or remove "
                "that revision first."
            )
        elif known and known[2] != INSTALL:
            problems.append(
                f"The tag {tag} leads to revision {known[0]} and was not made by this role. Remedy: remove it "
                f"(istioctl tag remove {tag}), or leave it out of istio_install_tags."
            )
        elif known is None:
            todo.append(tag)
            lines.append(f"tag {tag} is made and leads to revision {revision}")
        elif known[:2] != (revision, namespace):
            todo.append(tag)
            lines.append(f"tag {tag} moves from revision {known[0]} to {revision}")
    return todo, lines, problems


def tag_objects(
    tags: Sequence[str], revision: str, namespace: str, injector: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The webhook and the Service of each tag. `injector` is the revision's own webhook, as the cluster has it now.

    Its client configuration, with the CA that istiod wrote into it, becomes the tag's. Raises ValueError where it has
    none: a tag without would refuse pods.
    """
    found = [mapping(hook.get("clientConfig")) for hook in listed(injector.get("webhooks"))]
    client = next((dict(item) for item in found if text(item.get("caBundle"))), None)
    if client is None:
        raise ValueError("the revision's injection webhook has no caBundle yet")
    return [item for tag in tags for item in _of_tag(tag, revision, namespace, client)]


def _of_tag(tag: str, revision: str, namespace: str, client: Mapping[str, Any]) -> list[dict[str, Any]]:
    labels = {MANAGED_BY: OURS, ROLE: INSTALL, REVISION: revision, TAG: tag}
    suffix = "" if namespace == "istio-system" else f"-{namespace}"
    ports = [
        {"port": 15010, "name": "grpc-xds", "protocol": "TCP"},
        {"port": 15012, "name": "https-dns", "protocol": "TCP"},
        {"port": 443, "name": "https-webhook", "targetPort": 15017, "protocol": "TCP"},
        {"port": 15014, "name": "http-monitoring", "protocol": "TCP"},
    ]
    return [
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {
                "name": f"istio-revision-tag-{tag}{suffix}",
                "labels": {**labels, "app": "sidecar-injector"},
            },
            "webhooks": [_webhook(name, client, spaces, pods) for name, spaces, pods in _selectors(tag)],
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": f"istiod-revision-tag-{tag}",
                "namespace": namespace,
                "labels": {**labels, "app": "istiod", "istio": "pilot"},
            },
            "spec": {"ports": ports, "selector": {"app": "istiod", REVISION: revision}},
        },
    ]


def _selectors(tag: str) -> list[tuple[str, list[Rule], list[Rule]]]:
    """Name, namespaceSelector and objectSelector of each entry."""
    unlabelled = [_absent(REVISION), _absent(_INJECTION)]
    entries = [
        ("rev.namespace.", [_in(REVISION, tag), _absent(_INJECTION)], [_not_in(_INJECT, "false")]),
        ("rev.object.", unlabelled, [_not_in(_INJECT, "false"), _in(REVISION, tag)]),
    ]
    if tag == _DEFAULT:
        entries += [
            ("namespace.", [_in(_INJECTION, "enabled")], [_not_in(_INJECT, "false")]),
            ("object.", unlabelled, [_in(_INJECT, "true"), _absent(REVISION)]),
        ]
    return entries


def _webhook(name: str, client: Mapping[str, Any], spaces: list[Rule], pods: list[Rule]) -> dict[str, Any]:
    return {
        "name": f"{name}sidecar-injector.istio.io",
        "clientConfig": dict(client),
        "sideEffects": "None",
        "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}],
        "failurePolicy": "Fail",
        "reinvocationPolicy": "Never",
        "admissionReviewVersions": ["v1"],
        "namespaceSelector": {"matchExpressions": spaces},
        "objectSelector": {"matchExpressions": pods},
    }


def _in(key: str, value: str) -> Rule:
    return {"key": key, "operator": "In", "values": [value]}


def _not_in(key: str, value: str) -> Rule:
    return {"key": key, "operator": "NotIn", "values": [value]}


def _absent(key: str) -> Rule:
    return {"key": key, "operator": "DoesNotExist"}
