# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records what a running proxy answers, without what no parser looks at.

python record.py NAMESPACE/POD > recorded/NAME.json

KUBECONFIG names the cluster. The mesh of tests/integration/proxy_info is what the recordings here are of.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[6]


def main(place):
    """Ask, trim, print."""
    sys.path.insert(0, str(ROOT / ".ansible" / "collections"))
    from ansible_collections.meshproof.mtls.plugins.module_utils import _cluster as api
    from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.envoy import answers
    from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.envoy.choice import ProxyTarget
    from ansible_collections.meshproof.mtls.plugins.module_utils._source import proxies

    forwards = api.Forwards(api.connect({"kubeconfig": os.environ["KUBECONFIG"]}), answers.ADMIN_PORT, 10, 2**24)
    target = ProxyTarget(*place.split("/"), "", None, False, frozenset(), frozenset())
    found = proxies.ask(forwards, target, upstreams=True)._asdict()
    kept = {name: trimmed(json.loads(body)) for name, body in found.items() if body and body[:1] == b"{"}
    kept["statistics"] = found["statistics"].decode()
    for name in ("clusters", "endpoints"):
        kept[name]["configs"] = [item for item in kept[name]["configs"] if "proxies-" in json.dumps(item)]
    kept["secrets"]["configs"] = [item for item in kept["secrets"]["configs"] if item["name"] in ("default", "ROOTCA")]
    print(json.dumps(kept, indent=1))


def trimmed(value):
    """Without keys (which Envoy has redacted already), and of filters no more than what they are."""
    if isinstance(value, list):
        return [trimmed(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "filters" in value:
        value = {**value, "filters": [bare(item) for item in value["filters"]]}
    dropped = ("private_key", "sds_config", "access_log", "cipher_suites", "PROXY_CONFIG", "ANNOTATIONS", "LABELS")
    kept = {name: trimmed(item) for name, item in value.items() if name not in dropped}
    if "PROXY_CONFIG" in value:
        kept["PROXY_CONFIG"] = {"discoveryAddress": value["PROXY_CONFIG"]["discoveryAddress"]}
    return kept


def bare(item):
    """A network filter: its kind, and for a TCP proxy the cluster."""
    config = item["typed_config"]
    return {"name": item["name"], "typed_config": {key: config[key] for key in ("@type", "cluster") if key in config}}


if __name__ == "__main__":
    main(sys.argv[1])
