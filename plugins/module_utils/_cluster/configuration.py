# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From connection options to a configuration of the kubernetes library, in the order that kubernetes.core uses."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from .errors import ClusterError

IMPORT_ERROR: ImportError | None = None
try:
    import urllib3
    import yaml
    from kubernetes import client, config
except ImportError as error:
    IMPORT_ERROR = error

_REMEDY_KUBECONFIG = "Remedy: give a kubeconfig that kubectl understands (option kubeconfig or K8S_AUTH_KUBECONFIG)."


def require_library() -> None:
    """Say which pip package is missing for which interpreter, instead of an import's traceback."""
    if IMPORT_ERROR is not None:
        raise ClusterError(
            f"The Python library kubernetes cannot be imported by {sys.executable} ({IMPORT_ERROR}). "
            f"Remedy: {sys.executable} -m pip install kubernetes; or set ansible_python_interpreter to a Python that "
            'has it, on a local host often "{{ ansible_playbook_python }}".'
        )


def load(params: Mapping[str, Any]) -> Any:
    """Make a ``kubernetes.client.Configuration`` from module parameters."""
    require_library()
    for option in ("ca_cert", "client_cert", "client_key"):
        _require_file(option, params.get(option))
    configuration = client.Configuration()
    if not _is_enough(params):
        _load_file_or_pod(params, configuration)
    _override(params, configuration)
    return configuration


def headers(params: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Headers for each request: basic authentication and impersonation."""
    result = []
    if params.get("username") and params.get("password") and not params.get("api_key"):
        basic = urllib3.util.make_headers(basic_auth=f"{params['username']}:{params['password']}")
        result += list(basic.items())
    if params.get("impersonate_user"):
        result.append(("Impersonate-User", params["impersonate_user"]))
    result += [("Impersonate-Group", group) for group in params.get("impersonate_groups") or () if group]
    return result


def _is_enough(params: Mapping[str, Any]) -> bool:
    given = {name for name, value in params.items() if value}
    return any(
        {"host", *credentials} <= given
        for credentials in (("username", "password"), ("api_key",), ("client_cert", "client_key"))
    )


def _load_file_or_pod(params: Mapping[str, Any], configuration: Any) -> None:
    if params.get("kubeconfig") or params.get("context"):
        _load_kubeconfig(params, configuration)
        return
    try:
        config.load_incluster_config(client_configuration=configuration)
    except config.ConfigException:  # not inside a pod
        _load_kubeconfig(params, configuration)


def _load_kubeconfig(params: Mapping[str, Any], configuration: Any) -> None:
    kubeconfig = params.get("kubeconfig") or config.KUBE_CONFIG_DEFAULT_LOCATION
    wanted = params.get("context")
    options = {
        "context": wanted,
        "client_configuration": configuration,
        "persist_config": bool(params.get("persist_config")),
    }
    name = "The kubeconfig given as a dictionary"
    contents = [kubeconfig]
    if not isinstance(kubeconfig, Mapping):
        name = f"The kubeconfig {kubeconfig}"
        contents = [_read(path) for path in str(kubeconfig).split(os.pathsep) if path]
        contents = [content for content in contents if content is not None]
        if not contents:
            raise _no_kubeconfig(str(kubeconfig), params)
    _check_context(name, contents, wanted)
    # The library walks the kubeconfig without checking its shape, so a wrong one ends in any of these.
    try:
        if isinstance(kubeconfig, Mapping):
            config.load_kube_config_from_dict(dict(kubeconfig), **options)
        else:
            config.load_kube_config(config_file=str(kubeconfig), **options)
    except (config.ConfigException, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ClusterError(f"{name} cannot be used: {error}. {_REMEDY_KUBECONFIG}") from error


def _read(path: str) -> Any:
    """The content of one kubeconfig file, None when there is no such file."""
    try:
        with open(os.path.expanduser(path), encoding="utf-8") as file:
            content = yaml.safe_load(file)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ClusterError(f"The kubeconfig {path} cannot be read: {error.strerror}. {_REMEDY_KUBECONFIG}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        place = getattr(error, "problem_mark", None)
        where = f" (line {place.line + 1})" if place else ""
        raise ClusterError(f"The kubeconfig {path} is not YAML{where}. {_REMEDY_KUBECONFIG}") from error
    if not isinstance(content, dict):
        raise ClusterError(f"The kubeconfig {path} is not a kubeconfig: no mapping of keys. {_REMEDY_KUBECONFIG}")
    return content


def _no_kubeconfig(path: str, params: Mapping[str, Any]) -> ClusterError:
    if params.get("kubeconfig"):
        return ClusterError(f"There is no kubeconfig {path}. {_REMEDY_KUBECONFIG}")
    return ClusterError(
        f"No connection is given, this is not a pod, and there is no {path}. Remedy: name a kubeconfig "
        "(option kubeconfig, K8S_AUTH_KUBECONFIG or KUBECONFIG), or set K8S_AUTH_HOST and K8S_AUTH_API_KEY."
    )


def _check_context(name: str, contents: list[Any], wanted: str | None) -> None:
    lists = [content.get("contexts") for content in contents]
    contexts = [item.get("name") for items in lists if isinstance(items, list) for item in items if item]
    current = wanted or next((c["current-context"] for c in reversed(contents) if c.get("current-context")), None)
    known = ", ".join(str(context) for context in contexts) or "none at all"
    if not current:
        raise ClusterError(f"{name} has no current context. Remedy: set the option context to one of: {known}.")
    if current not in contexts:
        raise ClusterError(f"{name} has no context {current}. Remedy: set the option context to one of: {known}.")


def _override(params: Mapping[str, Any], configuration: Any) -> None:
    """Options win over what the kubeconfig says, as in kubernetes.core."""
    if params.get("host"):
        _require_url(str(params["host"]))
        configuration.host = str(params["host"]).rstrip("/")
    _require_url(configuration.host)
    for option, attribute in (
        ("validate_certs", "verify_ssl"),
        ("ca_cert", "ssl_ca_cert"),
        ("client_cert", "cert_file"),
        ("client_key", "key_file"),
        ("proxy", "proxy"),
        ("no_proxy", "no_proxy"),
    ):
        if params.get(option) is not None:
            setattr(configuration, attribute, params[option])
    if params.get("api_key"):
        configuration.api_key = {"BearerToken": f"Bearer {params['api_key']}"}
        configuration.refresh_api_key_hook = None
    proxy_headers = {name: value for name, value in (params.get("proxy_headers") or {}).items() if value}
    if proxy_headers:
        configuration.proxy_headers = urllib3.util.make_headers(**proxy_headers)
    configuration.connection_pool_maxsize = 8


def _require_url(host: str) -> None:
    try:
        url = urlsplit(host)
    except ValueError:  # an opened bracket, for example
        url = urlsplit("")
    if url.scheme not in ("https", "http") or not url.hostname:
        raise ClusterError(
            f"The API server's address {host} is no URL. Remedy: write it as https://address:port (option host or "
            "K8S_AUTH_HOST)."
        )


def _require_file(option: str, path: str | None) -> None:
    if path and not os.path.isfile(path):
        raise ClusterError(
            f"The file {path} of the option {option} does not exist. Remedy: correct the option or its environment "
            f"variable K8S_AUTH_{option.upper()}."
        )
