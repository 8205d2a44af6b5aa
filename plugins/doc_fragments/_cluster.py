# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection options, written once."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of every module that reads a cluster; names and environment variables are kubernetes.core's."""

    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - A kubeconfig, as the path of a file or as a dictionary.
      - Without any connection option the environment decides, then the service account of the pod that this runs in,
        then E(KUBECONFIG) or C(~/.kube/config).
      - The environment variable is E(K8S_AUTH_KUBECONFIG).
    type: raw
  context:
    description: The kubeconfig's context to use. The environment variable is E(K8S_AUTH_CONTEXT).
    type: str
  host:
    description: The API server's URL. The environment variable is E(K8S_AUTH_HOST).
    type: str
  api_key:
    description: A bearer token. The environment variable is E(K8S_AUTH_API_KEY).
    type: str
  username:
    description: The user for basic authentication. The environment variable is E(K8S_AUTH_USERNAME).
    type: str
  password:
    description: The password for basic authentication. The environment variable is E(K8S_AUTH_PASSWORD).
    type: str
  validate_certs:
    description: Whether to verify the API server's certificate. The environment variable is E(K8S_AUTH_VERIFY_SSL).
    type: bool
    aliases: [verify_ssl]
  ca_cert:
    description: A file with the API server's CA. The environment variable is E(K8S_AUTH_SSL_CA_CERT).
    type: path
    aliases: [ssl_ca_cert]
  client_cert:
    description: A file with a client certificate. The environment variable is E(K8S_AUTH_CERT_FILE).
    type: path
    aliases: [cert_file]
  client_key:
    description: A file with the client certificate's key. The environment variable is E(K8S_AUTH_KEY_FILE).
    type: path
    aliases: [key_file]
  proxy:
    description: The URL of an HTTP proxy. The environment variable is E(K8S_AUTH_PROXY).
    type: str
  no_proxy:
    description: Hosts that are reached without the proxy. The environment variable is E(K8S_AUTH_NO_PROXY).
    type: str
  proxy_headers:
    description: Headers for the proxy. The environment variables begin with C(K8S_AUTH_PROXY_HEADERS_).
    type: dict
    suboptions:
      proxy_basic_auth:
        description: User and password for the proxy, as C(user:password).
        type: str
      basic_auth:
        description: User and password for basic authentication, as C(user:password).
        type: str
      user_agent:
        description: The user agent that the proxy sees.
        type: str
  persist_config:
    description:
      - Whether a token that was renewed is written back into the kubeconfig.
      - The environment variable is E(K8S_AUTH_PERSIST_CONFIG).
    type: bool
  impersonate_user:
    description: The user to act as. The environment variable is E(K8S_AUTH_IMPERSONATE_USER).
    type: str
  impersonate_groups:
    description: The groups to act as. The environment variable is E(K8S_AUTH_IMPERSONATE_GROUPS), with commas.
    type: list
    elements: str
  read_timeout:
    description:
      - The seconds that reading the cluster's objects may take in all, however slowly they come.
      - What has not been read by then is unread, and everything that depends on it is unknown.
    type: int
    default: 1800
requirements:
  - python >= 3.9
  - kubernetes >= 24.2.0 (the Python library)
"""
