from __future__ import annotations

from pathlib import Path

import pytest

from lab import cgroups
from lab.machine import unsuitable
from lab.progress import duration


@pytest.mark.parametrize(
    ("system", "processor", "user_id", "has_apt", "reason"),
    [
        ("Linux", "x86_64", 0, True, None),
        ("Linux", "aarch64", 0, True, None),
        ("Linux", "x86_64", 1000, True, "root"),
        ("Linux", "x86_64", 0, False, "apt-get"),
        ("Linux", "riscv64", 0, True, "riscv64"),
        ("Darwin", "arm64", 501, False, "Darwin"),
    ],
)
def test_unsuitable(system: str, processor: str, user_id: int, has_apt: bool, reason: str | None) -> None:
    found = unsuitable(system=system, processor=processor, user_id=user_id, has_apt=has_apt)
    assert found is None if reason is None else reason in str(found)


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        ("cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n", {"/sys/fs/cgroup": False}),
        (
            "tmpfs /sys/fs/cgroup tmpfs rw 0 0\n"
            "cgroup /sys/fs/cgroup/cpuset cgroup rw,relatime,cpuset 0 0\n"
            "cgroup /sys/fs/cgroup/systemd cgroup rw,name=systemd 0 0\n"
            "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n",
            {"/sys/fs/cgroup/cpuset": True, "/sys/fs/cgroup/systemd": False, "/sys/fs/cgroup/unified": False},
        ),
    ],
)
def test_cgroup_hierarchies(mounts: str, expected: dict[str, bool]) -> None:
    found = {root: "cpuset" in options for root, options in cgroups.hierarchies(mounts)}
    assert found == {Path(path): cpuset for path, cpuset in expected.items()}


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0s"), (59.4, "59s"), (59.6, "1m00s"), (130, "2m10s")])
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text
