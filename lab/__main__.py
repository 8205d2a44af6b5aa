"""`python -m lab up|down|status|build`: the commands behind `make lab` and `make lab-down`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from lab import cache, lifecycle
from lab.errors import LabError
from lab.folder import LabFolder


def main() -> int:
    command = _arguments().command
    folder = LabFolder(Path(os.environ.get("LAB_DIR") or ".lab").absolute())
    # Programs like ip and iptables live where not every shell of root looks.
    os.environ["PATH"] = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        if command == "up":
            lifecycle.up(folder)
        elif command == "down":
            lifecycle.down(folder)
        elif command == "build":
            lifecycle.build()
        elif not lifecycle.status(folder):
            return 1
    except LabError as error:
        print(f"lab {command}: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"lab {command}: {error}. Is there space and permission to write?", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\nlab {command}: interrupted; nothing was left running, and what was built is kept.", file=sys.stderr)
        return 130
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m lab",
        description="A real Kubernetes cluster on this machine, in namespaces of its own.",
        epilog=f"LAB_DIR names the lab's folder (default .lab); built things are kept in {cache.root()}.",
    )
    commands = {
        "up": "start the lab, or use the one that runs",
        "down": "end the lab and remove all but the cache",
        "status": "say whether the lab is usable (exit code 1 when not)",
        "build": "build and fetch what the lab needs, start nothing",
    }
    choices = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, text in commands.items():
        choices.add_parser(name, help=text)
    return parser.parse_args()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
