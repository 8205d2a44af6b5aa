"""A role cannot import the supported versions, so its copy is held against them."""

from __future__ import annotations

from pathlib import Path

import yaml
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.versions import (
    SUPPORTED_ISTIO,
    SUPPORTED_KUBERNETES,
)

VARS = Path(__file__).resolve().parents[3] / "roles" / "istio_install" / "vars" / "main.yml"


def test_the_role_supports_what_the_engine_supports() -> None:
    values = yaml.safe_load(VARS.read_text())
    assert list(SUPPORTED_ISTIO) == values["__istio_install_supported"]
    assert list(SUPPORTED_KUBERNETES) == values["__istio_install_supported_kubernetes"]
