# btfeeds from a fresh clone: every target sets up what it needs in .venv, once.
#   make demo    a strategy trades simulated bars through network faults, and a verdict
#   make test    every test
#   make check   style, types, architecture
#   make bench   speed against other feeds, as ratios
#   make soak    many schedules of faults in virtual time: N=1000000 of them, at most SECONDS=14400 long
#   make mutants every planted bug has to be found
# PYTHON=python3.12 chooses the interpreter, JOBS=4 the number of test processes.

PYTHON ?= python3
JOBS ?= 2
VENV := .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?=
N ?= 1000000
SECONDS ?= 14400

.PHONY: demo test check bench soak mutants clean
.DELETE_ON_ERROR:

demo: $(VENV)/.installed-sim
	@$(BIN)/btfeeds demo

test: $(VENV)/.installed-test
	@$(BIN)/python -m pytest -n $(JOBS) $(PYTEST_ARGS)

check: $(VENV)/.installed-test
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache --no-logo

bench: $(VENV)/.installed-test
	@$(BIN)/python -m benchmarks

soak: $(VENV)/.installed-test
	@$(BIN)/python -m tests.virtual soak $(N) --seconds $(SECONDS) --workers $(JOBS)

mutants: $(VENV)/.installed-test
	@$(BIN)/python -m tests.virtual mutants

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache htmlcov .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A venv brings its own pip; where Debian keeps that in a package of its own (python3-venv), the machine's pip serves it.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' || \
		{ echo "btfeeds needs Python 3.11 to 3.14 and '$(PYTHON)' is none of them: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@echo "Setting up $(VENV) ..."
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || { rm -rf $(VENV); $(PYTHON) -m venv --without-pip $(VENV); } || \
		{ echo "Python cannot make virtual environments here. On Debian: apt install python3-venv" >&2; rm -rf $(VENV); exit 1; }

$(VENV)/.installed-%: setup.cfg pyproject.toml | $(BIN)/python
	@echo "Installing btfeeds[$*] ..."
	@if $(BIN)/python -c 'import pip' 2>/dev/null; then pip="$(BIN)/python -m pip"; \
	elif $(PYTHON) -c 'import pip' 2>/dev/null; then pip="$(PYTHON) -m pip --python $(BIN)/python"; \
	else echo "There is no pip. On Debian: apt install python3-venv python3-pip" >&2; rm -rf $(VENV); exit 1; fi; \
	$$pip install -qq --disable-pip-version-check --editable ".[$*]"
	@touch $@
