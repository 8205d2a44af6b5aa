"""The page of findings is what the code says, and other pages can link to each."""

from __future__ import annotations

import re

from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.comparison import findings as compared
from ansible_collections.meshproof.mtls.plugins.module_utils._policy import findings as declared

from tools import finding_docs

PAGE = finding_docs.PAGE.read_text()


def test_the_page_is_generated() -> None:
    assert finding_docs.page() == PAGE, "Remedy: make docs"


def test_each_finding_of_manifests_has_a_heading_to_link_to() -> None:
    assert re.findall(r"^## (.+)$", PAGE, re.MULTILINE) == [kind.id for kind in declared.KINDS]
    assert re.findall(r"\(#(.+)\)", PAGE) == [kind.id.lower() for kind in declared.KINDS]


def test_each_finding_has_a_row_of_a_table() -> None:
    assert re.findall(r"^\| \[?(MTLS-\d+)", PAGE, re.MULTILINE) == [
        kind.id for kind in (*declared.KINDS, *compared.KINDS)
    ]
