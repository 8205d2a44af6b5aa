# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a finding is, and what all findings of one id have in common."""

from __future__ import annotations

from typing import Any, Dict, NamedTuple

Finding = Dict[str, Any]
"""One row of the result: ``id, severity, object, message, fix``."""


class FindingKind(NamedTuple):
    """All findings of one id. Texts are Markdown, a paragraph each; docs/findings.md is generated from them."""

    id: str
    """MTLS-nnn. It is never given another meaning, nor used again for one that is gone."""
    severity: str
    """high, medium, low or info."""
    title: str
    """What is the matter, in a few words."""
    remedy: str
    explanation: str = ""
    """When the finding is given."""
    why: str = ""
    """Why it matters."""
    example: str = ""
    """Manifests in YAML that have the finding, beside the objects that docs/findings.md names; "" if only a live mesh
    can have it."""

    def at(self, thing: str, message: str, fix: str) -> Finding:
        """The finding about one object. `message` goes on after its name; `fix` is this object's own remedy."""
        return {"id": self.id, "severity": self.severity, "object": thing, "message": message, "fix": fix}
