// Copyright (c) 2026, the meshproof.mtls authors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"fmt"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/pkg/networking/util"
	"istio.io/istio/pilot/pkg/simulation"
	"istio.io/istio/pilot/pkg/xds/endpoints"
	"istio.io/istio/pilot/test/xdstest"
	"istio.io/istio/pkg/config/constants"
)

// Accepts is what one inbound port does with three kinds of callers, each trying HTTP and TCP.
type Accepts struct {
	Plaintext bool `json:"plaintext"`
	// MTLS: Istio mTLS is accepted and decrypted by the proxy.
	MTLS bool `json:"mtls"`
	// TLS: TLS without a mesh certificate reaches the application.
	TLS bool `json:"tls"`
	// Trusts are the trust domains of which a peer must be; empty for any.
	Trusts []string `json:"trusts"`
}

// Cluster is what is sent for one destination, port and subset.
type Cluster struct {
	Type string `json:"type"`
	// Any is what an endpoint without metadata gets, Auto whether endpoints are told apart.
	Any       string     `json:"any"`
	Auto      bool       `json:"auto"`
	Endpoints []Endpoint `json:"endpoints"`
	// Identities are the subject alternative names of which a server must show one; empty for any.
	Identities []string `json:"identities"`
}

// Endpoint is one endpoint with what is sent to it.
type Endpoint struct {
	Address string `json:"address"`
	Port    uint32 `json:"port"`
	TLS     string `json:"tls"`
}

func (p *plane) answer(asked ProxyQuestion, ports []int) *ProxyAnswer {
	proxy := p.proxy(asked)
	listeners := p.Listeners(proxy)
	result := &ProxyAnswer{
		Inbound: map[int]Accepts{}, Serves: map[int][]string{}, Clusters: map[string]Cluster{},
		Listeners: owners(listeners), Unmatched: unmatched(listeners),
	}
	if proxy.Type == model.SidecarProxy {
		for _, port := range ports {
			result.Inbound[port] = inbound(listeners, asked.Address, port)
		}
	}
	if proxy.Type == model.SidecarProxy && p.routed {
		result.Routing = p.routing(proxy, listeners)
	}
	if proxy.Type != model.SidecarProxy {
		result.Serves = serves(listeners)
	}
	for _, cluster := range p.Clusters(proxy) {
		if strings.HasPrefix(cluster.Name, string(model.TrafficDirectionOutbound)+"|") {
			result.Clusters[cluster.Name] = p.outbound(proxy, cluster)
		}
	}
	return result
}

// proxy does what istiod does when a proxy connects (xds/ads.go computeProxyState).
func (p *plane) proxy(asked ProxyQuestion) *model.Proxy {
	metadata := &model.NodeMetadata{
		Namespace:    asked.Namespace,
		Labels:       asked.Labels,
		ClusterID:    constants.DefaultClusterName,
		IstioVersion: "1.31.1",
	}
	if asked.OwnCerts {
		metadata.TLSClientCertChain, metadata.TLSClientKey, metadata.TLSClientRootCert = "/cert", "/key", "/root"
	}
	proxy := &model.Proxy{
		Type:            model.NodeType(asked.Type),
		ID:              asked.Name + "." + asked.Namespace,
		ConfigNamespace: asked.Namespace,
		DNSDomain:       asked.Namespace + ".svc.cluster.local",
		IPAddresses:     []string{asked.Address},
		Metadata:        metadata,
	}
	proxy.SetWorkloadLabels(p.Env())
	return p.SetupProxy(proxy)
}

// inbound calls a port of a sidecar through Istio's simulation of Envoy's filter chain matching.
func inbound(listeners []*listenerv3.Listener, address string, port int) Accepts {
	simulator := &simulation.Simulation{Listeners: listeners}
	var chain *listenerv3.FilterChain
	call := func(tls simulation.TLSMode, protocol simulation.Protocol) bool {
		chain = nil
		result := simulator.Run(simulation.Call{
			Address:  address,
			Port:     port,
			Protocol: protocol,
			TLS:      tls,
			CallMode: simulation.CallModeInbound,
			CustomListenerValidations: []simulation.CustomFilterChainValidation{
				func(found *listenerv3.FilterChain) error { chain = found; return nil },
			},
		})
		return result.Error == nil
	}
	var accepts Accepts
	for _, protocol := range []simulation.Protocol{simulation.HTTP, simulation.TCP} {
		accepts.Plaintext = call(simulation.Plaintext, protocol) || accepts.Plaintext
		accepts.TLS = (call(simulation.TLS, protocol) && chain.TransportSocket == nil) || accepts.TLS
		if call(simulation.MTLS, protocol) && chain.TransportSocket != nil {
			accepts.MTLS = true
			accepts.Trusts = trusts(chain)
		}
	}
	return accepts
}

// serves reads what each port of a gateway offers, from its filter chains.
func serves(listeners []*listenerv3.Listener) map[int][]string {
	found := map[int][]string{}
	for _, listener := range listeners {
		port := int(listener.GetAddress().GetSocketAddress().GetPortValue())
		if port == 0 {
			continue // one inside of the proxy
		}
		for _, chain := range append(listener.FilterChains, listener.DefaultFilterChain) {
			if chain == nil {
				continue
			}
			named := ""
			if len(chain.GetFilterChainMatch().GetServerNames()) > 0 {
				named = ":named"
			}
			found[port] = append(found[port], offer(chain)+named)
		}
	}
	return found
}

