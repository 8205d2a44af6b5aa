# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What listeners accept: as recorded of real proxies, and in the corners."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.envoy import listeners
from ansible_collections.meshproof.mtls.plugins.module_utils._foreign.unreadable import Unreadable
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._evidence.envoy.answers import (
    MESH,
    chain,
    configs,
    context,
    dump,
    listener,
    listener_filter,
    mesh,
)

WANTED = (8080, 8081, 8082)
ISTIO = ["istio", "istio-http/1.1"]
OWN = context("DownstreamTlsContext", **mesh("kubernetes://own", "kubernetes://own-cacert"))
OWN_MUTUAL = context(
    "DownstreamTlsContext", **mesh("kubernetes://own", "kubernetes://own-cacert"), REQUIRE_CLIENT_CERTIFICATE=True
)
FILES = context(
    "DownstreamTlsContext",
    **mesh("file-cert:/etc/c~/etc/k", "file-root:/etc/r", match_subject_alt_names=[{"prefix": "spiffe://x/"}]),
    REQUIRE_CLIENT_CERTIFICATE={"value": True},
)
ANY_CERTIFICATE = context(
    "DownstreamTlsContext",
    tls_certificate_sds_secret_configs=[{"name": "default"}],
    REQUIRE_CLIENT_CERTIFICATE=True,
)
UNTRUSTED = context(
    "DownstreamTlsContext", **mesh(trust_chain_verification="ACCEPT_UNTRUSTED"), REQUIRE_CLIENT_CERTIFICATE=True
)
FOREIGN = {"name": "envoy.transport_sockets.starttls", "typed_config": {"@type": "type.googleapis.com/x.StartTls"}}
TLS_OFF = {"or_match": {"rules": [{"destination_port_range": {"start": 8080, "end": 8081}}]}}
HTTP_INSPECTOR = listener_filter("http_inspector.v3.HttpInspector")
TLS_ON = {"not_match": TLS_OFF}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("strict", {8080: ("strict", True), 8081: ("strict", False), 8082: ("strict", True)}),
        ("open", {8080: ("permissive", True), 8081: ("permissive", False), 8082: ("permissive", True)}),
        ("off", {8080: ("plaintext", True), 8081: ("plaintext", False), 8082: ("plaintext", True)}),
        ("ports", {8080: ("permissive", True), 8081: ("plaintext", False), 8082: ("strict", True)}),
    ],
)
def test_recorded_of_a_real_sidecar(name, expected):
    found = listeners.ports(configs(name, "listeners"), WANTED)
    assert {port.port: (port.accepts, port.http) for port in found} == expected
    for port in found:
        assert port.tls_versions == (() if port.accepts == "plaintext" else ("TLSv1_2", "TLSv1_3"))
        assert ("no filter chain of its own" in port.reason) == (port.port == 8082)


@pytest.mark.parametrize("name", ["strict", "open", "off"])
def test_what_no_listener_takes_goes_out_in_plaintext_by_default(name):
    assert listeners.passthrough(configs(name, "listeners")) is True


@pytest.mark.parametrize(
    ("clusters", "expected"),
    [(["BlackHoleCluster"], False), (["BlackHoleCluster", "PassthroughCluster"], True), (["other"], None), ([], None)],
)
def test_passthrough(clusters, expected):
    outbound = listener(
        chain(cluster="BlackHoleCluster", destination_port=15001), *(chain(cluster=c) for c in clusters)
    )
    assert listeners.passthrough(dump(virtualOutbound=outbound)) is expected


@pytest.mark.parametrize(
    ("cluster", "expected"), [("PassthroughCluster", True), ("BlackHoleCluster", False), ("other", None)]
)
def test_what_no_chain_takes_goes_where_the_default_one_leads(cluster, expected):
    outbound = {**listener(chain(cluster="BlackHoleCluster")), "default_filter_chain": chain(cluster=cluster)}
    assert listeners.passthrough(dump(virtualOutbound=outbound)) is expected


