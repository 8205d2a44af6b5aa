# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the connection is written for other tools, and who can read it."""

from __future__ import annotations

import json
import os
import stat
import tempfile
import time

import pytest
from ansible_collections.meshproof.mtls.plugins.modules import private_kubeconfig

testing = pytest.importorskip("ansible.module_utils.testing")
ENOUGH = {"host": "https://e.test", "api_key": "key-of-the-account"}


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    """Run the module; what it returns."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in [name for name in os.environ if name.startswith(("K8S_AUTH_", "KUBE"))]:
        monkeypatch.delenv(name)

    def go(**options):
        with testing.patch_module_args(options), pytest.raises(SystemExit):
            private_kubeconfig.main()
        return json.loads(capsys.readouterr().out)

    return go


def test_only_this_account_reads_it(run):
    made = run(**ENOUGH)
    assert made["changed"] is False
    assert stat.S_IMODE(os.stat(made["path"]).st_mode) == 0o700
    assert stat.S_IMODE(os.stat(made["kubeconfig"]).st_mode) == 0o600
    with open(made["kubeconfig"]) as file:
        assert json.load(file)["users"][0]["user"] == {"token": "key-of-the-account"}


def test_check_mode_makes_it_too(run):
    assert os.path.isfile(run(**ENOUGH, _ansible_check_mode=True)["kubeconfig"])


@pytest.mark.parametrize(("mode", "taken"), [(0o700, True), (0o755, False), (None, False)])
def test_it_lies_in_a_named_folder_only_where_that_is_private(run, tmp_path, mode, taken):
    parent = tmp_path / "parent"
    if mode is not None:
        parent.mkdir()
        parent.chmod(mode)
    assert (os.path.dirname(run(**ENOUGH, parent=str(parent))["path"]) == str(parent)) is taken


def test_what_a_killed_run_left_is_removed_when_it_is_old(run, tmp_path):
    for name, age in (("old", 3 * 3600), ("young", 60)):
        folder = tmp_path / f"{private_kubeconfig.PREFIX}{name}"
        folder.mkdir(mode=0o700)
        os.utime(folder, (time.time() - age,) * 2)
    run(**ENOUGH)
    left = [name for name in os.listdir(tmp_path) if name.endswith(("old", "young"))]
    assert left == [f"{private_kubeconfig.PREFIX}young"]


def test_paths_of_a_file_are_its_own_folders(run, tmp_path):
    path = tmp_path / "config"
    path.write_text(
        json.dumps(
            {
                "current-context": "a",
                "contexts": [{"name": "a", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [{"name": "c", "cluster": {"server": "https://c.test", "certificate-authority": "ca.pem"}}],
                "users": [{"name": "u", "user": {}}],
            }
        )
    )
    with open(run(kubeconfig=str(path))["kubeconfig"]) as file:
        assert json.load(file)["clusters"][0]["cluster"]["certificate-authority"] == str(tmp_path / "ca.pem")


def test_without_any_connection_it_says_how_to_give_one(run, tmp_path):
    said = run(kubeconfig=str(tmp_path / "missing"))
    assert said["failed"] is True
    assert "Remedy" in said["msg"]


def test_a_context_without_a_server(run):
    said = run(kubeconfig={"current-context": "a", "contexts": [{"name": "a", "context": {"cluster": "gone"}}]})
    assert "no cluster with a server" in said["msg"]
