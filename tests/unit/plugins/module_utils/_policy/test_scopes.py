# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Groups of clients: what is found for all of a group without looking at each of them."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.patches import Patch, Patches
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.records import (
    SIDECAR_SENDS,
    Egress,
    SidecarObject,
    Touch,
)
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.scopes import Scope, ViewGroup, patches_for
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.services import Destination, DestinationPort
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.visibility import view_of

HOST = "a.example"


def scope(namespace: str, sidecar: str, *hosts: str) -> Scope:
    """Clients of a namespace that a Sidecar selects."""
    found = SidecarObject(namespace, sidecar, "", None, None, (Egress(0, False, hosts),), None, ())
    names = {f"{namespace}/{sidecar}"}
    return Scope("sidecar", "default", namespace, {}, view_of(found, namespace), None, False, "", None, names)


SHOP, CAFE = scope("cafe", "one", "shop/*"), scope("cafe", "two", "./*")
EVERYTHING, SAME_AGAIN = scope("bar", "three", "*/*"), scope("cafe", "one", "shop/*")


def group(*scopes: Scope) -> ViewGroup:
    """Those scopes, the bits of which are in their order."""
    found = ViewGroup(scopes[0])
    for place, one in enumerate(scopes):
        assert one.view is not None
        found.add(1 << place, one, one.view)
    return found


@pytest.mark.parametrize(
    ("scopes", "namespace", "importers", "others"),
    [
        pytest.param([SHOP, CAFE], "shop", {1: SHOP}, {"cafe/two"}, id="by name"),
        pytest.param([SHOP, CAFE], "cafe", {2: CAFE}, {"cafe/one"}, id="its own namespace"),
        pytest.param([SHOP, CAFE], "far", {}, {"cafe/one", "cafe/two"}, id="nobody imports it"),
        pytest.param([SHOP, EVERYTHING], "far", {2: EVERYTHING}, {"cafe/one"}, id="every namespace"),
        pytest.param([SHOP, EVERYTHING], "shop", {1: SHOP, 2: EVERYTHING}, set(), id="both"),
        pytest.param([SHOP, SAME_AGAIN], "shop", {1: SHOP, 2: SAME_AGAIN}, set(), id="one Sidecar of two scopes"),
    ],
)
def test_who_may_import_something_of_a_namespace(
    scopes: list[Scope], namespace: str, importers: dict[int, Scope], others: set[str]
) -> None:
    found = group(*scopes)
    assert found.mask == (1 << len(scopes)) - 1
    assert found.importers.of(SHOWN._replace(namespace=namespace, name=f"{namespace}/a")) == importers
    hidden = found.others(importers.values())
    assert set(hidden.names) - hidden.without == others


def test_a_sidecar_hides_from_its_other_scopes_what_one_of_them_imports() -> None:
    hidden = group(SHOP, SAME_AGAIN).others([SHOP])
    assert set(hidden.names) - hidden.without == {"cafe/one"}


SHOWN = Destination("shop/a", "shop", HOST, "", False, False, False, "STATIC", (), (), (), "")._replace(
    ports=(DestinationPort(80, "http", "http", (), ()), DestinationPort(443, "tls", "tls", (), ()))
)


@pytest.mark.parametrize(
    ("touch", "kept"),
    [
        pytest.param(Touch(SIDECAR_SENDS), True, id="everything"),
        pytest.param(Touch(SIDECAR_SENDS, HOST), True, id="its host"),
        pytest.param(Touch(SIDECAR_SENDS, "b.example"), False, id="another host"),
        pytest.param(Touch(SIDECAR_SENDS, "", 443), True, id="one of its ports"),
        pytest.param(Touch(SIDECAR_SENDS, "", 8080), False, id="another port"),
        pytest.param(Touch(SIDECAR_SENDS, HOST, 80), True, id="its host at one of its ports"),
        pytest.param(Touch(SIDECAR_SENDS, HOST, 8080), False, id="its host at another port"),
        pytest.param(Touch(SIDECAR_SENDS, HOST, 0, "v1"), True, id="a subset of its host"),
    ],
)
def test_which_patches_can_change_something_about_a_destination(touch: Touch, kept: bool) -> None:
    patch = Patch("shop/f", touch)
    patched = SHOP._replace(patches=Patches((patch,)))
    assert patches_for(patched, SHOWN) == ((patch,) if kept else ())
