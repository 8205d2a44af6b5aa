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

from .._foreign import urls
from .._foreign.visible import visible
from .errors import ClusterError
from .options import Options, secrets_in

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


def load(options: Options) -> Any:
    """Make a ``kubernetes.client.Configuration``. Raises ClusterError."""
    require_library()
    if options.read_timeout < 1:
        raise ClusterError("The option read_timeout is less than a second. Remedy: give seconds, such as 1800.")
    for option, path in (
        ("ca_cert", options.ca_cert),
        ("client_cert", options.client_cert),
        ("client_key", options.client_key),
    ):
        _require_file(option, path)
    configuration = client.Configuration()
    if not _is_enough(options):
        _load_file_or_pod(options, configuration)
    _override(options, configuration)
    return configuration


def headers(options: Options) -> list[tuple[str, str]]:
    """Headers for each request: basic authentication and impersonation."""
    result = []
    if options.username and options.password and not options.api_key:
        basic = urllib3.util.make_headers(basic_auth=f"{options.username}:{options.password}")
        result += list(basic.items())
    if options.impersonate_user:
        result.append(("Impersonate-User", options.impersonate_user))
    result += [("Impersonate-Group", group) for group in options.impersonate_groups or () if group]
    return result


def _is_enough(options: Options) -> bool:
    """Whether the options alone say where the API server is and who we are."""
    login = options.username and options.password
    certificate = options.client_cert and options.client_key
    return bool(options.host and (login or options.api_key or certificate))


def _load_file_or_pod(options: Options, configuration: Any) -> None:
    if options.kubeconfig or options.context:
        _load_kubeconfig(options, configuration)
        return
    try:
        config.load_incluster_config(client_configuration=configuration)
    except config.ConfigException:  # not inside a pod
        _load_kubeconfig(options, configuration)


