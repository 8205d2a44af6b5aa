#!/usr/bin/python
# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: traffic_info
short_description: Say how secure the traffic was that a mesh's servers really saw
version_added: 0.1.0
author:
  - the meshproof.mtls authors (@meshproof)
description:
  - Asks a Prometheus, or reads access logs, and says for each source, destination and port how many requests and TCP
    connections of a window were mutual TLS.
  - Only what servers' proxies report counts. Clients' proxies say C(unknown) even under mutual TLS.
  - No data is V(unknown), never a pass. RV(unknown) says what was not seen, and why.
  - It says what was seen. What was not called in the window, or bypassed every proxy, is for M(meshproof.mtls.probe)
    and M(meshproof.mtls.status_info) to judge.
extends_documentation_fragment:
  - meshproof.mtls._cluster
  - meshproof.mtls._attributes
  - meshproof.mtls._attributes.info
  - meshproof.mtls._attributes.action_group
options:
  source:
    description:
      - V(prometheus) asks the Prometheus of O(prometheus).
      - V(access_log) reads the logs of the proxies of O(workloads) and O(namespaces) through the API server. Istio's
        own formats do not tell the security of a connection; the collection's C(docs/traffic.md) has those that do.
    type: str
    choices: [prometheus, access_log]
    default: prometheus
  prometheus:
    description: Where to ask. Its options are its own; those of the connection to the cluster do not count for a URL.
    type: dict
    suboptions:
      url:
        description:
          - Its URL, with the path under which it is served, if any. No cluster is contacted then.
          - Redirects are not followed.
        type: str
      service:
        description:
          - A Service, reached through the API server, as C(namespace/name:port), or C(namespace/https:name:port) where
            it speaks TLS. The port is a number or a name.
          - Needs the right to get C(services/proxy) there, as the ClusterRole C(meshproof-prometheus) of this
            collection has it.
        type: str
      token:
        description: A bearer token, for a URL only.
        type: str
      ca_path:
        description: A file with the CA that verifies the URL's certificate. Without it this machine's own list counts.
        type: path
      validate_certs:
        description: Whether to verify the URL's certificate.
        type: bool
        default: true
      timeout:
        description: So many seconds each answer may take in all.
        type: int
        default: 30
  window:
    description:
      - Look so far back, in seconds, or as numbers with V(s), V(m), V(h), V(d) or V(w), such as V(5m) or V(1h30m).
      - For a Prometheus choose at least four times its scrape interval.
    type: str
    default: 1h
  namespaces:
    description: Only traffic to workloads of these namespaces.
    type: list
    elements: str
    default: []
  workloads:
    description:
      - Only traffic to these workloads, as C(namespace/name), or by the ids that M(meshproof.mtls.status_info) returns,
        and to the workloads of O(namespaces).
      - For O(source=access_log) these or O(namespaces) are required.
    type: list
    elements: str
    default: []
  min_requests:
    description: With fewer requests a row is no evidence of mutual TLS, but V(unknown). Plaintext counts at once.
    type: int
    default: 1
  tail_lines:
    description:
      - So many lines are read of each log at most, the last ones.
      - Where a log has more in the window, mutual TLS becomes V(unknown).
    type: int
    default: 10000
  total_timeout:
    description:
      - Seconds for all logs together, or for the questions to a Prometheus. What was not read by then is unknown.
      - By default 300 seconds for logs, and for a Prometheus ten times the time that one answer may take.
    type: int
seealso:
  - module: meshproof.mtls.status_info
  - module: meshproof.mtls.probe
"""

EXAMPLES = r"""
- name: Ask a Prometheus about the last hour
  meshproof.mtls.traffic_info:
    prometheus:
      url: https://prometheus.example.com
      token: "{{ prometheus_token }}"
      ca_path: /etc/ssl/prometheus-ca.pem
  register: seen

- name: Show what was not mutual TLS
  ansible.builtin.debug:
    msg: "{{ seen.traffic | rejectattr('security', 'eq', 'mutual_tls') }}"

- name: Ask the Prometheus inside the cluster, which is exposed nowhere
  meshproof.mtls.traffic_info:
    prometheus:
      service: istio-system/prometheus:9090
    namespaces:
      - demo
    window: 1d
  register: seen

- name: Stop unless everything that demo was asked was mutual TLS, and something was asked
  ansible.builtin.assert:
    that:
      - seen.traffic | length > 0
      - seen.traffic | rejectattr('security', 'eq', 'mutual_tls') | length == 0
      - seen.unknown | length == 0

