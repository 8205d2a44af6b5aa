"""No finding is forgotten: what its file has is listed, and so documented and tested; no id means two things."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.comparison import findings as compared
from ansible_collections.meshproof.mtls.plugins.module_utils._policy import findings as declared
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.findings.kinds import FindingKind

# What is no family, because all families use it.
SHARED = {"__init__", "kinds", "wording"}
FILES = [
    pytest.param(package, path.stem, id=f"{package.__name__.split('.')[-2]} {path.stem}")
    for package in (declared, compared)
    for path in sorted(Path(str(package.__file__)).parent.glob("*.py"))
    if path.stem not in SHARED
]


@pytest.mark.parametrize(("package", "name"), FILES)
def test_a_file_of_findings_is_in_FAMILIES_with_all_its_kinds(package: ModuleType, name: str) -> None:
    family = next((one for one in package.FAMILIES if one.__name__.endswith(f".{name}")), None)
    assert family is not None, f"FAMILIES lacks {name}"
    made = {thing.id for thing in vars(family).values() if isinstance(thing, FindingKind)}
    assert made == {kind.id for kind in family.KINDS}


def test_no_id_is_used_twice() -> None:
    ids = Counter(kind.id for kind in (*declared.KINDS, *compared.KINDS))
    assert [identifier for identifier, count in ids.items() if count > 1] == []
