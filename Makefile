# Every entry point of the project. `make help` lists them; each does its own set-up, so a fresh clone needs nothing first.
SHELL := /bin/sh
.DEFAULT_GOAL := help
# The project's tools come first, before whatever else the machine offers (a pyenv shim breaks ansible-test).
export PATH := $(CURDIR)/.venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$(PATH)
export LAB_DIR ?= .lab
LAB_BESIDE := .lab-beside
export ANSIBLE_HOME := $(CURDIR)/.ansible/home
export LC_ALL := C.UTF-8
METHOD ?= helm

# A cluster named by KUBECONFIG is used as it is; without one, the lab is built and used.
# `cluster` holds what must be there first, `use_cluster` what to tell each tool.
ifdef KUBECONFIG
cluster :=
export K8S_AUTH_KUBECONFIG := $(KUBECONFIG)
else
cluster := lab
use_cluster = KUBECONFIG=$(CURDIR)/$(LAB_DIR)/kubeconfig K8S_AUTH_KUBECONFIG=$(CURDIR)/$(LAB_DIR)/kubeconfig \
	MTLS_VARS=$(CURDIR)/$(LAB_DIR)/vars.yml
endif

.PHONY: help
help: ## This list
	@grep -hE '^[a-z][a-z-]*:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort | awk -F '\t' '{printf "  make %-18s %s\n", $$1, $$2}'

.venv/.made: requirements/dev.txt tools/venv.sh
	@sh tools/venv.sh
	@touch $@

.ansible/.made: .venv/.made requirements/collections.txt tools/fetch_collections.py
	@echo "Fetching kubernetes.core into .ansible (a few seconds) …"
	@python tools/fetch_collections.py
	@touch $@

.PHONY: setup
setup: .venv/.made .ansible/.made ## The virtual environment and the collections that the rest needs

.PHONY: lab
lab: setup ## A real Kubernetes cluster on this machine (root, Debian); built once, then up in under a minute
	@python -m lab up

.PHONY: lab-down
lab-down: .venv/.made ## Take the lab down; nothing of it stays but the cache of what was built
	@python -m lab down
	@if [ -d $(LAB_BESIDE) ]; then LAB_DIR=$(LAB_BESIDE) python -m lab down; fi

.PHONY: demo
demo: setup $(cluster) ## The main job: Istio, two services, STRICT, the verdicts and the proof (METHOD=helm|istioctl)
	@$(use_cluster) tools/demo.sh $(METHOD)

.PHONY: test
test: setup ## All tests; CI runs this
	@python tools/side_by_side.py "$(beside)" "$(watched)"
	@echo "make test: everything passed"

# The two halves of `make test`. The tests of a cluster mostly wait, and for one thing after the other, so that all others
# run beside them, and Molecule, too, on a lab of its own; a cluster of KUBECONFIG is never used twice at once. That the
# tarball works on a cluster is what AWX's jobs in tests/integration show, so that it is only built and imported here.
submake := $(MAKE) --no-print-directory
ifdef KUBECONFIG
beside := $(submake) test-files
watched := $(submake) molecule test-cluster
else
beside := $(submake) test-files && $(submake) molecule-beside
watched := $(submake) test-cluster
endif

.PHONY: test-files
test-files: lint unit sanity
	@python -m tests.differential --number 1000 --seed 1
	@KUBECONFIG= tools/package.sh

.PHONY: test-cluster
test-cluster: setup $(cluster)
	@$(use_cluster) pytest -q tests/integration

.PHONY: molecule-beside
molecule-beside: export LAB_DIR := $(LAB_BESIDE)
molecule-beside: setup
	@trap '$(submake) lab-down' EXIT; trap 'exit 130' INT TERM; $(submake) molecule

.PHONY: lint
lint: setup ## ansible-lint (production), yamllint, ruff, mypy, documentation
	@tools/lint.sh

.PHONY: unit
unit: setup ## Unit tests: tables over the pure parts, the architecture, the roles' arguments
	@pytest -q -n auto tests/unit

.PHONY: sanity
sanity: setup ## ansible-test sanity and units, in a copy, as Galaxy would
	@tools/sanity.sh

.PHONY: package
package: setup $(cluster) ## Build the tarball, import it as Galaxy does, run it by name from an empty folder
	@$(use_cluster) tools/package.sh

.PHONY: molecule
molecule: setup $(cluster) ## The Molecule scenarios (SCENARIO=default for one)
	@$(use_cluster) tools/molecule.sh $(SCENARIO)

.PHONY: proof-interrupted
proof-interrupted: setup $(cluster) ## Kill `site` at eight seeded moments, run it again, compare the cluster (SEED=n)
	@$(use_cluster) pytest -q -s tests/proofs/test_interrupted.py

.PHONY: proof-properties
proof-properties: setup ## What must hold for every mesh: 100,000 malformed manifests, 2,000 random meshes (SEED=n, N=2000); then proof-fuzz
	@PROPERTY_MANIFESTS=100000 PROPERTY_MESHES=$(or $(N),2000) pytest -q -s tests/unit/plugins/module_utils/_policy/test_properties.py tests/unit/plugins/module_utils/_policy/test_remedies.py
	@$(MAKE) --no-print-directory proof-fuzz

.PHONY: proof-fuzz
proof-fuzz: setup ## Damaged input of every source against what must hold, an hour for each (SECONDS=n, SEED=n, ONLY=target)
	@PYTHONPATH=$(CURDIR)/.ansible/collections nice python -m tests.fuzz --seconds $(or $(SECONDS),3600) --seed $(or $(SEED),0) --only "$(ONLY)"

.PHONY: proof-mutants
proof-mutants: setup ## Small faults made on purpose: at least nine of ten must make a unit test fail (N=300, SEED=fresh)
	@PYTHONPATH=$(CURDIR)/.ansible/collections python -m tests.mutants --number $(or $(N),300) --seed $(or $(SEED),0)

.PHONY: proof-evidence
proof-evidence: setup $(cluster) ## Policies that lie, made for real on the lab, and what each source sees of it
	@$(use_cluster) pytest -q -s tests/proofs/evidence

.PHONY: proof-observability
proof-observability: setup $(cluster) ## The role istio_observability on a cluster: charts, connections, removal (about five minutes)
	@$(use_cluster) pytest -q tests/proofs/observability

.PHONY: proof-report
proof-report: setup ## The report in a real Chromium: three widths, light and dark, by keyboard, without script, on paper
	@pytest -q tests/browser

.PHONY: differential
differential: setup ## Compare the engine with Istio's own code over N random meshes (N=2000, SEED=fresh)
	@python -m tests.differential --number $(or $(N),2000) --seed $(or $(SEED),0)

.PHONY: bench
bench: setup $(cluster) ## How fast a mesh of 10,000 pods is judged: ratios, measured in one run (docs/benchmarks.md)
	@$(use_cluster) PYTHONPATH=$(CURDIR)/.ansible/collections python -m tests.benchmark

.PHONY: docs
docs: setup ## Write the generated parts of the roles' READMEs, and docs/findings.md
	@python tools/role_docs.py --write
	@python -m tools.finding_docs --write

.PHONY: requirements
requirements: .venv/.made ## Pin anew what requirements/*.in ask for
	@tools/requirements.sh

.PHONY: clean
clean: lab-down ## Remove all that the project made in this folder
	@rm -rf .venv .ansible .build .reports