func offer(chain *listenerv3.FilterChain) string {
	if chain.TransportSocket == nil {
		match := chain.GetFilterChainMatch()
		if len(match.GetServerNames()) > 0 || match.GetTransportProtocol() == "tls" {
			return "passthrough"
		}
		return "plaintext"
	}
	context := &tlsv3.DownstreamTlsContext{}
	if chain.TransportSocket.GetTypedConfig().UnmarshalTo(context) != nil {
		return chain.TransportSocket.Name
	}
	secrets := context.GetCommonTlsContext().GetTlsCertificateSdsSecretConfigs()
	if context.GetRequireClientCertificate().GetValue() && len(secrets) == 1 && secrets[0].Name == "default" {
		return "mtls"
	}
	return "tls"
}

// trusts reads the trust domains of which a filter chain accepts peers.
func trusts(chain *listenerv3.FilterChain) []string {
	context := &tlsv3.DownstreamTlsContext{}
	if chain.TransportSocket.GetTypedConfig().UnmarshalTo(context) != nil {
		return nil
	}
	var found []string
	validation := context.GetCommonTlsContext().GetCombinedValidationContext().GetDefaultValidationContext()
	for _, name := range validation.GetMatchSubjectAltNames() {
		found = append(found, name.GetPrefix())
	}
	return found
}

func (p *plane) outbound(proxy *model.Proxy, cluster *clusterv3.Cluster) Cluster {
	result := Cluster{
		Type: cluster.GetType().String(),
		Any:  sent(cluster, nil),
		Auto: len(cluster.TransportSocketMatches) > 0,
	}
	for _, match := range cluster.TransportSocketMatches {
		result.Identities = append(result.Identities, identities(match.TransportSocket)...)
	}
	result.Identities = append(result.Identities, identities(cluster.TransportSocket)...)
	assignment := cluster.LoadAssignment
	if assignment == nil {
		builder := endpoints.NewEndpointBuilder(cluster.Name, proxy, p.PushContext())
		assignment = builder.BuildClusterLoadAssignment(p.index)
	}
	for _, locality := range assignment.GetEndpoints() {
		for _, endpoint := range locality.LbEndpoints {
			address := endpoint.GetEndpoint().GetAddress().GetSocketAddress()
			result.Endpoints = append(result.Endpoints, Endpoint{
				Address: address.GetAddress(),
				Port:    address.GetPortValue(),
				TLS:     sent(cluster, endpoint),
			})
		}
	}
	return result
}

// sent is the transport socket that Envoy takes for an endpoint: the first match of its metadata, else the cluster's.
func sent(cluster *clusterv3.Cluster, endpoint *endpointv3.LbEndpoint) string {
	metadata := endpoint.GetMetadata().GetFilterMetadata()[util.EnvoyTransportSocketMetadataKey]
	for _, match := range cluster.TransportSocketMatches {
		if includes(metadata.GetFields(), match.GetMatch().GetFields()) {
			return kind(match.TransportSocket)
		}
	}
	return kind(cluster.TransportSocket)
}

func includes(have, want map[string]*structpb.Value) bool {
	for key, value := range want {
		if !proto.Equal(have[key], value) {
			return false
		}
	}
	return true
}

// kind names what a transport socket sends, in the words of the engine's client_tls.
func kind(socket *corev3.TransportSocket) string {
	context := upstream(socket)
	if context == nil {
		if socket == nil || socket.Name == "envoy.transport_sockets.raw_buffer" {
			return "plaintext"
		}
		return socket.Name
	}
	common := context.GetCommonTlsContext()
	secrets := common.GetTlsCertificateSdsSecretConfigs()
	switch {
	case len(secrets) == 0 && len(common.GetTlsCertificates()) == 0:
		return "simple"
	case len(secrets) == 1 && secrets[0].Name == "default":
		return "mtls"
	}
	return "mutual"
}

func upstream(socket *corev3.TransportSocket) *tlsv3.UpstreamTlsContext {
	context := &tlsv3.UpstreamTlsContext{}
	if socket == nil || socket.GetTypedConfig().UnmarshalTo(context) != nil {
		return nil
	}
	return context
}

// identities are the names of which a server's certificate must have one.
func identities(socket *corev3.TransportSocket) []string {
	var found []string
	validation := upstream(socket).GetCommonTlsContext().GetCombinedValidationContext().GetDefaultValidationContext()
	for _, name := range validation.GetMatchSubjectAltNames() {
		found = append(found, name.GetExact())
	}
	return found
}

// owners reads which cluster serves each address that a sidecar has an outbound listener of its own for. Headless
// Services over one pod and port have one listener together.
func owners(listeners []*listenerv3.Listener) map[string]string {
	found := map[string]string{}
	for _, listener := range listeners {
		address := listener.GetAddress().GetSocketAddress()
		if listener.TrafficDirection != corev3.TrafficDirection_OUTBOUND || address.GetAddress() == "0.0.0.0" {
			continue
		}
		for _, chain := range append(listener.FilterChains, listener.DefaultFilterChain) {
			if chain == nil {
				continue
			}
			if tcp := xdstest.ExtractTCPProxy(nil, chain); tcp.GetCluster() != "" {
				found[fmt.Sprintf("%s:%d", address.GetAddress(), address.GetPortValue())] = tcp.GetCluster()
			}
		}
	}
	return found
}

// unmatched reads what the listener for everything else does.
func unmatched(listeners []*listenerv3.Listener) string {
	listener := xdstest.ExtractListener(model.VirtualOutboundListenerName, listeners)
	if listener == nil {
		return "blocked"
	}
	chains := listener.FilterChains
	if listener.DefaultFilterChain != nil {
		chains = append(chains, listener.DefaultFilterChain)
	}
	for _, chain := range chains {
		if tcp := xdstest.ExtractTCPProxy(nil, chain); tcp.GetCluster() == util.PassthroughCluster {
			return "passthrough"
		}
	}
	return "blocked"
}