- name: Read access logs where there is no Prometheus
  meshproof.mtls.traffic_info:
    source: access_log
    workloads:
      - demo/service-a
    window: 10m
  register: seen
"""

RETURN = r"""
traffic:
  description: One item for each source, destination, port and protocol, sorted by destination.
  returned: success
  type: list
  elements: dict
  contains:
    source:
      description: Who called.
      type: dict
      returned: always
      contains:
        workload:
          description: As C(namespace/name), null where it is not known. Without mutual TLS it is a guess by address.
          type: str
          returned: always
          sample: demo/service-b
        principal:
          description: The identity in the caller's certificate, null without one.
          type: str
          returned: always
          sample: spiffe://cluster.local/ns/demo/sa/service-b
    destination:
      description: Who was called.
      type: dict
      returned: always
      contains:
        workload:
          description: As C(namespace/name).
          type: str
          returned: always
          sample: demo/service-a
        service:
          description: As C(namespace/name), null where it is not known, as in access logs and for calls by pod IP.
          type: str
          returned: always
          sample: demo/service-a
        principal:
          description: The identity that the server showed, null where it is not known.
          type: str
          returned: always
          sample: spiffe://cluster.local/ns/demo/sa/service-a
    port:
      description:
        - The container's port. Istio's standard metrics have none, and it is null then; C(docs/traffic.md) shows how to
          add it.
      type: int
      returned: always
      sample: 8080
    protocol:
      description: V(http), V(grpc) or V(tcp). Access logs do not tell gRPC from HTTP.
      type: str
      returned: always
      sample: http
    exporter:
      description:
        - The pod that says so, as C(namespace/name), where it is none of the server's own. Such a row is V(unknown),
          and takes nothing away from others. C(docs/traffic.md) says how pods are told apart.
      type: str
      returned: always
      sample: null
    requests:
      description: Requests, or for TCP connections, in the window. Prometheus estimates it.
      type: int
      returned: always
      sample: 1200
    mutual_tls:
      description: How many of them were mutual TLS.
      type: int
      returned: always
      sample: 1200
    share:
      description: Their share, from 0 to 1, rounded down; 1 means that there was nothing else.
      type: float
      returned: always
      sample: 1.0
    security:
      description:
        - V(mutual_tls) when all were; V(plaintext) when for some the proxy ended no mutual TLS, and for none it did;
          V(mixed) when it did for some; V(unknown) otherwise.
        - For TCP, V(plaintext) also covers an application's own TLS, which a proxy cannot tell apart.
      type: str
      returned: always
      sample: mutual_tls
window:
  description: How far back this looks, in seconds.
  returned: success
  type: int
  sample: 3600
source:
  description: V(prometheus) or V(access_log).
  returned: success
  type: str
  sample: prometheus
queries:
  description: The PromQL that was asked, for requests, for connections, and who reports; empty for access logs.
  returned: success
  type: list
  elements: str
  sample:
    - 'sum by (source_workload) (increase(istio_requests_total{reporter="destination"}[1h]))'
unknown:
  description: What was not seen, or cannot be told.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: Always V(Traffic).
      type: str
      returned: always
      sample: Traffic
    namespace:
      description: Of which namespace's servers, null where it concerns all.
      type: str
      returned: always
      sample: demo
    reason:
      description: Why, with the remedy.
      type: str
      returned: always
      sample: the proxies report, but nothing was called in the last 1h
    touches:
      description: What it leaves open.
      type: str
      returned: always
      sample: traffic to demo
summary:
  description: How many rows there are of each security, with all their requests, and those of mutual TLS.
  returned: success
  type: dict
  sample: {total: 2, by_security: {mutual_tls: 1, plaintext: 1}, requests: 1210, mutual_tls: 1200}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.meshproof.mtls.plugins.module_utils import _cluster as api
from ansible_collections.meshproof.mtls.plugins.module_utils._io import edge
from ansible_collections.meshproof.mtls.plugins.module_utils._source import traffic
from ansible_collections.meshproof.mtls.plugins.module_utils._source.options import TrafficOptions


def main() -> None:
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=traffic.ARGUMENT_SPEC,
        required_if=[("source", "prometheus", ["prometheus"])],
        supports_check_mode=True,
    )
    with edge.reported(module, "reading what telemetry saw"):
        run(module)


def run(module: AnsibleModule) -> None:
    """Ask, count, return."""
    options = TrafficOptions.of(module.params)
    module.no_log_values.update([*api.secrets_of(module.params), *options.secrets()])
    try:
        result = traffic.read(options, lambda: api.connect(module.params))
    except (api.ClusterError, traffic.TrafficError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
