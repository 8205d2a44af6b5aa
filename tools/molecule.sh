#!/bin/sh
# One Molecule scenario (the argument) or all of them, one after the other on one cluster. `permissive` is left out where all
# are meant: `default` ends with it, on the mesh that it has anyway.
set -eu
cd "$(dirname "$0")/.."
export MTLS_VARS="${MTLS_VARS:-$PWD/molecule/shared/vars/none.yml}"
[ -t 1 ] || export NO_COLOR=1 ANSIBLE_NOCOLOR=1
for scenario in ${1:-default uninstall}; do
    echo "== molecule: $scenario"
    rm -f ".reports/molecule-$scenario.json"
    molecule test --scenario-name "$scenario" || {
        echo "What the cluster looked like when $scenario failed: .reports/molecule-$scenario.json"
        exit 1
    }
done
