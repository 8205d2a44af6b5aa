"""Stands in for a Python interpreter and writes how much memory the real one needed at most, in KiB, to a file.

python memory.py FILE PYTHON ARGUMENTS…
"""

from __future__ import annotations

import resource
import subprocess
import sys

ended = subprocess.run(sys.argv[2:], check=False)
with open(sys.argv[1], "w", encoding="utf-8") as file:
    file.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(ended.returncode)
