"""The one exception that ends a command with a message instead of a traceback."""

from __future__ import annotations

from pathlib import Path


class LabError(Exception):
    """What went wrong, with its object and its remedy; `log` names the file whose last lines tell more."""

    def __init__(self, message: str, log: Path | None = None) -> None:
        super().__init__(message)
        self.log = log

    def __str__(self) -> str:
        message = super().__str__()
        if self.log is None or not self.log.exists():
            return message
        lines = self.log.read_text(errors="replace").rstrip().splitlines()[-12:]
        return "\n".join([message, f"The last lines of {self.log}:", *(f"  | {line[:300]}" for line in lines)])
