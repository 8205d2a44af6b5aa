# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A role cannot import what a filter knows, so its copy is held against it."""

from __future__ import annotations

from pathlib import Path

import yaml
from ansible_collections.meshproof.mtls.plugins.module_utils._intent.removal import questions

VARS = Path(__file__).resolve().parents[3] / "roles" / "istio_install" / "vars" / "main.yml"


def test_the_role_asks_for_all_that_a_removal_is_decided_by() -> None:
    assert yaml.safe_load(VARS.read_text())["__istio_install_questions"] == questions()
