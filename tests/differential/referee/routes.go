// Copyright (c) 2026, the meshproof.mtls authors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/test/xdstest"
)

// Routing is where a sidecar leads what its clients send.
type Routing struct {
	Listeners []Outbound               `json:"listeners"`
	Routes    map[string][]VirtualHost `json:"routes"`
}

// Outbound is a listener for what is sent to an address and port.
type Outbound struct {
	Address string  `json:"address"`
	Port    uint32  `json:"port"`
	Chains  []Chain `json:"chains"`
}

// Chain is what a listener does with the connections that match.
type Chain struct {
	Ranges    []string `json:"ranges"`
	Names     []string `json:"names"`
	Transport string   `json:"transport"`
	Protocols []string `json:"protocols"`
	// Routes names the configuration of an HTTP chain, Clusters are where any other one leads.
	Routes   string   `json:"routes"`
	Clusters []string `json:"clusters"`
}

// VirtualHost has the routes of some names, in order.
type VirtualHost struct {
	Domains []string `json:"domains"`
	Routes  []Route  `json:"routes"`
}

// Route is where the requests go that match; Whole says that all do.
type Route struct {
	Whole    bool     `json:"whole"`
	Clusters []string `json:"clusters"`
}

func (p *plane) routing(proxy *model.Proxy, listeners []*listenerv3.Listener) *Routing {
	result := &Routing{Routes: map[string][]VirtualHost{}}
	for _, listener := range listeners {
		if listener.TrafficDirection != corev3.TrafficDirection_OUTBOUND {
			continue
		}
		address := listener.GetAddress().GetSocketAddress()
		outbound := Outbound{Address: address.GetAddress(), Port: address.GetPortValue()}
		for _, chain := range append(listener.FilterChains, listener.DefaultFilterChain) {
			if chain != nil {
				outbound.Chains = append(outbound.Chains, chainOf(chain))
			}
		}
		result.Listeners = append(result.Listeners, outbound)
	}
	for _, routes := range p.RoutesFromListeners(proxy, listeners) {
		for _, host := range routes.VirtualHosts {
			found := VirtualHost{Domains: host.Domains}
			for _, route := range host.Routes {
				found.Routes = append(found.Routes, routeOf(route))
			}
			result.Routes[routes.Name] = append(result.Routes[routes.Name], found)
		}
	}
	return result
}

func chainOf(chain *listenerv3.FilterChain) Chain {
	match := chain.GetFilterChainMatch()
	found := Chain{
		Names:     match.GetServerNames(),
		Transport: match.GetTransportProtocol(),
		Protocols: match.GetApplicationProtocols(),
	}
	for _, prefix := range match.GetPrefixRanges() {
		found.Ranges = append(found.Ranges, prefix.GetAddressPrefix())
	}
	if manager := xdstest.ExtractHTTPConnectionManager(nil, chain); manager != nil {
		found.Routes = manager.GetRds().GetRouteConfigName()
	} else if tcp := xdstest.ExtractTCPProxy(nil, chain); tcp != nil {
		if tcp.GetCluster() != "" {
			found.Clusters = append(found.Clusters, tcp.GetCluster())
		}
		for _, cluster := range tcp.GetWeightedClusters().GetClusters() {
			found.Clusters = append(found.Clusters, cluster.Name)
		}
	}
	return found
}

func routeOf(route *routev3.Route) Route {
	match, action := route.GetMatch(), route.GetRoute()
	found := Route{
		Whole: match.GetPrefix() == "/" && len(match.GetHeaders()) == 0 && len(match.GetQueryParameters()) == 0 &&
			match.GetRuntimeFraction() == nil,
	}
	if action.GetCluster() != "" {
		found.Clusters = append(found.Clusters, action.GetCluster())
	}
	for _, cluster := range action.GetWeightedClusters().GetClusters() {
		found.Clusters = append(found.Clusters, cluster.Name)
	}
	for _, mirror := range action.GetRequestMirrorPolicies() {
		found.Clusters = append(found.Clusters, mirror.Cluster)
	}
	return found
}
