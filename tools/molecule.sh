#!/bin/sh
# One Molecule scenario (the argument) or all of them, one after the other on one cluster.
set -eu
cd "$(dirname "$0")/.."
for scenario in ${1:-default permissive uninstall}; do
    echo "== molecule: $scenario"
    molecule --base-config .config/molecule/config.yml test --scenario-name "$scenario"
done
