# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who runs as the proxy's user, so that iptables take its traffic for the proxy's own and let it out as it is.

tools/istio-iptables/pkg/capture/run.go returns from the redirection what is owned by the proxy's uid, and what is owned
by its gid. A container whose user its image alone tells may be one of them, too: no manifest shows that.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence, Tuple

from .._foreign import numbers
from .fields import mapping
from .records import DEFAULT_PROXY_USER, ContainerUser, Labels, Malformed, ProxyUser, Shape

_DEFAULT_ID = 1337
_UID_FLAGS, _GID_FLAGS = ("-u", "--proxy-uid"), ("-g", "--proxy-gid")
_UID_RANGE, _GID_RANGE = "openshift.io/sa.scc.uid-range", "openshift.io/sa.scc.supplemental-groups"
_MOST = 2**32 - 1
_NOBODY: Tuple[Optional[int], Optional[int]] = (None, None)


def users_of(spec: Dict[str, Any], applications: Sequence[Dict[str, Any]]) -> Tuple[ContainerUser, ...]:
    """The users of a pod's application containers, as far as manifests say; () where they say none at all.

    A container's own securityContext goes before the pod's. Raises Malformed.
    """
    of_pod = _ids(spec)
    own = [(container, _ids(container)) for container in applications]
    if not any(found != _NOBODY for found in (of_pod, *(ids for dummy, ids in own))):
        return ()
    return tuple(
        ContainerUser(
            str(container.get("name") or ""),
            of_pod[0] if uid is None else uid,
            of_pod[1] if gid is None else gid,
        )
        for container, (uid, gid) in own
    )


def _ids(part: Dict[str, Any]) -> Tuple[Optional[int], Optional[int]]:
    """runAsUser and runAsGroup of a pod's spec or of a container."""
    if "securityContext" not in part:
        return _NOBODY
    context = mapping(part["securityContext"], "securityContext")
    uid, gid = context.get("runAsUser"), context.get("runAsGroup")
    for found in (uid, gid):
        if found is not None and (isinstance(found, bool) or not isinstance(found, int)):
            raise Malformed("runAsUser or runAsGroup is no number")
    return uid, gid


def proxy_user_of(arguments: Sequence[Any], proxy: Optional[Dict[str, Any]]) -> ProxyUser:
    """Whose traffic the redirection of a pod lets out.

    `arguments` are those of istio-init, () for a pod without it, whose redirection the CNI plugin makes by the proxy's
    securityContext (cni/pkg/plugin/sidecar_redirect.go). Raises Malformed for what is no number.
    """
    if arguments:
        # tools/common/config FillConfigFromEnvironment: the gid is the uid where none is given.
        uids = _given(arguments, _UID_FLAGS) or DEFAULT_PROXY_USER.uids
        return ProxyUser(uids, _given(arguments, _GID_FLAGS) or uids)
    if proxy is None or "securityContext" not in proxy:
        return DEFAULT_PROXY_USER
    uid, gid = _ids(proxy)
    return ProxyUser((uid or _DEFAULT_ID,), (gid or _DEFAULT_ID,))


def _given(arguments: Sequence[Any], flags: Tuple[str, str]) -> Tuple[int, ...]:
    """The last value of an option, `-u 1,2` or `--proxy-uid=1,2`."""
    value = ""
    for place, argument in enumerate(arguments):
        text = str(argument)
        if text in flags and place + 1 < len(arguments):
            value = str(arguments[place + 1])
        elif text.startswith(f"{flags[1]}="):
            value = text.partition("=")[2]
        elif text.startswith(flags[0]) and text[2:3].isdecimal():
            value = text[2:]
    found: List[int] = []
    for piece in value.split(",") if value.strip() else ():
        number = numbers.number(piece.strip())
        if number is None:
            raise Malformed(f"the redirection lets out the user {piece.strip()[:40]!r}, which is no number")
        found.append(number)
    return tuple(found)


def predicted_proxy_user(shape: Shape, annotations: Labels) -> ProxyUser:
    """Whose traffic will be let out of a pod that injection has still to make, by the annotations of its namespace.

    On OpenShift the proxy gets the last of the namespace's users and groups (pkg/kube/inject/openshift.go). Whether
    istio-init or the CNI plugin will redirect is not known, so the group counts by either's rule.
    """
    if shape.proxy_user is not DEFAULT_PROXY_USER:
        return shape.proxy_user
    users = annotations.get(_UID_RANGE, "")
    groups = annotations.get(_GID_RANGE, users)
    uid = _last_of(users) or _DEFAULT_ID
    gid = _last_of(groups.split(",")[0]) or _DEFAULT_ID
    return ProxyUser((uid,), tuple(sorted({uid, gid})))


def _last_of(block: str) -> Optional[int]:
    """The end of `start/size` or `start-end`; None for what is neither."""
    for sign in "/-":
        start, found, end = block.strip().partition(sign)
        first, second = numbers.number(start), numbers.number(end)
        if found and first is not None and second is not None:
            last = first + second - 1 if sign == "/" else second
            return last if last <= _MOST else None
    return None


def as_proxy(shape: Shape) -> Tuple[ContainerUser, ...]:
    """The application containers of a pod with a sidecar whose traffic its redirection lets out."""
    if shape.mesh != "sidecar" or not shape.users:
        return ()
    proxy = shape.proxy_user
    return tuple(user for user in shape.users if user.uid in proxy.uids or user.gid in proxy.gids)
