# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is fuzzed: a file for each source of foreign input. A target that is not in TARGETS is never tried."""

from __future__ import annotations

from . import files, lists, manifests, probe_logs, proxies, telemetry, texts

TARGETS = (
    manifests.TARGET,
    lists.TARGET,
    files.TARGET,
    proxies.TARGET,
    probe_logs.TARGET,
    telemetry.TARGET,
    texts.TARGET,
)
