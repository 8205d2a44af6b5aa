from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

from lab.images import Image, write_archive


def test_archive_layout(tmp_path: Path) -> None:
    program, base = tmp_path / "program", tmp_path / "base.tar"
    program.write_bytes(b"#!")
    with tarfile.open(base, "w") as tar:
        tar.addfile(tarfile.TarInfo("etc/hello"))
    images = (
        Image("lab/static:1", {"usr/bin/program": program}, ("/usr/bin/program", "pause"), user="1337:1337"),
        Image("lab/again:1", {"usr/bin/program": program}),
        Image("lab/large:1", {"usr/bin/program": program}, base=base),
        Image("lab/base:1", base=base),
    )
    write_archive(images, tmp_path / "images.tar")

    with tarfile.open(tmp_path / "images.tar") as archive:
        content = {member.name: _read(archive, member) for member in archive}
    manifest = {entry["RepoTags"][0]: entry for entry in json.loads(content["manifest.json"])}
    assert list(manifest) == [image.name for image in images]

    # Two different layers in four images: each is stored once.
    assert len([name for name in content if name.endswith(".tar")]) == 2
    assert [len(entry["Layers"]) for entry in manifest.values()] == [1, 1, 2, 1]
    assert manifest["lab/large:1"]["Layers"] == manifest["lab/base:1"]["Layers"] + manifest["lab/static:1"]["Layers"]

    for entry in manifest.values():
        config = json.loads(content[entry["Config"]])
        assert hashlib.sha256(content[entry["Config"]]).hexdigest() == entry["Config"].removesuffix(".json")
        digests = [f"sha256:{hashlib.sha256(content[layer]).hexdigest()}" for layer in entry["Layers"]]
        assert config["rootfs"] == {"type": "layers", "diff_ids": digests}
    static = json.loads(content[manifest["lab/static:1"]["Config"]])["config"]
    assert (static["Entrypoint"], static["User"]) == (["/usr/bin/program", "pause"], "1337:1337")

    with tarfile.open(fileobj=io.BytesIO(content[manifest["lab/static:1"]["Layers"][0]])) as layer:
        found = {member.name: (member.mode, member.mtime, member.uid) for member in layer}
    assert found == {"tmp": (0o1777, 0, 0), "usr/bin/program": (0o755, 0, 0)}


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    assert file
    return file.read()
