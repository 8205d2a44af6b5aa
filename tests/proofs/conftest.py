"""The cluster, as the integration tests have it."""

from __future__ import annotations

from tests.integration.conftest import api

__all__ = ["api"]