@pytest.mark.parametrize(
    ("chains", "options", "accepts", "words"),
    [
        pytest.param([chain(MESH)], {}, "strict", "every filter chain", id="a chain for everything demands it"),
        pytest.param([chain(FILES)], {}, "strict", "every filter chain", id="the mesh's certificates from files"),
        pytest.param([chain(MESH), chain(None, transport_protocol="raw_buffer")], {}, "permissive", "and plaintext",
                     id="an EnvoyFilter adds plaintext"),
        pytest.param([chain(MESH, transport_protocol="tls", application_protocols=ISTIO),
                      chain(None, transport_protocol="tls")], {}, "permissive", "unread",
                     id="TLS that is not Istio's passes through"),
        pytest.param([chain(MESH, transport_protocol="tls", application_protocols=ISTIO),
                      chain(OWN, transport_protocol="tls", application_protocols=["spdy/9"])], {}, "permissive",
                     "without a client certificate", id="a chain for a protocol of its own"),
        pytest.param([chain(MESH, transport_protocol="tls", application_protocols=ISTIO),
                      chain(None, transport_protocol="tls", application_protocols=["spdy/9"])], {}, "permissive",
                     "unread", id="TLS of a protocol of its own is passed on"),
        pytest.param([chain(MESH, transport_protocol="tls", application_protocols=ISTIO),
                      chain(OWN, transport_protocol="tls")], {}, "permissive", "without a client certificate",
                     id="TLS of its own beside it"),
        pytest.param([chain(MESH, transport_protocol="tls", application_protocols=ISTIO),
                      chain(OWN_MUTUAL, transport_protocol="tls")], {}, "unknown", "not the mesh's",
                     id="mutual TLS of its own beside it"),
        pytest.param([chain(None)], {}, "plaintext", "no filter chain takes mutual TLS", id="no TLS at all"),
        pytest.param([chain(None, transport_protocol="tls")], {}, "plaintext", "no filter chain takes mutual TLS",
                     id="only TLS, passed on unread"),
        pytest.param([chain(ANY_CERTIFICATE)], {}, "plaintext", "without a client certificate",
                     id="a certificate is demanded and not checked"),
        pytest.param([chain(UNTRUSTED)], {}, "plaintext", "without a client certificate",
                     id="untrusted ones are taken"),
        pytest.param([chain(OWN)], {}, "plaintext", "TLS of its own", id="one-way TLS"),
        pytest.param([chain(OWN, transport_protocol="tls")], {}, "plaintext", "TLS of its own",
                     id="one-way TLS and nothing for plaintext"),
        pytest.param([chain(OWN_MUTUAL)], {}, "unknown", "not the mesh's", id="mutual TLS of its own"),
        pytest.param([chain(OWN_MUTUAL, transport_protocol="tls")], {}, "unknown", "not the mesh's",
                     id="the same and nothing for plaintext"),
        pytest.param([chain(FOREIGN)], {}, "unknown", "starttls", id="a transport socket nobody knows"),
        pytest.param([chain(MESH), chain(FOREIGN, server_names=["x"])], {}, "unknown", "starttls",
                     id="one nobody knows for one server name"),
        pytest.param([chain(MESH), chain(None, prefix_ranges=[{"address_prefix": "10.0.0.1"}])], {}, "permissive",
                     "and plaintext", id="plaintext to one address"),
        pytest.param([chain(MESH), chain(None, source_prefix_ranges=[{"address_prefix": "10.0.0.1"}])], {},
                     "permissive", "and plaintext", id="plaintext from one address"),
        pytest.param([chain(MESH), chain(None, server_names=["x"], transport_protocol="raw_buffer")], {}, "strict",
                     "every filter chain", id="plaintext has no server name"),
        pytest.param([chain(None), chain(MESH, destination_port=8080)], {}, "strict", "every filter chain",
                     id="a port with chains of its own does not fall back"),
        pytest.param([chain(MESH), chain(None, destination_port=8080, transport_protocol="raw_buffer")], {},
                     "plaintext", "no filter chain takes mutual TLS", id="nor where its own take less"),
        pytest.param([chain(MESH, transport_protocol="tls"), chain(None, transport_protocol="raw_buffer")],
                     {"inspect": False}, "plaintext", "no filter chain takes mutual TLS",
                     id="without the inspector everything is plaintext"),
        pytest.param([chain(MESH, transport_protocol="tls"), chain(None, transport_protocol="raw_buffer")],
                     {"disabled": TLS_OFF}, "plaintext", "no filter chain takes mutual TLS",
                     id="the inspector is switched off for the port"),
        pytest.param([chain(MESH, transport_protocol="tls")], {"disabled": TLS_ON}, "strict", "every filter chain",
                     id="it is switched off for all other ports"),
        pytest.param([chain(MESH, transport_protocol="tls")], {"default_filter_chain": chain(None)}, "permissive",
                     "and plaintext", id="the default chain takes the rest"),
        pytest.param([chain(MESH, transport_protocol="tls", application_protocols=ISTIO),
                      chain(MESH, transport_protocol="tls"),
                      chain(OWN, transport_protocol="tls", application_protocols=["acme"])], {}, "permissive",
                     "without a client certificate", id="one-way TLS by an application protocol of its own"),
        pytest.param([chain(MESH, transport_protocol="tls"),
                      chain(None, transport_protocol="tls", application_protocols=["acme"])], {}, "permissive",
                     "unread", id="TLS passed through by an application protocol of its own"),
        pytest.param([chain(MESH), chain(OWN, server_names=["a.example", "b.example"], transport_protocol="tls",
                                         application_protocols=["acme"])], {}, "permissive",
                     "without a client certificate", id="one-way TLS for a server name and a protocol"),
        pytest.param([chain(MESH), chain(OWN, source_ports=[4000])], {}, "permissive", "without a client certificate",
                     id="one-way TLS from a source port"),
        pytest.param([chain(MESH), chain(OWN, direct_source_prefix_ranges=[{"address_prefix": "10.0.0.1"}])], {},
                     "permissive", "without a client certificate", id="one-way TLS from a peer's address"),
        pytest.param([chain(MESH), chain(OWN, source_type="SAME_IP_OR_LOOPBACK")], {}, "permissive",
                     "without a client certificate", id="one-way TLS from the pod itself"),
        pytest.param([chain(MESH, prefix_ranges=[{"address_prefix": "10.0.0.0", "prefix_len": 8}]),
                      chain(OWN, prefix_ranges=[{"address_prefix": "10.1.0.0", "prefix_len": 16},
                                                {"address_prefix": "10.0.0.0", "prefix_len": 8}])], {}, "permissive",
                     "without a client certificate", id="one-way TLS for one of several addresses"),
        pytest.param([chain(MESH, transport_protocol="tls"), chain(OWN)], {}, "strict", "every filter chain",
                     id="a chain for TLS hides those for any transport"),
        pytest.param([chain(MESH, transport_protocol="tls"),
                      chain(None, transport_protocol="raw_buffer", application_protocols=["h2c"])],
                     {"more_filters": [HTTP_INSPECTOR]}, "permissive", "and plaintext",
                     id="plaintext by its version of HTTP"),
        pytest.param([chain(MESH, transport_protocol="tls"),
                      chain(None, transport_protocol="raw_buffer", application_protocols=["h2c"])], {}, "strict",
                     "every filter chain", id="which nobody looks for"),
        pytest.param([chain(MESH, transport_protocol="tls"), chain(None, destination_port=9999)],
                     {"more_filters": [listener_filter("proxy_protocol.v3.ProxyProtocol")]}, "permissive",
                     "and plaintext", id="a listener filter that may change where a caller seems to go"),
        pytest.param([chain(MESH, transport_protocol="tls", application_protocols=ISTIO)],
                     {"default_filter_chain": chain(OWN)}, "permissive", "without a client certificate",
                     id="the default chain takes other protocols"),
        pytest.param([chain(MESH, source_prefix_ranges=[{"address_prefix": "10.0.0.0", "prefix_len": 8}])],
                     {"default_filter_chain": chain(None)}, "permissive", "and plaintext",
                     id="the default chain takes other sources"),
        pytest.param([chain(MESH, prefix_ranges=[{"address_prefix": "10.0.0.0", "prefix_len": 8}])],
                     {"default_filter_chain": chain(None)}, "permissive", "and plaintext",
                     id="the default chain takes other addresses"),
        pytest.param([chain(MESH, prefix_ranges=[{"address_prefix": "10.0.0.0", "prefix_len": {"value": 8}}])],
                     {"default_filter_chain": chain(None)}, "permissive", "and plaintext",
                     id="as older dumps write a length"),
        pytest.param([chain(MESH, prefix_ranges=[{"address_prefix": "0.0.0.0"}])],
                     {"default_filter_chain": chain(None)}, "strict", "every filter chain",
                     id="an address without a length leaves none to the default chain"),
        pytest.param([chain(MESH)], {"default_filter_chain": chain(None)}, "strict", "every filter chain",
                     id="the default chain takes nobody where another takes all"),
        pytest.param([chain(None, cluster="BlackHoleCluster")], {}, "unknown", "no filter chain takes a connection",
                     id="a black hole accepts nothing"),
        pytest.param([], {}, "unknown", "no filter chain takes a connection", id="no chain at all"),
        pytest.param([chain(MESH)], {"filter_chain_matcher": {"matcher_tree": {}}}, "unknown", "matcher tree",
                     id="another way of picking chains"),
    ],
)  # fmt: skip
def test_what_callers_of_a_port_meet(chains, options, accepts, words):
    found = listeners.accepted(listener(*chains, **options), 8080)
    assert (found.port, found.accepts) == (8080, accepts)
    assert words in found.reason


