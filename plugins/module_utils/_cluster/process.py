# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which process of which machine made something, so that another one on the same machine can tell that it died."""

from __future__ import annotations

import os

_BOOT = "/proc/sys/kernel/random/boot_id"


def own_process() -> str:
    """This process, named so that no other one ever has the same name; empty where the system does not tell."""
    try:
        return f"{_machine()}/{os.getpid()}/{_started(os.getpid())}"
    except OSError:  # not Linux
        return ""


def has_died(process: str) -> bool:
    """Whether a process of this machine has ended. Of another machine's process nothing can be told: False."""
    parts = process.rsplit("/", 2)
    if len(parts) != 3:
        return False
    machine, pid, started = parts
    try:
        if machine != _machine():
            return False
    except OSError:
        return False
    try:
        return _started(int(pid)) != started
    except (OSError, ValueError):
        return True


def _machine() -> str:
    """The running kernel and the process numbering (containers have their own)."""
    with open(_BOOT, encoding="ascii") as file:
        return f"{file.read().strip()}/{os.readlink('/proc/self/ns/pid')}"


def _started(pid: int) -> str:
    """When the process started, in clock ticks; the field after its name, which may hold anything."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        return file.read().rpartition(")")[2].split()[19]
