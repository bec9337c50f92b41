# fireworks-operator. `make help` lists what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help demo test lint format crd docs venv lock image clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

demo: $(STAMP) ## local Kubernetes, simulator and operator: from a manifest to a chat completion (KEEP=1 leaves it running)
	$(BIN)/python examples/demo.py $(if $(KEEP),--keep)

test: lint ## lint, then all tests that this machine can run
	$(BIN)/python tests/cluster/cluster.py build
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(STAMP) ## style, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy examples/demo.py tests
	$(BIN)/lint-imports

format: $(STAMP) ## put the code into form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

crd: $(STAMP) ## write crds/ from the models
	$(BIN)/fireworks-operator crd > crds/.new && mv crds/.new crds/fireworks.ai_fireworksdeployments.yaml

docs: $(STAMP) crd ## write docs/reference from the models
	$(BIN)/python -m fireworks_operator.api.reference docs/reference

venv: $(STAMP) ## the Python environment in .venv

$(STAMP): requirements/dev.txt requirements/simulator.txt requirements/operator.txt pyproject.toml
	@echo "installing the Python environment into $(VENV) (about a minute the first time)"
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; set PYTHON=/path/to/python3") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

lock: ## pin the requirements anew (needs uv)
	for extra in operator simulator dev; do \
	  uv pip compile pyproject.toml $$( [ $$extra = operator ] || echo --extra simulator ) $$( [ $$extra = dev ] && echo --extra dev ) \
	    --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --quiet \
	    --custom-compile-command 'make lock' --output-file requirements/$$extra.txt || exit 1; \
	done

image: ## build the container image (needs a Docker daemon)
	docker build --target operator --tag fireworks-operator:dev .
	docker build --target simulator --tag fireworks-simulator:dev .

clean: ## remove what the other targets left in this folder
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
