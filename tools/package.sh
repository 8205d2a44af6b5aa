#!/bin/sh
# The tarball as a user gets it: built, imported as Galaxy does, installed in an empty folder and run by name.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo "== ansible-galaxy collection build"
tarball=$(tools/tarball.sh "$work")

if [ ! -e .build/importer/.made ] || [ requirements/importer.txt -nt .build/importer/.made ]; then
    echo "== virtual environment of galaxy-importer (about half a minute)"
    rm -rf .build/importer
    python -m venv .build/importer
    .build/importer/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/importer.txt
    touch .build/importer/.made
fi
echo "== galaxy-importer"
mkdir "$work/importer"
printf '[galaxy-importer]\nRUN_ANSIBLE_TEST = False\nCHECK_CHANGELOG = False\n' >"$work/importer/galaxy-importer.cfg"
(cd "$work/importer" &&
    PATH="$root/.build/importer/bin:$PATH" GALAXY_IMPORTER_CONFIG="$work/importer/galaxy-importer.cfg" \
        "$root/.build/importer/bin/python" -m galaxy_importer.main "$tarball" >log 2>&1) ||
    { cat "$work/importer/log"; echo "galaxy-importer refused the tarball."; exit 1; }
grep -E 'WARNING|ERROR' "$work/importer/log" || true

echo "== installed in an empty folder, run by name"
mkdir "$work/empty"
cd "$work/empty"
export ANSIBLE_COLLECTIONS_PATH="$work/empty/collections"
unset ANSIBLE_CONFIG
ansible-galaxy collection install --no-deps -p collections "$tarball" >/dev/null
cp -r "$root/.ansible/collections/ansible_collections/kubernetes" collections/ansible_collections/
for playbook in preflight site verify uninstall; do
    ansible-playbook -i localhost, "meshproof.mtls.$playbook" --list-tags >/dev/null
done
if [ -n "${KUBECONFIG:-}" ]; then
    echo "== site, then uninstall, by name"
    for playbook in site uninstall; do
        ansible-playbook -i localhost, "meshproof.mtls.$playbook" ${MTLS_VARS:+-e "@$MTLS_VARS"} -e istio_install_purge=true \
            >"$playbook.log" 2>&1 || { cat "$playbook.log"; exit 1; }
        tail -n 4 "$playbook.log"
    done
fi
