# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter: the engine's answers, and clear errors instead of tracebacks."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.meshproof.mtls.plugins.filter import evaluate as plugin
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    deployment,
    judge,
    mesh_config,
    namespace,
    peer,
    pod,
    service,
)
from jinja2 import StrictUndefined

evaluate = plugin.FilterModule().filters()["evaluate"]
MANIFESTS = [pod("shop/a"), peer("shop/n", "STRICT", age=3)]
HOLDS_ITSELF: dict[str, Any] = {"mtls": {"mode": "STRICT"}}
HOLDS_ITSELF["mtls"]["itself"] = HOLDS_ITSELF


def test_it_is_the_engine():
    assert evaluate([pod("shop/a"), peer("shop/n", "STRICT")]) == judge(pod("shop/a"), peer("shop/n", "STRICT"))


def test_it_takes_a_generator():
    assert evaluate(item for item in [pod("shop/a")]) == judge(pod("shop/a"))


@pytest.mark.parametrize(
    "given",
    [
        {"kind": "List", "apiVersion": "v1", "items": MANIFESTS},
        [{"kind": "List", "apiVersion": "v1", "items": MANIFESTS}],
        json.dumps({"kind": "List", "apiVersion": "v1", "items": MANIFESTS}),
        yaml.safe_dump_all(MANIFESTS),
        [yaml.safe_dump(MANIFESTS[0]), MANIFESTS[1]],
        list(
            yaml.safe_load_all(yaml.safe_dump_all(MANIFESTS).replace("'2026-01-01T00:00:03Z'", "2026-01-01T00:00:03Z"))
        ),
    ],
)
def test_it_takes_text_and_lists(given):
    assert evaluate(given) == judge(MANIFESTS)


def test_dates_of_yaml_are_text():
    text = yaml.safe_dump(pod("shop/a", labels={"built": "2024-01-01"})).replace("'2024-01-01'", "2024-01-01")
    parsed = yaml.safe_load(text)
    assert not isinstance(parsed["metadata"]["labels"]["built"], str)
    assert evaluate([parsed])["workloads"][0]["mode"] == "PERMISSIVE"


@pytest.mark.parametrize(
    "spec",
    [{("a", "b"): 1}, HOLDS_ITSELF, {"mtls": {"mode": StrictUndefined("mode")}}],
    ids=["a key of two", "itself inside", "an undefined variable"],
)
def test_one_odd_manifest_is_unread_and_ends_nothing(spec):
    odd = {**peer("shop/odd", "STRICT"), "spec": spec}
    result = evaluate([pod("shop/a"), odd])
    assert result["workloads"][0]["mode"] == "unknown"
    assert {item["kind"] for item in result["unknown"]} & {"PeerAuthentication", ""}


def test_proposed_and_unread():
    result = evaluate(
        [pod("shop/a")],
        proposed=[{"op": "apply", "manifest": peer("shop/n", "STRICT")}],
        unread=[{"kind": "Sidecar", "namespace": "shop", "reason": "forbidden"}],
    )
    assert result["changes"][0]["after"]["mode"] == "STRICT"
    assert {row["kind"] for row in result["unknown"]} == {"ConfigMap", "Sidecar"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("kind: Pod",), "its input, document 1, line 1 is no manifest: it lacks kind and apiVersion. Remedy: "),
        ((["a: b\n---\na: ["],), "item 0 of its input, document 1, line 1 is no manifest"),
        (([{}, "# x\na: ["],), "item 1 of its input, document 1, line 3 is not YAML: did not find"),
        (("",), "its input holds no document"),
        ((None,), "its input must be manifests or text, not NoneType"),
        ((b"kind: Pod",), "its input must be manifests or text, not bytes"),
        (([3],), "item 0 of its input must be a manifest or text, not int"),
        (([], "x"), "proposed must be a list of dictionaries, not str"),
        (([], [{"op": "apply", "manifest": HOLDS_ITSELF}]), "item 0 of proposed contains itself"),
        (([], [{"op": "apply"}]), r"proposed\[0\].manifest must be a manifest with kind and metadata.name"),
        (([], [], 3), "unread must be a list of dictionaries, not int"),
    ],
)
def test_errors_name_the_place(arguments, message):
    with pytest.raises(AnsibleFilterError, match=f"meshproof.mtls.evaluate: {message}"):
        evaluate(*arguments)


DEMO = [
    mesh_config(),
    namespace("demo", istio_injection="enabled"),
    deployment("demo/a"),
    service("demo/a"),
    peer("demo/default", "PERMISSIVE"),
]
STRANGER = pod("other/b", "none")


@pytest.fixture
def run(tmp_path):
    """Runs the tasks of the documentation as a user would, beside two files of manifests."""
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests/demo.yml").write_text(yaml.safe_dump_all(DEMO))
    (tmp_path / "manifests/other.yml").write_text(yaml.safe_dump(STRANGER))
    play = {"hosts": "localhost", "gather_facts": False, "tasks": yaml.safe_load(plugin.EXAMPLES)}
    play["tasks"][-1]["ignore_errors"] = True
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    collections = Path(plugin.__file__).parents[5]
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(collections),
        "ANSIBLE_HOME": str(tmp_path / "home"),
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_LOCALHOST_WARNING": "0",
    }
    return subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "-c", "local", str(tmp_path / "play.yml")],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def test_the_examples_run(run):
    assert run.returncode == 0, run.stdout + run.stderr
    assert '"demo/Deployment/a": "PERMISSIVE"' in run.stdout
    assert '"other/Deployment/b": null' in run.stdout
    assert '"plaintext": "refused"' in run.stdout
    assert re.search("DestinationRule.* of namespace istio-system were not read", run.stdout)


def test_the_documentation_is_yaml():
    documentation = yaml.safe_load(plugin.DOCUMENTATION)
    assert set(documentation["options"]) == {"_input", "proposed", "unread"}
    assert [task["name"] for task in yaml.safe_load(plugin.EXAMPLES)]
    assert "_value" in yaml.safe_load(plugin.RETURN)
