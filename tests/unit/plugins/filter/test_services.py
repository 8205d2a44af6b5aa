# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters of the role istio_services, with the values that templates make."""

from __future__ import annotations

import json

import pytest
import yaml
from ansible_collections.meshproof.mtls.plugins.filter.refusals import refusals_filter
from ansible_collections.meshproof.mtls.plugins.filter.services_plan import services_plan
from ansible_collections.meshproof.mtls.plugins.filter.services_progress import services_progress
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._intent.services.situation import (
    given,
    made,
    observed,
)


class Text(str):
    """Text as ansible-core marks it, which YAML cannot write."""


def test_a_list_alone_is_looked_at_without_a_cluster():
    found = services_plan(given({"name": Text("cart")}))
    assert (found["problems"], found["diff"]) == ([], [])
    assert {item["namespace"] for item in found["reads"] if "namespace" in item} == {"demo"}


def test_the_diff_of_something_new_is_its_manifest():
    found = services_plan(given({"name": Text("cart")}), observed())
    shown = "\n".join(line[1:] for line in found["diff"] if line.startswith("+") and not line.startswith("+++"))
    first = shown.partition("apiVersion: apps/v1")[0]
    assert yaml.safe_load(first) == found["objects"][0]
    assert "&id" not in shown
    json.dumps(found)


def test_the_diff_of_something_changed_has_only_what_changes():
    there = made({"name": "cart"})
    found = services_plan(given({"name": "cart", "replicas": 0}), observed(*there))
    signs = [line for line in found["diff"] if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    assert signs == ["-  replicas: 1", "+  replicas: 0"]
    assert services_plan(given({"name": "cart"}), observed(*there))["diff"] == []


@pytest.mark.parametrize(("seconds", "given_up"), [("5", False), ("60", True)], ids=["time is left", "time is over"])
def test_the_progress_takes_numbers_as_templates_write_them(seconds, given_up):
    found = services_plan(given({"name": "cart"}), observed())
    there = services_progress(found["objects"], found["watch"], seconds=seconds, limit="60")
    assert (there["done"], there["given_up"]) == (False, given_up)
    assert there["line"].startswith(f"0 of 1 services run after {seconds} s (at most 60 s); waiting for demo/cart")


def test_what_was_refused_is_said():
    returned = {"changed": Text("x"), "result": {}, "error": {"msg": Text("no")}}
    [sentence] = refusals_filter(returned, [{"kind": "Service", "metadata": {"name": "cart", "namespace": "demo"}}])
    assert sentence.startswith("The cluster refused Service demo/cart: no. Remedy: ")
