#!/bin/sh
# ansible-test sanity and units, as the Galaxy world runs them: in a copy whose path ends in ansible_collections/meshproof/mtls.
# The copy lies outside the repository, because inside a git-ignored folder sanity would test nothing and say nothing.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree="$work/ansible_collections"
mkdir -p "$tree/meshproof/mtls" "$work/home/.ansible/test/cache"

# Of the units, those of the modules: that they are found and run in the way of the Galaxy world. All others are
# `make unit`'s, and running them twice would take minutes more; sanity's import test loads the rest of the code.
others='lab|molecule|tools|\.ci|tests/(benchmark|browser|differential|fuzz|integration|mutants|proofs|unit/(architecture|docs|fuzz|lab|roles|tools|plugins/filter))'
git ls-files -co --exclude-standard | grep -vE "^($others)/" |
    while IFS= read -r file; do [ -e "$file" ] && printf '%s\n' "$file"; done |
    tar -cf - -T - | tar -xf - -C "$tree/meshproof/mtls"
cp -r .ansible/collections/ansible_collections/kubernetes "$tree/"

# ansible-test fetches this script from a host that may be out of reach; Python's own ensurepip does the same job.
for version in 24_2 25_2; do cp tools/get_pip.py "$work/home/.ansible/test/cache/get_pip_$version.py"; done
for config in "${XDG_CONFIG_HOME:-$HOME/.config}/pip/pip.conf" "$HOME/.pip/pip.conf"; do
    if [ -z "${PIP_CONFIG_FILE:-}" ] && [ -e "$config" ]; then export PIP_CONFIG_FILE="$config"; fi
done
export HOME="$work/home"

cd "$tree/meshproof/mtls"
python_version=$("$root/.venv/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
ansible-test sanity --local --python "$python_version" --color no
ansible-test units --local --python "$python_version" --requirements --color no tests/unit/plugins/modules/
