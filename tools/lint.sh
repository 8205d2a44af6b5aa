#!/bin/sh
# Everything that reads our files without running them.
set -eu
cd "$(dirname "$0")/.."
step() { printf '== %s\n' "$*"; }
step "ruff: format and rules"
ruff check --quiet .
step "mypy --strict: the pure layers, the lab and the tools"
mypy --no-error-summary --cache-dir .mypy_cache plugins/module_utils lab tools tests/differential
step "ansible-lint: profile production"
ansible-lint -q
step "role READMEs follow their argument specs"
python tools/role_docs.py --check
step "docs/findings.md follows the kinds of findings"
python -m tools.finding_docs --check
step "plugin and changelog documentation"
antsibull-docs lint-collection-docs --plugin-docs .
antsibull-changelog lint