def test_the_listeners_own_port_is_nobodys():
    own = listener(
        chain(cluster="BlackHoleCluster", destination_port=15006),
        chain(MESH, destination_port={"value": 9000}),
        address={"socket_address": {"port_value": 15006}},
    )
    assert [port.port for port in listeners.ports(dump(virtualInbound=own), ())] == [9000]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"warming_state": {"listener": {}}}, "warming up"),
        ({"error_state": {"details": "no such filter"}}, "no such filter"),
    ],
)
def test_a_listener_that_is_not_active_accepts_nobody_knows_what(state, words):
    [port] = listeners.ports([{"name": "virtualInbound", **state}], [8080])
    assert port.accepts == "unknown"
    assert words in port.reason


def test_each_listener_of_a_gateway_is_a_port():
    own = {"socket_address": {"port_value": 8443}}
    found = listeners.ports(
        dump(**{"0.0.0.0_8443": listener(chain(MESH), address=own), "virtualOutbound": listener()}),
        [8080],
        gateway=True,
    )
    assert [(port.port, port.accepts) for port in found] == [(8080, "unknown"), (8443, "strict")]


@pytest.mark.parametrize(
    ("name", "gateway"), [("virtualInbound", True), ("virtualOutbound", True), ("virtualOutbound", False)]
)
def test_the_listeners_of_interception_are_no_ports(name, gateway):
    """Others behind them in the dump are."""
    at = [{"address": {"socket_address": {"port_value": number}}} for number in (15006, 8443)]
    given = {name: listener(chain(None), traffic_direction="INBOUND", **at[0])}
    given["own"] = listener(chain(MESH), traffic_direction="INBOUND", **at[1])
    found = listeners.ports(dump(**given), [], gateway=gateway)
    assert [(port.port, port.accepts) for port in found] == [(8443, "strict")]


