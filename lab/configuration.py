"""The configuration files of the cluster's parts, as data. Nothing here touches the machine."""

from __future__ import annotations

import json
from typing import Any

import yaml

from lab import versions
from lab.holder import CONFIGURATION
from lab.network import Addresses

# Names of the files in the folder that the lab sees as CONFIGURATION.
CONTAINERD, KUBEADM, RESOLV_CONF = "containerd.toml", "kubeadm.yaml", "resolv.conf"
_PATCHES, _NETWORKS = "patches", "cni"

CONTAINERD_SOCKET = "/run/containerd/containerd.sock"
NODE_NAME = "lab"

# kubeadm mounts this folder into a static pod; its usual place is under /usr, which the lab cannot write.
_VOLUME_PLUGINS = "/var/lib/kubelet/volume-plugins"


def files(addresses: Addresses, cgroup: str, runtime: str, port: int) -> dict[str, str]:
    """All files that the cluster starts from: {name: content}. The API server listens on `port`.

    `runtime` is where containerd's tree is.
    """
    return {
        # Port 53 of the node is closed: names outside the cluster fail at once instead of after a timeout.
        RESOLV_CONF: f"nameserver {addresses.node}\n",
        CONTAINERD: containerd(runtime),
        f"{_NETWORKS}/10-lab.conflist": json.dumps(_pod_network(addresses), indent=2),
        KUBEADM: yaml.safe_dump_all(_kubeadm(addresses, cgroup, port), sort_keys=False),
        **_patches(),
    }


def containerd(runtime: str) -> str:
    """containerd's configuration; it is the same for every lab."""
    return f"""\
version = 2

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{versions.PAUSE_IMAGE}"
  # A profile would be loaded into the kernel and stay there after the lab.
  disable_apparmor = true
  # Root without CAP_SYS_RESOURCE, as in some containers and build machines, may not lower this value.
  restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{runtime}/usr/lib/cni"
  conf_dir = "{CONFIGURATION}/{_NETWORKS}"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = false
"""


def _pod_network(addresses: Addresses) -> dict[str, Any]:
    """A cable from each pod to the node. Unlike a bridge it needs no br_netfilter, which would change the machine."""
    return {
        "cniVersion": "0.4.0",
        "name": "lab",
        "plugins": [
            {
                "type": "ptp",
                "ipMasq": False,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": str(addresses.pods)}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def _kubeadm(addresses: Addresses, cgroup: str, port: int) -> list[dict[str, Any]]:
    kubeadm = "kubeadm.k8s.io/v1beta4"
    return [
        {
            "apiVersion": kubeadm,
            "kind": "InitConfiguration",
            "localAPIEndpoint": {"advertiseAddress": str(addresses.node), "bindPort": port},
            "nodeRegistration": {
                "name": NODE_NAME,
                "criSocket": f"unix://{CONTAINERD_SOCKET}",
                "taints": [],
                "imagePullPolicy": "Never",
                "kubeletExtraArgs": [{"name": "node-ip", "value": str(addresses.node)}],
            },
            "patches": {"directory": f"{CONFIGURATION}/{_PATCHES}"},
        },
        {
            "apiVersion": kubeadm,
            "kind": "ClusterConfiguration",
            "clusterName": "meshproof-lab",
            "kubernetesVersion": f"v{versions.KUBERNETES}",
            "imageRepository": versions.IMAGE_REPOSITORY,
            "encryptionAlgorithm": "ECDSA-P256",
            "networking": {"podSubnet": str(addresses.pods), "serviceSubnet": str(addresses.services)},
            "dns": {"imageTag": f"v{versions.COREDNS}"},
            "etcd": {"local": {"dataDir": "/var/lib/etcd", "imageTag": versions.ETCD}},
            "controllerManager": {
                "extraArgs": [
                    {"name": "flex-volume-plugin-dir", "value": _VOLUME_PLUGINS},
                    {"name": "node-cidr-mask-size", "value": str(addresses.pods.prefixlen)},
                ]
            },
        },
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{cgroup}",
            "failCgroupV1": False,
            "failSwapOn": False,
            "resolvConf": f"{CONFIGURATION}/{RESOLV_CONF}",
            "volumePluginDir": _VOLUME_PLUGINS,
            "maxPods": 250,
            # A nearly full disk is the machine's business, and images that are gone cannot be pulled again.
            "evictionHard": {"nodefs.available": "0%", "imagefs.available": "0%", "nodefs.inodesFree": "0%"},
            "imageGCHighThresholdPercent": 100,
        },
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "iptables",
            "clusterCIDR": str(addresses.pods),
            # The table of connections belongs to the whole machine: leave its size alone.
            "conntrack": {"maxPerCore": 0},
        },
    ]


def _patches() -> dict[str, str]:
    """Patches for kubeadm: the control plane's CPU requests would leave little of two cores to reserve for tests."""
    patches = {}
    for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd"):
        pod = {"spec": {"containers": [{"name": name, "resources": {"requests": {"cpu": "10m"}}}]}}
        patches[f"{_PATCHES}/{name}+strategic.yaml"] = yaml.safe_dump(pod)
    # Asked every second instead of every ten, CoreDNS is seen to be ready as soon as it is.
    container = {"name": "coredns", "resources": {"requests": {"cpu": "10m"}}, "readinessProbe": {"periodSeconds": 1}}
    dns = {"spec": {"replicas": 1, "template": {"spec": {"containers": [container]}}}}
    patches[f"{_PATCHES}/corednsdeployment+strategic.yaml"] = yaml.safe_dump(dns)
    return patches
