# make run TASK="..."   answer a task on the files in examples/workspace; ARGS="--workspace DIR --json" are passed on
# make test             every check that finishes in minutes
# make check-all        also slow and kill tests, conformance and foreign servers
# make conformance      the official MCP conformance suite, client and gateway; needs npm and the network
# make fuzz             ten minutes of fuzzing the sandbox (FUZZ_ARGS="--seconds 60 --seed 1")
# make fuzz-atheris     the same guided by coverage, in an environment of its own (FUZZ_ARGS="-max_total_time=600")
# make nano             train the nano policy from nothing on this machine (NANO_ARGS="--recipe cpu")
# make bench            the benchmarks, against peers, on this machine
# make clean            remove what make made (.venv, caches)

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help install dev run test lint types tests check-all conformance fuzz fuzz-atheris nano bench clean

BIN := .venv/bin
DEMO := How many words are in notes.md?

# GNU make expands `$$` in a TASK given on its command line; `value` takes the text as it was typed, and the shell then
# reads it from the environment, so that quotes, dollars and backticks arrive unharmed.
ifneq ($(origin TASK),undefined)
export ATLAS_MAKE_TASK := $(value TASK)
unexport TASK
endif
JOBS ?= auto

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

install:
	@.ci/setup base

dev:
	@.ci/setup dev

run: install
ifeq ($(origin TASK),undefined)
	@echo 'atlas: a demonstration: make run TASK="$(DEMO)"' >&2
endif
	@exec $(BIN)/atlas run --workspace examples/workspace $(value ARGS) -- "$${ATLAS_MAKE_TASK-$(DEMO)}"

test: lint types tests

lint: dev
	@$(BIN)/ruff check .

types: dev
	@cd .venv/pkg && MYPYPATH=. ../bin/mypy --config-file ../../pyproject.toml -p atlas

tests: dev
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(value PYTEST_ARGS)

check-all: lint types
	@PYTHON=$(BIN)/python tests/tools_registry/foreign/install.sh .venv/foreign
	@ATLAS_FOREIGN=.venv/foreign $(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "" $(value PYTEST_ARGS)
	@$(MAKE) conformance

conformance: dev
	@$(BIN)/python tests/conformance/run.py .venv/conformance $(value CONFORMANCE_ARGS)

fuzz: dev
	@exec $(BIN)/python -m tests.sandbox.fuzzing $(value FUZZ_ARGS)

fuzz-atheris: dev
	@test -x .venv/fuzz/bin/python || $(BIN)/python -m venv .venv/fuzz
	@.venv/fuzz/bin/python -c "import atheris" 2>/dev/null || .venv/fuzz/bin/pip install -q --only-binary :all: atheris \
		-c constraints.txt RestrictedPython || { echo "atlas: atheris has no build for this Python; use make fuzz" >&2; exit 1; }
	@PYTHONPATH=.venv/pkg exec .venv/fuzz/bin/python -m tests.sandbox.fuzzing --atheris \
		$(if $(value FUZZ_ARGS),$(value FUZZ_ARGS),-max_total_time=600)

nano:
	@.ci/setup train
	@exec $(BIN)/python -m atlas.training.nano $(value NANO_ARGS)

bench: dev
	@for name in cold_start program_overhead sandbox context_tokens; do $(BIN)/python benchmarks/$$name.py || exit 1; done

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
