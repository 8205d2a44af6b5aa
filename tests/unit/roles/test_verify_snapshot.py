# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook verify over the example of a pull request: a verdict from a folder, with no cluster anywhere."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

from ansible_collections.meshproof.mtls.tests.unit.roles.test_argument_specs import ROLES

ROOT = ROLES[0].resolve().parents[1]


def test_a_pull_request_is_judged_and_every_file_says_that_no_cluster_was(tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("K8S_AUTH_", "KUBE"))}
    mesh = tmp_path / "mesh"
    mesh.symlink_to(ROOT / "examples" / "pull-request" / "mesh")
    given = {
        "istio_verify_snapshot": "mesh",  # relative: to where it is started
        "istio_verify_snapshot_complete": True,
        "istio_verify_report_dir": "report",
        "istio_verify_sources": ["declared", "programmed"],
        "istio_verify_cluster": {"kubeconfig": str(tmp_path / "no-kubeconfig")},
    }
    ended = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), "meshproof.mtls.verify", "-e", json.dumps(given)],
        cwd=tmp_path,
        env={
            **environment,
            "HOME": str(tmp_path),
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_HOME": str(tmp_path / "ansible"),
        },
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    said = ended.stdout
    assert ended.returncode == 0, said
    age = f"dump {mesh}, said to have all that there is, of unknown age"
    assert "VERDICT     PASS" in said
    assert age in said
    assert "programmed  not asked  a file is judged instead of a cluster" in said

    report = tmp_path / "report"
    assert age in (report / "report.html").read_text(encoding="utf-8")
    assert age in (report / "junit.xml").read_text(encoding="utf-8")
    verdict = json.loads((report / "verify.json").read_text(encoding="utf-8"))
    audit = json.loads(gzip.decompress((report / "audit.json.gz").read_bytes()))
    assert verdict["judgement"]["evidence"]["snapshot"] == audit["snapshot"]
    assert audit["snapshot"]["path"] == str(mesh)
    assert audit["seen"]["programmed"]["state"] == "not asked"
