// Copyright (c) 2026, the meshproof.mtls authors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Command referee says what istiod would really configure. It reads scenarios, one JSON object per line, lets Istio's
// own code build the listeners, clusters and endpoints of every proxy asked for, and answers in one line each.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"istio.io/istio/pkg/log"
	"istio.io/istio/pkg/test"
)

// Question is one scenario: manifests, and the proxies whose configuration is wanted.
type Question struct {
	Manifests []json.RawMessage `json:"manifests"`
	Proxies   []ProxyQuestion   `json:"proxies"`
	// Ports are called on every sidecar.
	Ports []int `json:"ports"`
	// Settle is how many milliseconds nothing may happen in the registries before their state counts as final.
	Settle int `json:"settle"`
}

// ProxyQuestion is one proxy, with what it would tell istiod about itself.
type ProxyQuestion struct {
	Namespace string            `json:"namespace"`
	Name      string            `json:"name"`
	Address   string            `json:"address"`
	Type      string            `json:"type"`
	Revision  string            `json:"revision"`
	Labels    map[string]string `json:"labels"`
	OwnCerts  bool              `json:"own_certs"`
}

// Answer belongs to one Question.
type Answer struct {
	// Rejected are manifests that Istio's own validation refuses: "kind namespace/name" to the reason.
	Rejected map[string]string       `json:"rejected"`
	Proxies  map[string]*ProxyAnswer `json:"proxies"`
	Error    string                  `json:"error,omitempty"`
}

// ProxyAnswer is what one proxy would do.
type ProxyAnswer struct {
	Inbound  map[int]Accepts    `json:"inbound"`
	Clusters map[string]Cluster `json:"clusters"`
	// Serves is, of a gateway, what each of its ports offers: plaintext, tls, mtls (of Istio), passthrough; ":named"
	// behind it where only some names (SNI) get it.
	Serves map[int][]string `json:"serves"`
	// Listeners are the clusters that serve addresses with an outbound listener of their own.
	Listeners map[string]string `json:"listeners"`
	// Unmatched is what becomes of traffic to a destination that the proxy does not know: passthrough or blocked.
	Unmatched string `json:"unmatched"`
	// Routing is, of a sidecar, where it leads requests, if anything may lead them elsewhere.
	Routing *Routing `json:"routing"`
}

func main() {
	for _, scope := range log.Scopes() {
		scope.SetOutputLevel(log.NoneLevel)
	}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	out := json.NewEncoder(os.Stdout)
	for in.Scan() {
		if err := out.Encode(answer(in.Bytes())); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	if err := in.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func answer(line []byte) *Answer {
	result := &Answer{Rejected: map[string]string{}, Proxies: map[string]*ProxyAnswer{}}
	var question Question
	if err := json.Unmarshal(line, &question); err != nil {
		result.Error = err.Error()
		return result
	}
	// test.Wrap is Istio's own way to run what wants a *testing.T outside of a test; Fatal ends up in err.
	err := test.Wrap(func(t test.Failer) {
		world := readWorld(t, question.Manifests, result.Rejected)
		planes := map[string]*plane{}
		for _, asked := range question.Proxies {
			p := planes[asked.Revision]
			if p == nil {
				p = newPlane(t, world, asked.Revision, time.Duration(question.Settle)*time.Millisecond)
				planes[asked.Revision] = p
			}
			result.Proxies[asked.Namespace+"/"+asked.Name] = p.answer(asked, question.Ports)
		}
	})
	if err != nil {
		result.Error = err.Error()
	}
	return result
}
