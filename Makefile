# make run TASK="..."   answer a task on the files in examples/workspace; ARGS="--workspace DIR --json" are passed on
# make test             every check that finishes in minutes
# make check-all        also fuzzing, kill tests, conformance and foreign servers
# make nano             train the nano policy from nothing on this machine (NANO_ARGS="--recipe cpu")
# make bench            the benchmarks, against peers, on this machine
# make clean            remove what make made (.venv, caches)

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help install dev run test lint types tests check-all nano bench clean

BIN := .venv/bin
DEMO := How many words are in notes.md?

# GNU make expands `$$` in a TASK given on its command line; `value` takes the text as it was typed, and the shell then
# reads it from the environment, so that quotes, dollars and backticks arrive unharmed.
ifdef TASK
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
ifndef TASK
	@echo 'atlas: a demonstration: make run TASK="$(DEMO)"' >&2
endif
	@exec $(BIN)/atlas run --workspace examples/workspace $(value ARGS) -- "$${ATLAS_MAKE_TASK:-$(DEMO)}"

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

nano:
	@.ci/setup train
	@exec $(BIN)/python -m atlas.training.nano $(value NANO_ARGS)

bench: dev
	@for name in cold_start program_overhead context_tokens; do $(BIN)/python benchmarks/$$name.py || exit 1; done

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
