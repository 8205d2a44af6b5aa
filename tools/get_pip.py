"""Stand-in for the script with which ansible-test puts pip into a virtual environment: Python's own ensurepip."""

from __future__ import annotations

import ensurepip
import runpy
import sys

# Switches of the original that only say what it must leave out, which ensurepip never installs.
UNKNOWN_TO_PIP = ("--no-setuptools", "--no-wheel")

if __name__ == "__main__":
    ensurepip.bootstrap(default_pip=True)
    sys.argv = ["pip", "install", "--upgrade", *(word for word in sys.argv[1:] if word not in UNKNOWN_TO_PIP)]
    runpy.run_module("pip", run_name="__main__", alter_sys=True)
