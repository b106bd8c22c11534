# Needs python3 (3.11 or later) and, for the first call, a network to install from. Everything goes into .venv.
PYTHON ?= python3
VENV ?= .venv
DEMO ?= build/demo
JOBS ?= 2

STAMP := $(VENV)/.installed
BIN := $(VENV)/bin

.PHONY: demo test check bench docs clean

demo: $(STAMP)  ## make a store with data of our own and run its KPIs
	@rm -rf "$(DEMO)"
	$(BIN)/kpi demo "$(DEMO)"

test: $(STAMP)  ## run all tests
	@PYTHONHASHSEED=0 $(BIN)/python -m pytest -n $(JOBS)

check: $(STAMP)  ## lint, format, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=. $(BIN)/lint-imports

bench: $(STAMP)  ## measure against peers; ARGS="--rows 20m"
	$(BIN)/python benchmarks/run.py $(ARGS)

docs: $(STAMP)  ## write the generated pages of docs/ again
	$(BIN)/python -m smartkpi.app.docs docs

clean:
	rm -rf "$(VENV)" "$(DEMO)" .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "smartkpi needs Python 3.11 or later")'
	$(PYTHON) -m venv "$(VENV)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch "$@"
