from __future__ import annotations

from pathlib import Path

import pytest

from lab import cache, golang
from lab.cache import Artifact, digest


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["a", "b"], ["ab"]),
        (["a", "b"], ["b", "a"]),
        (["a", ""], ["a"]),
        ([b"\0"], [""]),
    ],
)
def test_digest_tells_inputs_apart(one: list[str | bytes], other: list[str | bytes]) -> None:
    assert digest(one) != digest(other)


def test_digest_is_stable() -> None:
    assert digest(["a", b"b"]) == digest([b"a", "b"]) == "3c9d591045bc"


def test_an_interrupted_build_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    attempts = []

    def build(folder: Path) -> None:
        attempts.append(sorted(path.name for path in folder.iterdir()))
        (folder / "half").touch()
        if len(attempts) == 1:
            raise KeyboardInterrupt

    artifact = Artifact("thing", "1", ("input",), build)
    with pytest.raises(KeyboardInterrupt):
        artifact.ensure()
    assert not artifact.path.exists()
    assert [artifact.ensure(), artifact.ensure()] == ["built", "from the cache"]
    assert attempts == [[], []]
    assert artifact.path == cache.root() / f"thing-1-{digest(['input'])}"


@pytest.mark.parametrize("build", golang.ALL, ids=lambda build: build.name)
def test_every_go_build_has_its_pinned_module(build: golang.GoBuild) -> None:
    module = Path(golang.__file__).parent / "go" / build.name
    assert (module / "go.sum").exists()
    pinned = (module / "go.mod").read_text()
    assert all("/".join(package.split("/")[:2]) in pinned for package in build.packages)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("go version go1.26.8 linux/amd64", (1, 26)),
        ("go version go1.27rc1 linux/arm64", (1, 27)),
        ("go version devel go1.28-abc linux/amd64", (1, 28)),
        ("", (0, 0)),
        ("no such file", (0, 0)),
    ],
)
def test_go_versions(text: str, version: tuple[int, int]) -> None:
    assert golang.parse_version(text) == version
