# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the interpreter that runs the modules has: which of the named libraries, and which of the named tools.

Usage: environment.py LIBRARY... -- TOOL...
"""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import sys


def version(library):
    """The library's version, or None where this interpreter does not have it."""
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return None


split = sys.argv.index("--")
print(
    json.dumps(
        {
            "python": sys.executable,
            "libraries": {name: version(name) for name in sys.argv[1:split]},
            "tools": {name: shutil.which(name) for name in sys.argv[split + 1 :]},
        }
    )
)
