"""The arrows of design.md: modules → _cluster, _snapshot, _evidence, _report → _policy, and who may import what."""

from __future__ import annotations

import ast
import sys
from functools import cache
from pathlib import Path

import pytest

PLUGINS = Path(__file__).resolve().parents[3] / "plugins"
OURS = "ansible_collections.meshproof.mtls.plugins."

# What each layer of module_utils may import of the others; itself it always may.
MAY_IMPORT = {
    "_foreign": set(),
    "_io": {"_foreign"},
    "_cluster": {"_foreign"},
    "_policy": {"_foreign"},
    "_intent": {"_policy", "_foreign"},
    "_snapshot": {"_policy", "_foreign", "_io"},
    "_audit": {"_policy", "_foreign"},
    "_evidence": {"_policy", "_foreign"},
    "_judgement": {"_policy", "_evidence", "_audit", "_foreign"},
    "_report": {"_policy", "_judgement", "_audit", "_foreign"},
    "_source": {"_policy", "_evidence", "_cluster", "_snapshot", "_audit", "_foreign", "_io"},
}
# Pure layers: no Ansible, no network, no clock, no files. PyYAML is there for the mesh ConfigMap's text.
PURE = ("_foreign", "_policy", "_intent", "_evidence", "_judgement", "_audit", "_report")
IMPURE = {
    "ansible",
    "kubernetes",
    "socket",
    "urllib.request",
    "http",
    "time",
    "subprocess",
    "os",
    "pathlib",
    "io",
    "tempfile",
}
# The program that the probe's pods run: it is sent as text and never imported for its work, so it may use the wire.
SENT_AS_TEXT = "_evidence/wire"
OPENING = {"open", "GzipFile", "read_text", "read_bytes", "write_text", "write_bytes"}


def files(folder: str) -> list[Path]:
    return sorted((PLUGINS / folder).rglob("*.py"))


@cache
def nodes(path: Path) -> list[ast.AST]:
    """The syntax of a file, which several tests read."""
    return list(ast.walk(ast.parse(path.read_text())))


@cache
def imports(path: Path) -> list[str]:
    """Every imported name in full; relative ones resolved against the file's package."""
    package = (OURS + ".".join(path.relative_to(PLUGINS).parent.parts)).rstrip(".")
    found = []
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            found += [f"{module}.{alias.name}" for alias in node.names]
    return found


def layer_of(name: str) -> str | None:
    """The layer of module_utils that an imported name of ours belongs to."""
    prefix = OURS + "module_utils."
    return name[len(prefix) :].split(".")[0] if name.startswith(prefix) else None


@pytest.mark.parametrize("layer", MAY_IMPORT)
def test_a_layer_imports_only_what_lies_below_it(layer: str) -> None:
    wrong = {
        f"{path.relative_to(PLUGINS)} imports {name}"
        for path in files(f"module_utils/{layer}")
        for name in imports(path)
        if (other := layer_of(name)) is not None and other != layer and other not in MAY_IMPORT[layer]
    }
    assert wrong == set()


@pytest.mark.parametrize("layer", PURE)
def test_a_pure_layer_touches_nothing_outside_itself(layer: str) -> None:
    wrong = {
        f"{path.relative_to(PLUGINS)} imports {name}"
        for path in files(f"module_utils/{layer}")
        if SENT_AS_TEXT not in path.as_posix()
        for name in imports(path)
        if name.split(".")[0] in IMPURE or ".".join(name.split(".")[:2]) in IMPURE
    }
    assert wrong == set()


def test_policy_needs_nothing_but_the_standard_library_and_yaml() -> None:
    foreign = {
        name.split(".")[0]
        for path in files("module_utils/_policy")
        for name in imports(path)
        if not name.startswith(OURS)
    }
    assert foreign - set(sys.stdlib_module_names) <= {"yaml"}


def test_only_the_cluster_layer_imports_kubernetes() -> None:
    importers = {
        path.relative_to(PLUGINS).parts[:2]
        for path in files(".")
        for name in imports(path)
        if name.split(".")[0] == "kubernetes"
    }
    assert importers == {("module_utils", "_cluster")}


def test_of_the_layers_only_io_opens_files() -> None:
    """But for a kubeconfig, which is the cluster layer's. Snapshots are packed in memory."""
    openers = {
        path.relative_to(PLUGINS).parts[:2]
        for path in files("module_utils")
        if SENT_AS_TEXT not in path.as_posix()
        for node in nodes(path)
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in OPENING
    }
    assert openers <= {("module_utils", "_io"), ("module_utils", "_snapshot"), ("module_utils", "_cluster")}


def test_module_utils_hold_only_known_layers() -> None:
    found = {path.name for path in (PLUGINS / "module_utils").iterdir() if path.name != "__pycache__"}
    assert found <= {*MAY_IMPORT, "__init__.py"}


def test_every_module_that_contacts_a_cluster_is_in_the_action_group() -> None:
    import yaml

    groups = yaml.safe_load((PLUGINS.parent / "meta" / "runtime.yml").read_text())["action_groups"]
    modules = {path.stem for path in (PLUGINS / "modules").glob("*.py") if path.stem != "__init__"}
    # The group gives the connection once, and these have no use for one.
    assert set(groups["mtls"]) == modules - {"report", "install_tool", "istio_rendering"}
