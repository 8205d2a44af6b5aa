# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge of a module: whatever was not foreseen ends it with one message, and with no traceback."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .._foreign.urls import shown_in
from .._foreign.visible import visible

_ISSUES = "https://github.com/meshproof/meshproof.mtls/issues"
_WITH_TRACEBACK = 3
_LONGEST = 400


@contextmanager
def reported(module: Any, doing: str) -> Iterator[None]:
    """Around all that an AnsibleModule does, which `doing` says: "reading and judging the mesh".

    Errors that were foreseen have messages of their own and never come here. The traceback is for whoever mends the
    fault: it is returned with -vvv only. What no_log hides, fail_json takes out of it.
    """
    try:
        yield
    except Exception as error:  # pylint: disable=broad-exception-caught  # nobody can name what was not foreseen
        beside = {"exception": traceback.format_exc()} if module._verbosity >= _WITH_TRACEBACK else {}
        module.fail_json(msg=_message(doing, error), **beside)


def _message(doing: str, error: Exception) -> str:
    if isinstance(error, MemoryError):
        return (
            f"The memory did not suffice for {doing}. Remedy: run it where there is more, or limit what is read "
            "(read_namespaces)."
        )
    why = visible(shown_in(error), _LONGEST) or "without a text"
    return (
        f"A fault of this collection ended {doing}: {type(error).__name__}: {why}. Nothing is known of "
        f"what it was asked for. Remedy: report this message at {_ISSUES}, with the traceback that -vvv shows."
    )