def test_without_interception_inbound_listeners_are_ports():
    own = {"socket_address": {"port_value": 8080}}
    found = listeners.ports(
        dump(
            **{
                "10.0.0.1_8080": listener(chain(None), address=own, traffic_direction="INBOUND"),
                "0.0.0.0_80": listener(chain(None), address=own, traffic_direction="OUTBOUND"),
            }
        ),
        [8080],
    )
    assert [(port.port, port.accepts) for port in found] == [(8080, "plaintext")]


@pytest.mark.parametrize("broken", [None, 1, "x", [], {"name": "virtualInbound", "active_state": {"listener": 3}}])
def test_nonsense_is_unknown(broken):
    assert [port.accepts for port in listeners.ports([broken], [8080])] == ["unknown"]


def inbound(**more):
    """A listener with one chain for everybody, which demands the mesh's certificate."""
    return listener(chain(MESH), **more)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param(dump(virtualInbound=inbound()) * 2, "it is there twice", id="two of one name"),
        pytest.param(dump(virtualInbound=inbound(use_original_dst=True)), "hands connections over",
                     id="others get its connections"),
        pytest.param(dump(virtualInbound=inbound(listener_filters=[])), "does not look which port",
                     id="the dialled port is not restored"),
    ],
)  # fmt: skip
def test_an_inbound_listener_that_may_not_decide(given, words):
    [port] = listeners.ports(given, [8080])
    assert port.accepts == "unknown"
    assert words in port.reason


def test_where_packets_keep_their_port_it_need_not_be_restored():
    transparent = listener(chain(MESH), transparent=True, listener_filters=[])
    assert [port.accepts for port in listeners.ports(dump(virtualInbound=transparent), [8080])] == ["strict"]


