"""The cluster and its Istio, as the integration tests have them."""

from __future__ import annotations

from tests.integration.conftest import api, istio

__all__ = ["api", "istio"]
