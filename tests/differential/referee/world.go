// Copyright (c) 2026, the meshproof.mtls authors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	klabels "k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"istio.io/istio/pilot/pkg/config/kube/crd"
	"istio.io/istio/pilot/pkg/serviceregistry/kube/controller"
	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/schema/collections"
	gvks "istio.io/istio/pkg/config/schema/gvk"
	"istio.io/istio/pkg/config/schema/resource"
	kubelib "istio.io/istio/pkg/kube"
	"istio.io/istio/pkg/test"
)

// leading are the kinds of configuration that can lead elsewhere: by routes, by what they claim, or by what a listener
// for a port is for.
var leading = map[config.GroupVersionKind]bool{gvks.VirtualService: true, gvks.ServiceEntry: true, gvks.Sidecar: true}

// world is what the API server would hold.
type world struct {
	objects []runtime.Object
	// slices are EndpointSlices that name no pods. Behind their addresses istiod looks for pods that it has met before.
	slices  []*discoveryv1.EndpointSlice
	configs []config.Config
	// meshes are the mesh configurations by the names of their ConfigMaps, shared the name that each revision's istiod
	// is told to share.
	meshes map[string]string
	shared map[string]string
	// gateways are the Gateway API's, ingressed says whether there are Ingresses, routed whether anything may lead
	// elsewhere than to the host that is dialled.
	gateways  []*gatewayv1.Gateway
	ingressed bool
	routed    bool
}

// readWorld sorts manifests into Kubernetes objects, Istio configuration that passes Istio's validation, and the mesh
// configuration of each revision.
func readWorld(t test.Failer, manifests []json.RawMessage, rejected map[string]string) *world {
	w := &world{meshes: map[string]string{}, shared: map[string]string{}}
	decode := kubelib.IstioCodec.UniversalDeserializer().Decode
	for _, manifest := range manifests {
		kind := crd.IstioKind{}
		if err := json.Unmarshal(manifest, &kind); err != nil {
			t.Fatalf("manifest: %v", err)
		}
		gvk := kind.GroupVersionKind()
		if schema, ok := collections.Pilot.FindByGroupVersionAliasesKind(resource.FromKubernetesGVK(&gvk)); ok {
			cfg, err := crd.ConvertObject(schema, &kind, "cluster.local")
			if err == nil {
				_, err = schema.ValidateConfig(*cfg)
			}
			if err != nil {
				rejected[fmt.Sprintf("%s %s/%s", gvk.Kind, kind.Namespace, kind.Name)] = err.Error()
				continue
			}
			w.configs = append(w.configs, *cfg)
			w.routed = w.routed || leading[cfg.GroupVersionKind]
			continue
		}
		object, _, err := decode(manifest, nil, nil)
		if err != nil {
			t.Fatalf("%s %s/%s: %v", gvk.Kind, kind.Namespace, kind.Name, err)
		}
		if configMap, ok := object.(*corev1.ConfigMap); ok {
			w.meshes[configMap.Name] = configMap.Data["mesh"]
			continue
		}
		if istiod, ok := object.(*appsv1.Deployment); ok {
			for _, variable := range istiod.Spec.Template.Spec.Containers[0].Env {
				if variable.Name == "SHARED_MESH_CONFIG" {
					w.shared[istiod.Labels["istio.io/rev"]] = variable.Value
				}
			}
			continue
		}
		if slice, ok := object.(*discoveryv1.EndpointSlice); ok {
			w.slices = append(w.slices, slice)
			continue
		}
		if gateway, ok := object.(*gatewayv1.Gateway); ok {
			w.gateways = append(w.gateways, gateway)
			continue
		}
		if service, ok := object.(*corev1.Service); ok && service.Spec.Type == corev1.ServiceTypeExternalName {
			w.routed = true
		}
		if _, ok := object.(*networkingv1.Ingress); ok {
			w.ingressed = true
		}
		w.objects = append(w.objects, object)
	}
	w.addSlices()
	return w
}

// addSlices does the work of Kubernetes' endpoint slice controller: slices for every Service with a selector, one for
// each distinct set of port numbers.
func (w *world) addSlices() {
	var pods []*corev1.Pod
	for _, object := range w.objects {
		if pod, ok := object.(*corev1.Pod); ok && pod.Status.PodIP != "" {
			pods = append(pods, pod)
		}
	}
	for _, object := range slices.Clone(w.objects) {
		service, ok := object.(*corev1.Service)
		if !ok || len(service.Spec.Selector) == 0 || service.Spec.Type == corev1.ServiceTypeExternalName {
			continue
		}
		selector := klabels.SelectorFromSet(service.Spec.Selector)
		found := map[string]*discoveryv1.EndpointSlice{}
		for _, pod := range pods {
			if pod.Namespace == service.Namespace && selector.Matches(klabels.Set(pod.Labels)) {
				addToSlice(found, service, pod)
			}
		}
		for number, key := range slices.Sorted(maps.Keys(found)) {
			found[key].Name = fmt.Sprintf("%s-%d", service.Name, number)
			w.objects = append(w.objects, found[key])
		}
	}
}

func addToSlice(found map[string]*discoveryv1.EndpointSlice, service *corev1.Service, pod *corev1.Pod) {
	var ports []discoveryv1.EndpointPort
	key := ""
	for _, port := range service.Spec.Ports {
		number, err := controller.FindPort(pod, &port)
		if err != nil {
			continue
		}
		wide := int32(number)
		ports = append(ports, discoveryv1.EndpointPort{Name: &port.Name, Port: &wide, Protocol: &port.Protocol})
		key += fmt.Sprintf("%s=%d ", port.Name, number)
	}
	slice := found[key]
	if slice == nil {
		slice = &discoveryv1.EndpointSlice{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: service.Namespace,
				Labels:    map[string]string{discoveryv1.LabelServiceName: service.Name},
			},
			AddressType: discoveryv1.AddressTypeIPv4,
			Ports:       ports,
		}
		if service.Spec.ClusterIP == corev1.ClusterIPNone {
			slice.Labels[corev1.IsHeadlessService] = ""
		}
		found[key] = slice
	}
	ready := true
	slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
		Addresses:  []string{pod.Status.PodIP},
		Conditions: discoveryv1.EndpointConditions{Ready: &ready},
		TargetRef:  &corev1.ObjectReference{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name},
	})
}

// client is a Kubernetes client that finds these objects. A plain tracker holds them: the fake client's own one keeps
// managed fields as well, which takes longer than all the rest.
func (w *world) client(t test.Failer) kubelib.CLIClient {
	client := kubelib.NewFakeClient()
	tracker := clienttesting.NewObjectTracker(kubelib.IstioScheme, kubelib.IstioCodec.UniversalDecoder())
	for _, object := range w.objects {
		if err := tracker.Add(object.DeepCopyObject()); err != nil {
			t.Fatal(err)
		}
	}
	for _, gateway := range w.gateways {
		gateways := client.GatewayAPI().GatewayV1().Gateways(gateway.Namespace)
		if _, err := gateways.Create(context.Background(), gateway.DeepCopy(), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	kube := client.Kube().(*fake.Clientset)
	kube.PrependReactor("*", "*", clienttesting.ObjectReaction(tracker))
	kube.PrependWatchReactor("*", func(action clienttesting.Action) (bool, watch.Interface, error) {
		found, err := tracker.Watch(action.GetResource(), action.GetNamespace())
		return true, found, err
	})
	return client
}
