#!/bin/sh
# Builds the collection's tarball of what git knows, in the folder that is named, and prints its path.
set -eu
cd "$(dirname "$0")/.."
source=$(mktemp -d)
trap 'rm -rf "$source"' EXIT
git ls-files -co --exclude-standard | while IFS= read -r file; do [ -e "$file" ] && printf '%s\n' "$file"; done |
    tar -cf - -T - | tar -xf - -C "$source"
ansible-galaxy collection build --force --output-path "$1" "$source" >/dev/null
ls "$1"/meshproof-mtls-*.tar.gz
