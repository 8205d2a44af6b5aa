"""Make the collections importable in .ansible/collections: kubernetes.core, and this repository as meshproof.mtls.

kubernetes.core comes out of the pinned ``ansible`` wheel, so that a machine without Galaxy can develop and test.
Users of the built collection get it from Galaxy, by the dependency in galaxy.yml.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TREE = ROOT / ".ansible" / "collections" / "ansible_collections"
PINS = ROOT / "requirements" / "collections.txt"
WANTED = ("kubernetes/core",)


def download(into: Path) -> Path:
    """Download the pinned wheel; it needs a newer Python than ours, but we only unpack it."""
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:",
        "--python-version", "3.13", "--require-hashes", "-r", str(PINS), "-d", str(into),
    ]  # fmt: skip
    subprocess.run(command, check=True)
    return next(into.glob("ansible-*.whl"))


def unpack(wheel: Path) -> None:
    """Unpack the wanted collections into a folder beside the final one, then swap: never a half-unpacked collection."""
    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory(dir=TREE) as temporary:
        for name in WANTED:
            prefix = f"ansible_collections/{name}/"
            archive.extractall(temporary, [member for member in archive.namelist() if member.startswith(prefix)])
            target = TREE / name
            target.parent.mkdir(exist_ok=True)
            shutil.rmtree(target, ignore_errors=True)
            (Path(temporary) / prefix).rename(target)


def link_ourselves() -> None:
    """Point ansible_collections/meshproof/mtls at the repository."""
    link = TREE / "meshproof" / "mtls"
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(ROOT, target_is_directory=True)


def main() -> None:
    """Fetch and link; safe to repeat."""
    TREE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        unpack(download(Path(temporary)))
    link_ourselves()


if __name__ == "__main__":
    main()
