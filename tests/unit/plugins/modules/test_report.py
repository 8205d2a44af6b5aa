# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What report writes, when it says that it changed something, and what it refuses."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import stat

import pytest
import yaml
from ansible_collections.meshproof.mtls.plugins.module_utils._report import documents
from ansible_collections.meshproof.mtls.plugins.modules import report
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._report.html import audits

testing = pytest.importorskip("ansible.module_utils.testing")
NAMES = {"html": "r.html", "json": "r.json", "junit": "r.xml"}


def test_every_format_is_tried_here():
    assert list(NAMES) == list(documents.FORMATS), "Remedy: give each format of documents.DRAWN a file in NAMES"


def test_every_format_is_documented():
    options = yaml.safe_load(report.DOCUMENTATION)["options"]
    missing = [name for name in documents.FORMATS if options.get(name, {}).get("type") != "path"]
    assert missing == [], "Remedy: document them as options of type path in plugins/modules/report.py"


@pytest.fixture
def src(tmp_path):
    path = tmp_path / "audit.json"
    path.write_text(json.dumps(audits.two()))
    return path


def run(capsys, src, **options):
    """Run the module; what it returns."""
    with testing.patch_module_args({"src": str(src), **options}), pytest.raises(SystemExit):
        report.main()
    return json.loads(capsys.readouterr().out)


def everything(tmp_path, **options):
    """A file of each format."""
    return {**{name: str(tmp_path / file) for name, file in NAMES.items()}, **options}


def test_it_writes_each_file_once(capsys, src, tmp_path):
    first = run(capsys, src, **everything(tmp_path))
    assert first["changed"] is True
    assert first["written"] == [str(tmp_path / name) for name in NAMES.values()]
    assert first["headline"]["tone"] == "good"
    assert first["sha256"] == hashlib.sha256(src.read_bytes()).hexdigest()
    assert first["sha256"] in (tmp_path / "r.html").read_text()
    assert json.loads((tmp_path / "r.json").read_text()) == audits.two()
    assert (tmp_path / "r.xml").read_text().startswith("<?xml")
    before = {name: (tmp_path / name).stat().st_mtime_ns for name in NAMES.values()}
    second = run(capsys, src, **everything(tmp_path))
    assert (second["changed"], second["written"]) == (False, [])
    assert {name: (tmp_path / name).stat().st_mtime_ns for name in NAMES.values()} == before


def test_only_the_owner_reads_a_file_unless_a_mode_is_given(capsys, src, tmp_path):
    run(capsys, src, html=str(tmp_path / "r.html"))
    assert stat.S_IMODE((tmp_path / "r.html").stat().st_mode) == 0o600
    os.chmod(tmp_path / "r.html", 0o644)
    assert run(capsys, src, html=str(tmp_path / "r.html"), title="another")["changed"] is True
    assert stat.S_IMODE((tmp_path / "r.html").stat().st_mode) == 0o600
    again = run(capsys, src, html=str(tmp_path / "r.html"), title="another", mode="0640")
    assert (again["changed"], again["written"]) == (True, [])
    assert stat.S_IMODE((tmp_path / "r.html").stat().st_mode) == 0o640


def test_check_mode_writes_nothing_and_diff_shows_counts(capsys, src, tmp_path):
    result = run(capsys, src, **everything(tmp_path), _ansible_check_mode=True, _ansible_diff=True)
    assert result["changed"] is True
    assert sorted(path.name for path in tmp_path.iterdir()) == ["audit.json"]
    assert [part["before"] for part in result["diff"]] == [""] * len(NAMES)
    assert {
        part["after_header"].rpartition("/")[2]: part["after"].splitlines()[0] for part in result["diff"]
    }.items() >= {
        ("r.html", "workloads: 2 STRICT, 2 none"),
        ("r.json", "workloads: 2 STRICT, 2 none"),
        ("r.xml", "tests: 15"),
    }
    assert all(part["after"] for part in result["diff"]), "Remedy: Format.counts finds no counts in what draw wrote"
    run(capsys, src, **everything(tmp_path))
    after = run(capsys, src, **everything(tmp_path), _ansible_check_mode=True, _ansible_diff=True)
    assert (after["changed"], after["diff"]) == (False, [])


def test_a_packed_audit_makes_the_same_json(capsys, src, tmp_path):
    packed = tmp_path / "audit.json.gz"
    packed.write_bytes(gzip.compress(src.read_bytes()))
    run(capsys, packed, json=str(tmp_path / "packed.json"))
    run(capsys, src, json=str(tmp_path / "plain.json"))
    assert (tmp_path / "packed.json").read_bytes() == (tmp_path / "plain.json").read_bytes()


def test_half_a_character_is_no_text_of_an_audit(capsys, src, tmp_path):
    src.write_text(json.dumps({**audits.two(), "cluster": {"server": "\ud800"}}))
    result = run(capsys, src, **everything(tmp_path))
    assert "holds half a character" in result["msg"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["audit.json"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, f"one of the following is required: {', '.join(NAMES)}"),
        ({"html": "{tmp}/nowhere/r.html"}, "The option html cannot be used. There is no folder"),
        ({"junit": "{tmp}"}, "The option junit cannot be used. dest {tmp} is a folder"),
        ({"html": "{tmp}/same", "json": "{tmp}/same"}, "name the same file"),
        ({"json": "{tmp}/x/../audit.json"}, "name the same file"),
        ({"html": "{tmp}/r.html", "rows": 0}, "The option rows is less than 1"),
        ({"html": "{tmp}/r.html", "src": "{tmp}/gone.json"}, "gone.json cannot be read: No such file or directory"),
        ({"html": "{tmp}/r.html", "src": "{tmp}"}, "cannot be read: Is a directory"),
        ({"html": "{tmp}/r.html", "src": "{tmp}/other.json"}, "is no audit"),
    ],
)
def test_what_cannot_be_done_is_said_with_a_remedy(capsys, src, tmp_path, options, words):
    (tmp_path / "other.json").write_text("{}")
    filled = {
        name: value.replace("{tmp}", str(tmp_path)) if isinstance(value, str) else value
        for name, value in options.items()
    }
    result = run(capsys, filled.pop("src", src), **filled)
    assert result["failed"] is True
    assert words.replace("{tmp}", str(tmp_path)) in result["msg"]
    assert "Remedy" in result["msg"] or not options
    assert sorted(path.name for path in tmp_path.iterdir()) == ["audit.json", "other.json"]
