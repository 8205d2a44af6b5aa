#!/bin/sh
# Pin anew, with hashes and for every supported Python, what requirements/*.in ask for. Deliberate: read the difference.
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet uv
for name in runtime dev importer; do
    "$work/venv/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
        --no-emit-find-links --custom-compile-command "make requirements" \
        --output-file "requirements/$name.txt" "requirements/$name.in"
done
