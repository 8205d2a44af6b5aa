# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recorded answers, and made-up ones where no lab makes them."""

from __future__ import annotations

import json
from pathlib import Path

RECORDED = Path(__file__).with_name("recorded")
_TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3."
_FILTERS = "type.googleapis.com/envoy.extensions.filters."


def recorded(name):
    """What a real proxy answered, see record.py."""
    return json.loads((RECORDED / f"{name}.json").read_text())


def configs(name, what):
    """The items of one of its dumps."""
    return recorded(name)[what]["configs"]


def context(kind, **common):
    """A TLS transport socket: fields of the common TLS context, and in upper case those beside it."""
    beside = {name.lower(): common.pop(name) for name in list(common) if name.isupper()}
    config = {"@type": f"{_TLS}{kind}", "common_tls_context": common, **beside}
    return {"name": "envoy.transport_sockets.tls", "typed_config": config}


def mesh(certificate="default", root="ROOTCA", **more):
    """The fields with which Istio names the mesh's certificate and root."""
    return {
        "tls_certificate_sds_secret_configs": [{"name": certificate}],
        "combined_validation_context": {
            "default_validation_context": more,
            "validation_context_sds_secret_config": {"name": root},
        },
    }


MESH = context("DownstreamTlsContext", **mesh(), REQUIRE_CLIENT_CERTIFICATE=True)


def chain(socket=None, cluster="inbound|8080||", http=False, **match):
    """A filter chain with a match and a transport socket."""
    kind = "network.http_connection_manager.v3.HttpConnectionManager" if http else "network.tcp_proxy.v3.TcpProxy"
    return {
        "filter_chain_match": match,
        "filters": [{"name": "f", "typed_config": {"@type": f"{_FILTERS}{kind}", "cluster": cluster}}],
        **({"transport_socket": socket} if socket else {}),
    }


def listener(*chains, inspect=True, disabled=None, more_filters=(), **more):
    """A listener with these filter chains, and the TLS inspector before them."""
    inspector = listener_filter("tls_inspector.v3.TlsInspector", disabled)
    filters = [listener_filter("original_dst.v3.OriginalDst"), *([inspector] if inspect else []), *more_filters]
    return {"filter_chains": list(chains), "listener_filters": filters, **more}


def listener_filter(kind, disabled=None):
    """A listener filter, and the ports for which it is switched off."""
    found = {"typed_config": {"@type": f"{_FILTERS}listener.{kind}"}}
    return {**found, "filter_disabled": disabled} if disabled else found


def dump(**listeners):
    """The items of a dump of active listeners."""
    return [{"name": name, "active_state": {"listener": item}} for name, item in listeners.items()]
