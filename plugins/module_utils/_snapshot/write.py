# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a snapshot needs to be written at all."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, Optional, Tuple

from .errors import SnapshotError
from .files import contents, unpacked
from .format import is_snapshot


def same_content(path: str, packed: bytes) -> bool:
    """Whether the snapshot at `path` says the same as the one in `packed`, whenever it was taken."""
    return os.path.isfile(path) and _lasting(_parts(path)) == _lasting(_parts(path, packed))


def header_of(path: str, packed: Optional[bytes] = None) -> Dict[str, Any]:
    """The header of the snapshot in `packed`, else of the one at `path`; {} for what is no snapshot."""
    parts = _parts(path, packed) if packed is not None or os.path.isfile(path) else None
    return parts[0] if parts else {}


def _lasting(parts: Optional[Tuple[Dict[str, Any], bytes]]) -> Any:
    return parts and ({key: value for key, value in parts[0].items() if key != "time"}, parts[1])


def _parts(path: str, packed: Optional[bytes] = None) -> Optional[Tuple[Dict[str, Any], bytes]]:
    """The header and the lines of manifests; None for what is no snapshot."""
    try:
        text = contents(path) if packed is None else unpacked(path, packed)
        first, dummy, rest = text.partition(b"\n")
        header: Any = json.loads(first) if is_snapshot(text) else None
    except (SnapshotError, ValueError, RecursionError):
        return None
    return (header, rest) if isinstance(header, dict) else None
