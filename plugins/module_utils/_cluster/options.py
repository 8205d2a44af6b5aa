# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How to reach the cluster: kubernetes.core's option names and environment variables, so that one set serves both."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ansible.module_utils.errors import AnsibleFallbackNotFound

from .._foreign import urls

READ_TIMEOUT = 1800
"""Seconds; a mesh of 10,000 pods takes less than a minute."""


def _environment(*names: str) -> str:
    for name in names:
        value = os.environ.get(name)
        if value:  # a variable that is set and empty means: not given
            return value
    raise AnsibleFallbackNotFound


def _option(*names: str, **spec: Any) -> dict[str, Any]:
    return {**spec, "fallback": (_environment, [f"K8S_AUTH_{name}" for name in names])}


ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "kubeconfig": _option("KUBECONFIG", type="raw"),
    "context": _option("CONTEXT", type="str"),
    "host": _option("HOST", type="str"),
    "api_key": _option("API_KEY", type="str", no_log=True),
    "username": _option("USERNAME", type="str"),
    "password": _option("PASSWORD", type="str", no_log=True),
    "validate_certs": _option("VALIDATE_CERTS", "VERIFY_SSL", type="bool", aliases=["verify_ssl"]),
    "ca_cert": _option("CA_CERT", "SSL_CA_CERT", type="path", aliases=["ssl_ca_cert"]),
    "client_cert": _option("CLIENT_CERT", "CERT_FILE", type="path", aliases=["cert_file"]),
    "client_key": _option("CLIENT_KEY", "KEY_FILE", type="path", aliases=["key_file"], no_log=False),
    "proxy": _option("PROXY", type="str"),
    "no_proxy": _option("NO_PROXY", type="str"),
    "proxy_headers": {
        "type": "dict",
        "apply_defaults": True,
        "options": {
            "proxy_basic_auth": _option("PROXY_HEADERS_PROXY_BASIC_AUTH", type="str", no_log=True),
            "basic_auth": _option("PROXY_HEADERS_BASIC_AUTH", type="str", no_log=True),
            "user_agent": _option("PROXY_HEADERS_USER_AGENT", type="str"),
        },
    },
    "persist_config": _option("PERSIST_CONFIG", type="bool"),
    "impersonate_user": _option("IMPERSONATE_USER", type="str"),
    "impersonate_groups": _option("IMPERSONATE_GROUPS", type="list", elements="str"),
    "read_timeout": {"type": "int", "default": READ_TIMEOUT},
}

_SECRET_KEYS = (
    "token",
    "password",
    "secret",
    "client-secret",
    "client-key-data",
    "access-token",
    "refresh-token",
    "id-token",
)
_URL_KEYS = ("server", "proxy-url", "idp-issuer-url")
# Words that could be the name of a namespace or a workload: hidden, they would be missing in every result.
_HARMLESS = re.compile(r"-{0,2}[a-z0-9]([a-z0-9./-]{0,18}[a-z0-9])?|[0-9.]{1,6}")
_TELLING = re.compile(r"token|secret|passw|passphrase|pwd|key|credential|auth|cookie|assertion|pin$", re.IGNORECASE)


class Options(NamedTuple):
    """The options of a connection; None is what was not given."""

    kubeconfig: Any = None
    """The path of a file, several of them as in KUBECONFIG, or a kubeconfig itself."""
    context: str | None = None
    host: str | None = None
    api_key: str | None = None
    username: str | None = None
    password: str | None = None
    validate_certs: bool | None = None
    ca_cert: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    proxy: str | None = None
    no_proxy: str | None = None
    proxy_headers: Mapping[str, str | None] | None = None
    persist_config: bool | None = None
    impersonate_user: str | None = None
    impersonate_groups: Sequence[str] | None = None
    read_timeout: int = READ_TIMEOUT
    """Seconds that reading all objects that are wanted at a time may take."""

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Options:
        """Those among a module's parameters."""
        return cls(**{name: params[name] for name in cls._fields if params.get(name) is not None})


def secrets_of(params: Mapping[str, Any]) -> Iterator[str]:
    """What among a module's parameters must never be shown and no_log does not know of."""
    options = Options.of(params)
    yield from secrets_in(options.kubeconfig)
    yield from urls.secrets_of(options.host)
    yield from urls.secrets_of(options.proxy)


def secrets_in(kubeconfig: Any) -> Iterator[str]:
    """The secret values of a kubeconfig that was given as a dictionary; Ansible must not show them.

    Of the helper that makes credentials (exec) these are the arguments and the environment, but for harmless words.
    """
    if isinstance(kubeconfig, Mapping):
        for key, value in kubeconfig.items():
            if key == "exec" and isinstance(value, Mapping):
                yield from _of_arguments(value.get("args"))
                yield from _of_environment(value.get("env"))
            elif not isinstance(value, str):
                yield from secrets_in(value)
            elif key in _SECRET_KEYS and value:
                yield value
            elif key in _URL_KEYS:
                yield from urls.secrets_of(value)
    elif isinstance(kubeconfig, (list, tuple)):
        for item in kubeconfig:
            yield from secrets_in(item)


def _of_arguments(arguments: Any) -> Iterator[str]:
    before = ""
    for argument in arguments if isinstance(arguments, (list, tuple)) else ():
        text = str(argument)
        name, equals, value = text.partition("=")
        if equals:
            yield from _unless_harmless(value, name)
        else:
            yield from _unless_harmless(text, before)
        # An option that has its value already says nothing of what comes next.
        before = text if text.startswith("-") and not equals else ""


def _of_environment(variables: Any) -> Iterator[str]:
    for variable in variables if isinstance(variables, (list, tuple)) else ():
        if isinstance(variable, Mapping):
            yield from _unless_harmless(str(variable.get("value") or ""), str(variable.get("name")))


def _unless_harmless(value: str, name: str) -> Iterator[str]:
    """A value, and what a URL in it hides, unless neither it nor its name looks like a secret."""
    yield from urls.secrets_of(value)
    if value and (_TELLING.search(name) or not _HARMLESS.fullmatch(value)):
        yield value
