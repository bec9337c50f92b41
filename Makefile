# fireworks-operator. `make help` lists what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help demo unit check test proof properties bench chaos soak lint format crd docs site recording chart venv lock promtool image e2e release-dry-run kind gitops clean

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /  make \1\t/' | expand -t 20

demo: $(STAMP) ## local Kubernetes, simulator and operator: from a manifest to a chat completion (KEEP=1 leaves it running)
	$(BIN)/python examples/demo.py $(if $(KEEP),--keep)

# Each prints how long its folders took and fails where one is over its budget. WORKERS=N runs N tests at a time.
unit: $(STAMP) ## unit tests, the plugin, the texts of the documentation (about a minute)
	$(BIN)/python -m testkit.suites unit $(PYTEST_ARGS)

check: $(STAMP) ## lint, unit, the model and the chart in short, the CRD: before a commit (under 4 minutes)
	$(BIN)/python -m testkit.suites check $(PYTEST_ARGS)

test: $(STAMP) ## lint, then all tests but the long proofs (about a quarter of an hour)
	$(BIN)/python -m testkit.suites test $(PYTEST_ARGS)

proof: $(STAMP) ## what takes long: faults on real processes, fuzzing, benchmarks and chaos in short, pages that install
	$(BIN)/python -m testkit.suites proof $(PYTEST_ARGS)
	$(MAKE) --no-print-directory properties

properties: $(STAMP) ## what holds whatever is drawn, with new examples and many more of them; `make proof` calls it (under 8 minutes)
	$(BIN)/python -m testkit.suites properties $(PYTEST_ARGS)

chaos: $(STAMP) ## kill the operator 1,000 times under churn and faults, write docs/reliability.md (CHAOS_ARGS="--kills 1000 --seed 1")
	$(BIN)/python -m testkit.kubernetes build
	$(BIN)/python -m benchmarks.chaos $(CHAOS_ARGS)
	$(BIN)/python -m benchmarks.chaos.await_points $(filter --no-page,$(CHAOS_ARGS))

soak: $(STAMP) ## churn for an hour, measure whether the operator grows, write docs/reliability.md (SOAK_ARGS="--minutes 60")
	$(BIN)/python -m testkit.kubernetes build
	$(BIN)/python -m benchmarks.soak $(SOAK_ARGS)

lint: $(STAMP) ## style, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy examples/demo.py examples/record.py testkit tests benchmarks release
	$(BIN)/lint-imports

format: $(STAMP) ## put the code into form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(STAMP) ## measure, and write docs/performance.md (BENCH_ARGS="--only burst --scale 100 --runs 1" for a part)
	$(BIN)/python -m testkit.kubernetes build
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

crd: $(STAMP) ## write crds/, schemas/ and docs/reference from the models
	$(BIN)/python -m fireworks_operator.reference .

docs: $(STAMP) crd ## write what is generated: crds/, schemas/, docs/reference, docs/diagrams, the states in docs/gitops.md
	$(BIN)/python -m tests.docs.generate
	$(BIN)/python -m tests.gitops.generate
	$(BIN)/python -m testkit.site.diagrams

site: $(STAMP) ## build the documentation site into dist/site (SITE_URL=, REPO_URL= and REPO_REF= say where it is published)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

recording: $(STAMP) ## run the demo in a terminal and record it: docs/assets/demo.cast and demo.svg
	$(BIN)/python examples/record.py

chart: $(STAMP) crd ## write what is made from the chart's values and templates, then pack it into dist/
	$(BIN)/python -m tests.chart.generate --package dist

venv: $(STAMP) ## the Python environment in .venv

$(STAMP): requirements/dev.txt requirements/simulator.txt requirements/operator.txt pyproject.toml
	@echo "installing the Python environment into $(VENV) (about a minute the first time)"
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; set PYTHON=/path/to/python3") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

lock: ## pin the requirements anew (needs uv)
	for extra in operator simulator dev plugin; do \
	  case $$extra in operator) given=;; simulator) given='--extra simulator';; plugin) given='--extra cli --extra bundle';; \
	    dev) given='--extra simulator --extra dev --extra cli --extra bench';; esac; \
	  uv pip compile pyproject.toml $$given \
	    --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --quiet \
	    --custom-compile-command 'make lock' --output-file requirements/$$extra.txt || exit 1; \
	done

promtool: $(STAMP) ## build Prometheus' tool for rules; with it `make test` tries every alert (10 min, once)
	$(BIN)/python -m tests.chart.promtool

image: $(STAMP) ## build the container images, by Docker or without it (docs/images.md)
	$(BIN)/python -m tests.e2e.image

release-dry-run: $(STAMP) ## make, sign and verify a release as the workflow does, into dist/release-dry-run (docs/images.md)
	$(BIN)/python -m tests.e2e.rehearsal

e2e: $(STAMP) ## a release in real pods of a local node, installed by Helm (Linux, root)
	$(BIN)/python -m tests.e2e.rehearsal --check
	$(BIN)/python -m testkit.kubernetes build --node
	FIREWORKS_E2E=1 $(BIN)/python -m pytest -s -v tests/cluster/test_node.py tests/e2e $(PYTEST_ARGS)

kind: image ## the same in a kind cluster (needs Docker and kind)
	tests/e2e/kind.sh $(BIN)/python -m pytest -s -v tests/e2e $(PYTEST_ARGS)

gitops: $(STAMP) ## the libraries of Argo CD and Flux, against a real API server (compiles them once, a quarter of an hour)
	$(BIN)/python -m testkit.kubernetes build
	$(BIN)/python -m tests.gitops.programs
	FIREWORKS_GITOPS=1 $(BIN)/python -m pytest tests/gitops $(PYTEST_ARGS)

clean: ## remove what the other targets left in this folder
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
