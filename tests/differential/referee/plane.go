// Copyright (c) 2026, the meshproof.mtls authors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	meshapi "istio.io/api/mesh/v1alpha1"
	"istio.io/istio/pilot/pkg/config/kube/gateway"
	"istio.io/istio/pilot/pkg/config/kube/ingress"
	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/pkg/networking/core"
	"istio.io/istio/pilot/pkg/serviceregistry"
	kube "istio.io/istio/pilot/pkg/serviceregistry/kube/controller"
	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/constants"
	"istio.io/istio/pkg/config/mesh"
	"istio.io/istio/pkg/config/mesh/meshwatcher"
	"istio.io/istio/pkg/config/schema/gvr"
	"istio.io/istio/pkg/test"
)

// plane is the control plane of one revision, as pilot/test/xds wires it up, without what only serves a network.
type plane struct {
	*core.ConfigGenTest
	t      test.Failer
	index  *model.EndpointIndex
	routed bool
}

func newPlane(t test.Failer, w *world, revision string, settle time.Duration) *plane {
	settings := meshOf(t, w, revision)
	index := model.NewEndpointIndex(model.DisabledCache{})
	updater := &updater{FakeEndpointIndexUpdater: model.NewEndpointIndexUpdater(index)}
	client := w.client(t)
	watcher := meshwatcher.NewTestWatcher(settings)
	var definitions []schema.GroupVersionResource
	if len(w.gateways) > 0 {
		definitions = append(definitions, gvr.KubernetesGateway)
	}
	registry, _ := kube.NewFakeControllerWithOptions(t, kube.FakeControllerOptions{
		Client:        client,
		ClusterID:     constants.DefaultClusterName,
		DomainSuffix:  constants.DefaultClusterLocalDomain,
		XDSUpdater:    updater,
		MeshWatcher:   watcher,
		ConfigCluster: true,
		SkipRun:       true,
		CRDs:          definitions,
	})
	options := kube.Options{
		DomainSuffix: constants.DefaultClusterLocalDomain,
		ClusterID:    constants.DefaultClusterName,
		Revision:     revision,
	}
	var more []model.ConfigStoreController
	if w.ingressed {
		more = append(more, ingress.NewController(client, watcher, options, updater))
	}
	var gateways *gateway.Controller
	if len(w.gateways) > 0 {
		is := func(schema.GroupVersionResource, <-chan struct{}) bool { return true }
		gateways = gateway.NewController(client, is, options, updater)
		// What it knows of Services matters to the status of Gateways alone.
		gateways.Reconcile(model.NewPushContext())
		more = append(more, gateways)
	}
	if len(more) > 0 {
		client.RunAndWait(test.NewStop(t))
	}
	var configs []config.Config
	for _, cfg := range w.configs {
		// What the CRD client does to every object: revision and discovery selectors.
		if config.ObjectInRevision(&cfg, revision) && client.ObjectFilter().Filter(cfg.Namespace) {
			configs = append(configs, cfg)
		}
	}
	generator := core.NewConfigGenTest(t, core.TestOptions{
		Configs:           configs,
		MeshConfig:        settings,
		XDSUpdater:        updater,
		ServiceRegistries: []serviceregistry.Instance{registry},
		ConfigStoreCaches: more,
		ClusterID:         constants.DefaultClusterName,
		SkipRun:           true,
	})
	generator.ServiceEntryRegistry.AppendWorkloadHandler(registry.WorkloadInstanceHandler)
	registry.AppendWorkloadHandler(generator.ServiceEntryRegistry.WorkloadInstanceHandler)
	env := generator.Env()
	env.EndpointIndex = index
	generator.Run()
	for _, slice := range w.slices {
		updater.settled(settle)
		slices := client.Kube().DiscoveryV1().EndpointSlices(slice.Namespace)
		if _, err := slices.Create(context.Background(), slice.DeepCopy(), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	updater.settled(settle)
	if err := env.InitNetworksManager(updater); err != nil {
		t.Fatal(err)
	}
	env.PushContext().InitContext(env, nil, nil)
	return &plane{ConfigGenTest: generator, t: t, index: index, routed: w.routed}
}

// meshOf is what istiod composes of its sources (pilot/pkg/bootstrap/mesh.go, meshwatcher.NewCollection).
func meshOf(t test.Failer, w *world, revision string) *meshapi.MeshConfig {
	own := "istio"
	if revision != "default" {
		own = "istio-" + revision
	}
	settings := mesh.DefaultMeshConfig()
	for _, name := range []string{w.shared[revision], own} {
		text, found := w.meshes[name]
		if !found {
			continue
		}
		applied, err := mesh.ApplyMeshConfig(text, settings)
		if err != nil {
			t.Fatalf("mesh configuration %s of revision %s: %v", name, revision, err)
		}
		settings = applied
	}
	return settings
}

// updater remembers that something happened: the registries work in queues of their own.
type updater struct {
	*model.FakeEndpointIndexUpdater
	events atomic.Int64
}

func (u *updater) EDSUpdate(shard model.ShardKey, host, namespace string, endpoints []*model.IstioEndpoint) {
	u.events.Add(1)
	u.FakeEndpointIndexUpdater.EDSUpdate(shard, host, namespace, endpoints)
}

func (u *updater) EDSCacheUpdate(shard model.ShardKey, host, namespace string, endpoints []*model.IstioEndpoint) {
	u.events.Add(1)
	u.FakeEndpointIndexUpdater.EDSCacheUpdate(shard, host, namespace, endpoints)
}

func (u *updater) SvcUpdate(shard model.ShardKey, host, namespace string, event model.Event) {
	u.events.Add(1)
	u.FakeEndpointIndexUpdater.SvcUpdate(shard, host, namespace, event)
}

// settled returns once nothing has happened for a while.
func (u *updater) settled(quiet time.Duration) {
	for before := int64(-1); before != u.events.Load(); {
		before = u.events.Load()
		time.Sleep(quiet)
	}
}
