# Two commands: `make demo` and `make test`. Both set everything up in .venv first. `make quick` is a developer's loop.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
BUILD := pyproject.toml constraints.txt CMakeLists.txt $(wildcard native/*)
TORCH = $(shell $(PYTHON) scripts/cpu_torch.py)
INSTALL = $(BIN)/python -m pip install --quiet -c constraints.txt $(TORCH)

QUICK := $(wildcard tests/test_*.py) tests/core tests/data tests/engine tests/losses tests/store

.PHONY: demo test quick system lint format wasm resolve clean

demo: $(VENV)/.demo
	$(BIN)/planaria train demo --resume

test: system $(VENV)/.dev
	$(BIN)/python -m pytest -n 2

quick: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 -m "not long and not browser and not screen" $(QUICK)

system:
	@PYTHON=$(PYTHON) sh scripts/system.sh test

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run -Werror native/*
	$(BIN)/pyright --pythonpath $(BIN)/python

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i native/*

wasm: $(VENV)/.dev
	$(BIN)/python scripts/wasm.py

resolve: | $(BIN)/python
	$(BIN)/python scripts/resolve.py

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis

$(BIN)/python:
	@PYTHON=$(PYTHON) sh scripts/system.sh demo
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(BUILD) | $(BIN)/python
	$(INSTALL) -e .
	touch $@

$(VENV)/.dev: $(BUILD) | $(BIN)/python
	$(INSTALL) -e '.[dev]'
	touch $@ $(VENV)/.demo
