from __future__ import annotations

import json
import tomllib
from pathlib import Path

import yaml

from lab import bring_up, configuration, versions
from lab.network import Addresses

_FILES = configuration.files(Addresses(2), "the-cgroup", "/opt/runtime", 20443)


def test_kubeadm_configures_this_lab_only() -> None:
    kinds = {document["kind"]: document for document in yaml.safe_load_all(_FILES[configuration.KUBEADM])}
    assert kinds["InitConfiguration"]["localAPIEndpoint"] == {
        "advertiseAddress": "198.18.254.10",
        "bindPort": 20443,
    }
    assert kinds["ClusterConfiguration"]["networking"] == {
        "podSubnet": "198.18.16.0/21",
        "serviceSubnet": "198.19.16.0/21",
    }
    assert kinds["KubeletConfiguration"]["cgroupRoot"] == "/the-cgroup"
    assert kinds["KubeProxyConfiguration"]["conntrack"] == {"maxPerCore": 0}


def test_containerd_and_the_pod_network_parse() -> None:
    cri = tomllib.loads(_FILES[configuration.CONTAINERD])["plugins"]["io.containerd.grpc.v1.cri"]
    assert cri["sandbox_image"] == versions.PAUSE_IMAGE
    assert cri["cni"]["bin_dir"] == "/opt/runtime/usr/lib/cni"
    (network,) = (json.loads(text) for name, text in _FILES.items() if name.endswith(".conflist"))
    assert network["plugins"][0]["ipam"]["ranges"] == [[{"subnet": "198.18.16.0/21"}]]


def test_the_vars_file_names_the_images_that_are_built() -> None:
    values = yaml.safe_load((Path(bring_up.__file__).parent / "vars.yml").read_text())
    assert values["istio_install_hub"] == versions.ISTIO_HUB
    assert str(values["istio_install_tag"]) == versions.ISTIO
    assert values["istio_services_image"] == versions.AGNHOST_IMAGE
    assert values["istio_verify_probe_image"] == versions.PYTHON_IMAGE
