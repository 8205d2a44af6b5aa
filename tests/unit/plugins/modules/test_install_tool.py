# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tool is run only when it was verified: found, kept or fetched."""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import json
import os
import tarfile
import threading

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._intent import tools
from ansible_collections.meshproof.mtls.plugins.modules import install_tool

testing = pytest.importorskip("ansible.module_utils.testing")


def script(said="v3.22.0+g1", ran=None):
    """A Helm that says something, and leaves a file when it is run."""
    return f"#!/bin/sh\n{f'touch {ran}' if ran else ':'}\necho '{said}'\n"


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    path.chmod(0o755)
    return path


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


class Place:
    """A mirror on this machine, a folder that keeps tools, and a run's own."""

    def __init__(self, tmp_path, capsys, monkeypatch):
        self.capsys, self.tmp_path = capsys, tmp_path
        self.mirror, self.bin, self.path = (tmp_path / name for name in ("mirror", "bin", "path"))
        for folder in (self.mirror, self.path, tmp_path / "run"):
            folder.mkdir()
        self.ran = tmp_path / "ran"
        platform = tools.Platform("linux", "amd64")
        self.archive = self.mirror / tools.Tool("helm", "3.22.0").url("", platform).lstrip("/")
        monkeypatch.setattr(tools, "platform_of", lambda system, machine: platform)
        monkeypatch.setenv("PATH", f"{self.path}{os.pathsep}/usr/bin{os.pathsep}/bin")
        handler = functools.partial(Quiet, directory=str(self.mirror))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def release(self, content=None, member="linux-amd64/helm"):
        data = (content or script(ran=self.ran)).encode()
        with tarfile.open(self.archive, "w:gz") as archive:
            found = tarfile.TarInfo(member)
            found.size, found.mode = len(data), 0o755
            archive.addfile(found, io.BytesIO(data))
        self.sum = hashlib.sha256(self.archive.read_bytes()).hexdigest()
        self.publish(self.sum)

    def publish(self, text):
        (self.mirror / f"{self.archive.name}.sha256sum").write_text(f"{text}  {self.archive.name}\n")

    def run(self, **options):
        given = {
            "name": "helm",
            "version": "3.22.0",
            "mirror": f"http://127.0.0.1:{self.server.server_port}",
            "bin_dir": str(self.bin),
            "folder": str(self.tmp_path / "run"),
            **options,
        }
        with testing.patch_module_args(given), pytest.raises(SystemExit):
            install_tool.main()
        return json.loads(self.capsys.readouterr().out)


@pytest.fixture
def place(tmp_path, capsys, monkeypatch):
    found = Place(tmp_path, capsys, monkeypatch)
    yield found
    found.server.shutdown()
    found.server.server_close()


def test_what_is_fetched_is_kept_and_found_again(place):
    place.release()
    first = place.run()
    assert (first["changed"], first["path"]) == (True, str(place.bin / "helm-3.22.0"))
    assert os.readlink(place.bin / "helm") == "helm-3.22.0"
    place.archive.unlink()
    assert place.run()["changed"] is False


@pytest.mark.parametrize("spoil", ["the kept file", "its checksum", "its folder"])
def test_a_kept_tool_that_somebody_touched_is_not_run(place, spoil):
    place.release()
    place.run()
    place.ran.unlink()
    place.archive.unlink()
    if spoil == "the kept file":
        with open(place.bin / "helm-3.22.0", "a") as file:
            file.write("# more\n")
    elif spoil == "its checksum":
        (place.bin / "helm-3.22.0.sha256").unlink()
    else:
        place.bin.chmod(0o777)
    assert place.run()["failed"] is True
    assert not place.ran.exists()


@pytest.mark.parametrize("given", [True, False], ids=["given", "published"])
def test_a_download_with_another_checksum_is_not_run(place, given):
    place.release()
    place.publish("0" * 64)
    said = place.run(checksum="0" * 64 if given else "")
    assert "its checksum is" in said["msg"]
    assert "istio_install_helm_checksum" in said["msg"]
    assert not place.ran.exists()
    assert not place.bin.exists()


def test_a_given_checksum_needs_no_published_one(place):
    place.release()
    (place.mirror / f"{place.archive.name}.sha256sum").unlink()
    assert place.run(checksum=place.sum)["changed"] is True


@pytest.mark.parametrize("published", ["<html>", ""], ids=["a page", "nothing"])
def test_a_published_checksum_that_is_none_stops_it(place, published):
    place.release()
    place.publish(published)
    assert place.run()["failed"] is True
    assert not place.ran.exists()


def test_plain_http_from_elsewhere_needs_a_given_checksum(place):
    place.release()
    said = place.run(mirror="http://mirror.test")
    assert "without TLS" in said["msg"]


def test_check_mode_keeps_nothing(place):
    place.release()
    said = place.run(_ansible_check_mode=True)
    assert said["path"] == str(place.tmp_path / "run" / "helm")
    assert not place.bin.exists()


def test_check_mode_runs_nothing_unverified(place):
    place.release()
    place.publish("0" * 64)
    assert place.run(_ansible_check_mode=True)["failed"] is True
    assert not place.ran.exists()


@pytest.mark.parametrize(
    ("said", "mode", "taken"),
    [("v3.22.0", 0o755, True), ("v3.22.0", 0o777, False), ("v4.0.0", 0o755, False)],
    ids=["one that fits", "one that others may write", "one that does not fit"],
)
def test_one_on_path(place, said, mode, taken):
    own = put(place.path / "helm", script(said))
    own.chmod(mode)
    place.release()
    assert (place.run()["path"] == str(own)) is taken


def test_one_in_a_folder_that_others_may_write_is_passed_over(place):
    put(place.path / "helm", script(ran=place.tmp_path / "foreign"))
    place.path.chmod(0o777)
    place.release()
    place.run()
    assert not (place.tmp_path / "foreign").exists()


def test_a_named_tool_has_to_fit(place):
    own = put(place.tmp_path / "mine" / "helm", script("v3.9.0"))
    said = place.run(given=str(own))
    assert "3.17 or newer" in said["msg"]
    assert "v3.9.0" in said["msg"]


def test_a_named_archive(place):
    place.release()
    assert place.run(given=str(place.archive), mirror="http://mirror.test")["path"] == str(place.bin / "helm-3.22.0")


@pytest.mark.parametrize("member", ["../helm", "linux-amd64/other"])
def test_an_archive_without_the_tool(place, member):
    place.release(member=member)
    assert "no helm in the archive" in place.run()["msg"]


def test_a_file_that_is_no_archive(place):
    place.archive.write_text("nothing")
    place.publish(hashlib.sha256(b"nothing").hexdigest())
    said = place.run()
    assert said["failed"] is True
    assert "could not be had" in said["msg"]


def test_a_login_of_a_mirror_is_never_shown(place):
    said = place.run(mirror="http://me:pass4711word@mirror.test")
    assert "pass4711word" not in json.dumps(said)
