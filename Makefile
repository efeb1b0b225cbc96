# Each target is one short command. `make` alone lists them.
PYTHON ?= python3
BIN := .venv/bin
CONFIG ?= configs/sample.yaml

.DEFAULT_GOAL := help
.PHONY: help install corpus test check format bench docs sample clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

.venv/.installed: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

install: .venv/.installed ## create .venv and install everything, exact versions

corpus: .venv/.installed ## run the pipeline on the bundled sample (or CONFIG=my.yaml)
	$(BIN)/corpus run $(CONFIG) --overwrite

test: .venv/.installed ## run the tests
	$(BIN)/python -m pytest

check: .venv/.installed ## ruff, strict types, import layers
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports --no-cache

format: .venv/.installed ## format the code
	$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

clean: ## remove outputs and caches, keep .venv
	rm -rf out .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info
