"""Write (or check) docs/findings.md from the kinds of findings, the only source for both: python -m tools.finding_docs.

To change what the page says of a finding, edit its FindingKind and run `make docs`.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path

from plugins.module_utils._evidence.comparison import findings as compared
from plugins.module_utils._policy import findings as declared
from plugins.module_utils._policy.findings.kinds import FindingKind

PAGE = Path(__file__).resolve().parent.parent / "docs" / "findings.md"
WIDTH = 120

BEFORE = """\
# Findings

<!-- Generated from the kinds of findings in plugins/module_utils: edit those and run `make docs`. -->

What `status_info`, `audit` and the filter `evaluate` return under `findings`, beside the verdicts of ports and edges.
Each has an id that never gets another meaning, a severity, the object, a message and a fix.

| severity | what it is for |
|---|---|
| high | traffic is in plaintext, breaks, or escapes the policies, although somebody meant to protect it |
| medium | something weakens mutual TLS, has no effect, or cannot be judged |
| low | a slip without harm so far |
| info | how Istio works, where people often expect something else |

A finding alone does not fail `istio_verify`: that judges ports and edges. A [rule](rules.md) makes any finding a gate:

```yaml
istio_verify_rules:
  - name: no finding of high severity
    expression: findings[?severity=='high'].[id, object]
```

Every example below is complete beside these objects: the namespace `demo`, labelled `istio-injection: enabled`, a
Deployment `a` (`app: a`, container port 8080), a Service `a` (port 80, `http`), and a mesh configuration that sets
nothing. An object of the same name takes their place.

"""

BETWEEN = """
`audit` adds these when it asks other sources, too ([sources.md](sources.md)); they need a live mesh, so there is no
example.

"""


def paragraph(text: str) -> str:
    """Markdown in lines of the page's width; a link or a name is never broken."""
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def section(kind: FindingKind) -> str:
    """One finding under a heading of its id, which other pages and reports link to."""
    paragraphs = (
        f"## {kind.id}",
        paragraph(f"**{kind.title}** ({kind.severity}). {kind.explanation}"),
        paragraph(f"*Why it matters.* {kind.why}"),
        paragraph(f"*Fix.* {kind.remedy}"),
        f"```yaml\n{kind.example}```",
    )
    return "\n\n".join(paragraphs)


def table(header: str, rows: Iterable[str]) -> str:
    """A table of Markdown, with its rows as they are."""
    columns = header.count("|") - 1
    return "\n".join([header, "|" + "---|" * columns, *rows, ""])


def page() -> str:
    """The whole page."""
    with_example = table(
        "| id | severity | meaning |",
        (f"| [{kind.id}](#{kind.id.lower()}) | {kind.severity} | {kind.title} |" for kind in declared.KINDS),
    )
    without = table(
        "| id | severity | meaning | what to do |",
        (f"| {kind.id} | {kind.severity} | {kind.title} | {kind.remedy} |" for kind in compared.KINDS),
    )
    sections = "\n\n".join(section(kind) for kind in declared.KINDS)
    return f"{BEFORE}{with_example}{BETWEEN}{without}\n{sections}\n"


def main() -> int:
    """Write with --write; with --check return 1 where the page differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--write", action="store_true")
    choice.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    if arguments.write:
        PAGE.write_text(page())
    elif PAGE.read_text() != page():
        print("docs/findings.md differs from the kinds of findings. Remedy: make docs")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
