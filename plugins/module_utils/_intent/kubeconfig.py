# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One kubeconfig with one connection, made of kubernetes.core's options and the files that they mean.

Helm and istioctl know fewer ways to a cluster than Ansible's modules do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

Source = tuple[Mapping[str, Any], str]
"""A kubeconfig's content, and the folder that its relative paths start from."""

_FILES = {"cluster": ("certificate-authority",), "user": ("client-certificate", "client-key", "tokenFile")}
_LOGINS = ("token", "tokenFile", "exec", "auth-provider", "username", "password")


def kubeconfig(
    options: Mapping[str, Any], sources: Sequence[Source] = (), pod: Optional[Mapping[str, str]] = None
) -> dict[str, Any]:
    """The kubeconfig. `options` are named as kubernetes.core has them, None or missing where not given.

    Of several sources the first that names something counts, as kubectl does it. `pod` is its own account, with
    server, certificate-authority and tokenFile. Raises ValueError, half a sentence, where no server is named.
    """
    given = {name: value for name, value in options.items() if value is not None}
    name = given.get("context") or next(filter(None, (source.get("current-context") for source, dummy in sources)), "")
    context, _folder = _found(sources, "context", name)
    cluster = _with_paths("cluster", *_found(sources, "cluster", context.get("cluster")))
    user = _with_paths("user", *_found(sources, "user", context.get("user")))
    if pod is not None:
        cluster = {key: pod[key] for key in ("server", "certificate-authority")}
        user = {"tokenFile": pod["tokenFile"]}
    cluster, user = _cluster(given, cluster), _user(given, user)
    if not cluster.get("server"):
        raise ValueError(f"the context {name or 'that it should use'} leads to no cluster with a server")
    called = name or "meshproof"
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": called,
        "clusters": [{"name": called, "cluster": cluster}],
        "users": [{"name": called, "user": user}],
        "contexts": [{"name": called, "context": {"cluster": called, "user": called}}],
    }


def _found(sources: Sequence[Source], part: str, name: Any) -> tuple[dict[str, Any], str]:
    """A context, cluster or user by its name, and its source's folder."""
    for source, folder in sources:
        entries = source.get(f"{part}s")
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, Mapping) and entry.get("name") == name and isinstance(entry.get(part), Mapping):
                return dict(entry[part]), folder
    return {}, ""


def _with_paths(part: str, found: dict[str, Any], folder: str) -> dict[str, Any]:
    """With paths that do not depend on where the kubeconfig lies."""
    for key in _FILES[part]:
        if found.get(key):
            found[key] = _absolute(str(found[key]), folder)
    program = found.get("exec")
    if isinstance(program, Mapping) and "/" in str(program.get("command", "")):
        found["exec"] = {**program, "command": _absolute(str(program["command"]), folder)}
    return found


def _absolute(path: str, folder: str) -> str:
    return path if path.startswith("/") or not folder else f"{folder}/{path}"


def _cluster(given: Mapping[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """Options win over the file; one replaces the file's ways to say the same."""
    authority, verified = given.get("ca_cert"), given.get("validate_certs", True)
    if authority or not verified:
        found = {key: value for key, value in found.items() if not key.startswith("certificate-authority")}
    return {
        **found,
        **({"server": given["host"]} if given.get("host") else {}),
        **({"certificate-authority": authority} if authority and verified else {}),
        **({} if verified else {"insecure-skip-tls-verify": True}),
        **({"proxy-url": given["proxy"]} if given.get("proxy") else {}),
    }


def _user(given: Mapping[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    if given.get("api_key") or given.get("username"):
        found = {key: value for key, value in found.items() if key not in _LOGINS}
    if given.get("client_cert"):
        found = {key: value for key, value in found.items() if not key.startswith("client-")}
    groups = [group for group in given.get("impersonate_groups") or () if group]
    # A token wins over a password, as in the modules.
    login = {"username": given.get("username"), "password": given.get("password") or ""}
    return {
        **found,
        **({"token": given["api_key"]} if given.get("api_key") else login if given.get("username") else {}),
        **({"client-certificate": given["client_cert"]} if given.get("client_cert") else {}),
        **({"client-key": given["client_key"]} if given.get("client_key") else {}),
        **({"as": given["impersonate_user"]} if given.get("impersonate_user") else {}),
        **({"as-groups": groups} if groups else {}),
    }
