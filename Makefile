# Each target is one short command. `make` alone lists them.
PYTHON ?= python3
BIN := .venv/bin
CONFIG ?= configs/sample.yaml
TRAINING ?= configs/tokenizer_training/sample.yaml
COMPRESSION ?= configs/compression/sample.yaml
PACK ?= configs/packing/sample.yaml
SMOKE ?= configs/smoke/sample.yaml
VARIANTS ?= configs/variants/sample.yaml
DATA ?= ../shared/data
RUN ?= out/sample
# what other targets made of the sample's corpus, as far as they did
MADE = $(if $(wildcard out/compression/compression.json),--tokenizer out/compression) \
	$(if $(wildcard out/smoke/nano/training.json),--training out/smoke) \
	$(if $(wildcard out/variants_sample/verdict.json),--variants out/variants_sample)

.DEFAULT_GOAL := help
.PHONY: help install corpus report tokenizer compression pack smoke variants test check format bench bench-gpu docs sample clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

.venv/.installed: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

install: .venv/.installed ## create .venv and install everything, exact versions

corpus: .venv/.installed ## run the pipeline on the bundled sample (or CONFIG=my.yaml)
	$(if $(filter configs/sample.yaml,$(CONFIG)),$(BIN)/corpus quality train configs/quality/sample.yaml)
	$(BIN)/corpus run $(CONFIG) --overwrite

report: .venv/.installed ## write the sample's report again, with tokenizers, trainings and verdicts where they are made (or RUN=out/my-corpus)
	$(BIN)/corpus report $(RUN) $(if $(filter out/sample,$(RUN)),$(MADE))

tokenizer: .venv/.installed ## train a small tokenizer on the sample's corpus (or TRAINING=my.yaml)
	$(BIN)/corpus tokenizer train $(TRAINING) --overwrite

compression: .venv/.installed ## compare small tokenizers on held-out documents of the sample (or COMPRESSION=my.yaml)
	$(BIN)/corpus tokenizer compare $(COMPRESSION) --overwrite

pack: .venv/.installed ## write the sample's corpus as token shards (or PACK=my.yaml)
	$(BIN)/corpus pack $(PACK) --overwrite

smoke: .venv/.installed ## train a tiny model on the sample's corpus, and a control: loss curve, text, at most five minutes (or SMOKE=my.yaml)
	$(if $(wildcard out/sample/summary.json),,$(MAKE) corpus)
	$(BIN)/corpus smoke $(SMOKE)

variants: .venv/.installed ## judge the sample's corpora by small models trained on each (or VARIANTS=my.yaml)
	$(if $(filter configs/variants/sample.yaml,$(VARIANTS)),$(BIN)/corpus quality train configs/quality/sample.yaml)
	$(BIN)/corpus variants $(VARIANTS)

test: .venv/.installed ## run the tests
	$(BIN)/python -m pytest

check: .venv/.installed ## ruff, strict types, import layers
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && MYPYPATH=data $(BIN)/mypy data/make_sample.py data/make_simplified.py docs/make_filters.py && $(BIN)/lint-imports --no-cache

format: .venv/.installed ## format the code
	$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

bench-gpu: ## check and time training on one GPU, 8 minutes; needs torch, numpy, safetensors only (DRY=1: tiny shapes on a CPU)
	$(or $(wildcard $(BIN)/python),$(PYTHON)) benchmarks/gpu.py $(if $(DRY),--dry-run)

bench: .venv/.installed ## compare with our peers on the same documents, 20 minutes: docs/benchmarks.md (real data where it is, else the sample)
	$(BIN)/python benchmarks/side_by_side.py $(if $(wildcard $(DATA)/*.jsonl.zst),--data $(DATA)) $(if $(FRESH),--fresh)

docs: .venv/.installed ## write the generated pages of docs/ again
	$(BIN)/python docs/make_filters.py

sample: .venv/.installed ## make data/sample again from its passages
	$(BIN)/python data/make_sample.py

clean: ## remove outputs and caches, keep .venv
	rm -rf out .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info