def _load_kubeconfig(options: Options, configuration: Any) -> None:
    kubeconfig = options.kubeconfig or config.KUBE_CONFIG_DEFAULT_LOCATION
    how = {
        "context": options.context,
        "client_configuration": configuration,
        "persist_config": bool(options.persist_config),
    }
    name = "The kubeconfig given as a dictionary"
    contents = [kubeconfig]
    if not isinstance(kubeconfig, Mapping):
        name = f"The kubeconfig {kubeconfig}"
        contents = [_read(path) for path in str(kubeconfig).split(os.pathsep)]
        contents = [content for content in contents if content is not None]
        if not contents:
            raise _no_kubeconfig(str(kubeconfig), options)
    _check_context(name, contents, options.context)
    # The library walks the kubeconfig without checking its shape, so a wrong one ends in any of these.
    try:
        if isinstance(kubeconfig, Mapping):
            config.load_kube_config_from_dict(dict(kubeconfig), **how)
        else:
            config.load_kube_config(config_file=str(kubeconfig), **how)
    except (config.ConfigException, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ClusterError(f"{name} cannot be used: {_shown(error, contents)}. {_REMEDY_KUBECONFIG}") from None


def _shown(error: Exception, contents: list[Any]) -> str:
    """The library's words, which may quote what it has read, without what must not be shown."""
    text = urls.shown_in(error)
    for secret in sorted(set(secrets_in(contents)), key=len, reverse=True):
        text = text.replace(secret, urls.LEFT_OUT)
    return visible(text)


def _read(path: str) -> Any:
    """The content of one kubeconfig file, None when there is no such file."""
    try:
        with open(os.path.expanduser(path), encoding="utf-8") as file:
            content = yaml.safe_load(file)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ClusterError(f"The kubeconfig {path} cannot be read: {error.strerror}. {_REMEDY_KUBECONFIG}") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        place = getattr(error, "problem_mark", None)
        where = f" (line {place.line + 1})" if place else ""
        raise ClusterError(f"The kubeconfig {path} is not YAML{where}. {_REMEDY_KUBECONFIG}") from error
    if not isinstance(content, dict):
        raise ClusterError(f"The kubeconfig {path} is not a kubeconfig: no mapping of keys. {_REMEDY_KUBECONFIG}")
    return content


def _no_kubeconfig(path: str, options: Options) -> ClusterError:
    if options.kubeconfig:
        return ClusterError(f"There is no kubeconfig {path}. {_REMEDY_KUBECONFIG}")
    return ClusterError(
        f"No connection is given, this is not a pod, and there is no {path}. Remedy: name a kubeconfig "
        "(option kubeconfig, K8S_AUTH_KUBECONFIG or KUBECONFIG), or set K8S_AUTH_HOST and K8S_AUTH_API_KEY."
    )


def _check_context(name: str, contents: list[Any], wanted: str | None) -> None:
    lists = [content.get("contexts") for content in contents]
    items = [item for found in lists if isinstance(found, list) for item in found]
    contexts = [item.get("name") for item in items if isinstance(item, Mapping)]
    current = wanted or next((c["current-context"] for c in reversed(contents) if c.get("current-context")), None)
    known = ", ".join(str(context) for context in contexts) or "none at all"
    if not current:
        raise ClusterError(f"{name} has no current context. Remedy: set the option context to one of: {known}.")
    if current not in contexts:
        raise ClusterError(f"{name} has no context {current}. Remedy: set the option context to one of: {known}.")


def _override(options: Options, configuration: Any) -> None:
    """Options win over what the kubeconfig says, as in kubernetes.core."""
    if options.host:
        _require_url(options.host)
        configuration.host = options.host.rstrip("/")
    _require_url(configuration.host)
    for attribute, value in (
        ("verify_ssl", options.validate_certs),
        ("ssl_ca_cert", options.ca_cert),
        ("cert_file", options.client_cert),
        ("key_file", options.client_key),
        ("proxy", options.proxy),
        ("no_proxy", options.no_proxy),
    ):
        if value is not None:
            setattr(configuration, attribute, value)
    if options.api_key:
        configuration.api_key = {"BearerToken": f"Bearer {options.api_key}"}
        configuration.refresh_api_key_hook = None
    if options.proxy_headers:
        proxy_headers: dict[str, Any] = dict(options.proxy_headers)
        configuration.proxy_headers = urllib3.util.make_headers(**proxy_headers)
    configuration.connection_pool_maxsize = 8


def _require_url(host: Any) -> None:
    try:
        url = urlsplit(str(host))
    except ValueError:  # an opened bracket, for example
        url = urlsplit("")
    if url.scheme not in ("https", "http") or not url.hostname:
        raise ClusterError(
            f"The API server's address {urls.shown(host)} is no URL. Remedy: write it as https://address:port (option "
            "host or K8S_AUTH_HOST)."
        )


def _require_file(option: str, path: str | None) -> None:
    if path and not os.path.isfile(path):
        raise ClusterError(
            f"The file {path} of the option {option} does not exist. Remedy: correct the option or its environment "
            f"variable K8S_AUTH_{option.upper()}."
        )


_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


def sources(options: Options) -> tuple[list[tuple[Mapping[str, Any], str]], dict[str, str] | None]:
    """What a kubeconfig for other tools is made of, in the same order: kubeconfigs with their folders, a pod's account.

    Neither where the options are enough by themselves. Raises ClusterError.
    """
    require_library()
    if _is_enough(options):
        return [], None
    if not (options.kubeconfig or options.context):
        host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
        if host and os.path.isfile(f"{_ACCOUNT}/token"):
            server = f"https://{f'[{host}]' if ':' in host else host}:{port}"
            return [], {
                "server": server,
                "certificate-authority": f"{_ACCOUNT}/ca.crt",
                "tokenFile": f"{_ACCOUNT}/token",
            }
    named = options.kubeconfig or config.KUBE_CONFIG_DEFAULT_LOCATION
    if isinstance(named, Mapping):
        contents = [(named, os.getcwd())]
    else:
        paths = [os.path.abspath(os.path.expanduser(path)) for path in str(named).split(os.pathsep) if path]
        contents = [(content, os.path.dirname(path)) for path in paths if (content := _read(path)) is not None]
        if not contents:
            raise _no_kubeconfig(str(named), options)
    name = "The kubeconfig given as a dictionary" if isinstance(named, Mapping) else f"The kubeconfig {named}"
    _check_context(name, [content for content, dummy in contents], options.context)
    return contents, None
