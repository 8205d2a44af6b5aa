# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a guard around the reading of foreign data catches."""

from __future__ import annotations

from typing import Tuple, Type

NOT_UNDERSTOOD: Tuple[Type[Exception], ...] = (Exception,)
"""Every error, for whoever writes the data chooses it: RecursionError and MemoryError by its size, OverflowError by its
numbers, and libraries have errors of their own (cryptography's share no other parent). A guard makes one item unknown
with its reason; so an error of ours that it hides is never a better answer. What ends the process (KeyboardInterrupt,
SystemExit) is none of them.
"""