def test_of_several_listeners_at_one_port_the_worst_counts():
    own = {"socket_address": {"port_value": 8443}}
    given = dump(a=listener(chain(None), address=own), b=listener(chain(MESH), address=own))
    for order in (given, given[::-1]):
        assert [port.accepts for port in listeners.ports(order, (), gateway=True)] == ["plaintext"]


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(listener(chain(MESH, destination_port=8080.0)), id="a fraction is no port"),
        pytest.param(listener(chain(MESH, destination_port="\u00b2")), id="a superscript is no port"),
        pytest.param(listener(chain(MESH, destination_port=70000)), id="a number beyond all ports"),
        pytest.param(listener(chain(MESH), disabled={"destination_port_range": {"start": "x"}}), id="a range"),
        pytest.param(
            listener(chain(MESH, prefix_ranges=[{"address_prefix": str(n), "prefix_len": 8} for n in range(300)],
                           server_names=[str(n) for n in range(300)])), id="matches that multiply"
        ),
    ],
)  # fmt: skip
def test_a_listener_that_is_not_envoys(broken):
    with pytest.raises(Unreadable, match="has a"):
        listeners.ports(dump(virtualInbound=broken), [8080])


def test_ports_and_rules_that_multiply_are_refused():
    rules = [{"destination_port_range": {"start": number, "end": number + 1}} for number in range(3000)]
    chains = [chain(MESH, destination_port=number) for number in range(1, 3000)]
    with pytest.raises(Unreadable, match="more rules"):
        listeners.ports(dump(virtualInbound=listener(*chains, disabled={"or_match": {"rules": rules}})), ())


EVERYWHERE, NOWHERE = {"any_match": True}, {}
HERE, BESIDE = ({"destination_port_range": {"start": start, "end": start + 1}} for start in (8080, 8079))


@pytest.mark.parametrize(
    ("predicate", "off"),
    [
        pytest.param(EVERYWHERE, True, id="everywhere"),
        pytest.param(NOWHERE, False, id="nowhere"),
        pytest.param(HERE, True, id="the first port of a range"),
        pytest.param(BESIDE, False, id="a range ends before its end"),
        pytest.param({"destination_port_range": {"end": 9000}}, True, id="a range from the beginning"),
        pytest.param({"destination_port_range": {"start": 80}}, False, id="a range without an end"),
        pytest.param({"or_match": {"rules": [BESIDE, HERE]}}, True, id="one of them"),
        pytest.param({"or_match": {"rules": [BESIDE, NOWHERE]}}, False, id="none of them"),
        pytest.param({"and_match": {"rules": [EVERYWHERE, HERE]}}, True, id="all of them"),
        pytest.param({"and_match": {"rules": [EVERYWHERE, BESIDE]}}, False, id="not all of them"),
        pytest.param({"not_match": BESIDE}, True, id="not there"),
        pytest.param({"not_match": HERE}, False, id="not here"),
    ],
)
def test_where_a_listener_filter_is_switched_off(predicate, off):
    """Without its inspector a listener takes TLS for plaintext, so that a chain for TLS gets nothing."""
    given = listener(chain(MESH, transport_protocol="tls"), disabled=predicate)
    assert listeners.accepted(given, 8080).accepts == ("unknown" if off else "strict")


@pytest.mark.parametrize(
    ("chains", "http"),
    [
        pytest.param([chain(MESH, http=True)], True, id="an HTTP manager"),
        pytest.param([chain(MESH)], False, id="a TCP proxy"),
        pytest.param([chain(MESH), chain(MESH, http=True, source_ports=[4000])], True, id="one of two chains"),
        pytest.param([{**chain(MESH), "filters": [*chain(MESH)["filters"], *chain(MESH, http=True)["filters"]]}], True,
                     id="behind another filter"),
        pytest.param([{**chain(MESH), "filters": []}], False, id="no filter"),
        pytest.param([chain(MESH, http=True, cluster="BlackHoleCluster")], True,
                     id="whatever an HTTP manager's cluster is called"),
    ],
)  # fmt: skip
def test_whether_a_port_speaks_http(chains, http):
    assert listeners.accepted(listener(*chains), 8080).http is http


@pytest.mark.parametrize(
    ("number", "others", "expected"),
    [
        pytest.param(15006, [9000], [9000], id="but for the listener's own"),
        pytest.param(None, [9000], [9000], id="of a listener that does not say where it listens"),
        pytest.param(None, [1], [1], id="the smallest there is"),
        pytest.param(15006, [9000, 80], [80, 9000], id="in their order"),
        pytest.param(15006, [], [], id="none"),
    ],
)
def test_the_ports_of_a_listener_are_those_of_its_chains(number, others, expected):
    address = {"address": {"socket_address": {"port_value": number}}} if number else {}
    chains = [chain(MESH), *(chain(MESH, destination_port=port) for port in (number, *others) if port)]
    given = dump(virtualInbound=listener(*chains, **address))
    assert [port.port for port in listeners.ports(given, ())] == expected
