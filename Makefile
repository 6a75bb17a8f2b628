# `make search` and `make test` work from a bare checkout: each makes .venv first where there is none.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
STUDY  ?= digits
ARGS   ?=

.DEFAULT_GOAL := help
.PHONY: help setup lint type test browser slow chaos search ui report bench others clean

help: ## what can be made
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(STAMP) ## .venv with everything, pinned in constraints.txt

# uv does in seconds what pip does in minutes; where it cannot serve, pip does the same from the same pins.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed, but $(PYTHON) is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (once; torch is large)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt uv || true
	@$(BIN)/uv pip install -q --python $(BIN)/python -c constraints.txt --compile-bytecode -e '.[dev]' \
	  || $(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt --compile-bytecode -e '.[dev]'
	@touch $@

lint: $(STAMP) ## ruff: style, imports, docstrings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

type: $(STAMP) ## mypy, strict
	$(BIN)/mypy

# Ray's workers are nice: beside tests that compute they would starve, beside each other they do not.
ALONE := tests/chaos $(addprefix tests/search/,studies cli tracking test_store.py test_ui.py)
test: $(STAMP) ## the tests that are quick (20 to 35 minutes on two shared cores)
	$(BIN)/python -m pytest -n 2 --dist worksteal $(ALONE)
	$(BIN)/python -m pytest -n 2 --dist worksteal tests $(ALONE:%=--ignore=%)

browser: $(STAMP) ## pages looked at in a real browser (chromium); pictures of them are in test-artifacts/
	$(BIN)/python -m pytest -m browser

slow: $(STAMP) ## the tests that are not
	$(BIN)/python -m pytest -m slow

chaos: $(STAMP) ## sixty-three kills of a study, each followed by the same command (an hour and a half)
	$(BIN)/python -m tests.chaos.kills $(ARGS)

search: $(STAMP) ## run or continue a study: make search [STUDY=digits] [ARGS="--trials 10"]
	@$(BIN)/python -m search run $(STUDY) $(ARGS)

ui: $(STAMP) ## MLflow's pages over mlruns/
	@$(BIN)/python -m search ui $(ARGS)

report: $(STAMP) ## what a study found, as one page: make report [STUDY=digits]
	@$(BIN)/python -m search report $(STUDY) $(ARGS)

# What NePS depends on does not go with the project's pins.
others: $(STAMP) ## what the searches of others find (benchmarks/others.py); installs them into .venv-others
	@test -x .venv-others/bin/python || $(PYTHON) -m venv .venv-others
	$(BIN)/uv pip install -q --python .venv-others/bin/python -e . smac dehb neural-pipeline-search syne-tune
	.venv-others/bin/python benchmarks/others.py $(ARGS)

bench: $(STAMP) ## make the tables of docs/ again (benchmarks/): hours; make bench ARGS="features driver"
	$(BIN)/python benchmarks/write.py $(ARGS)

clean: ## caches of the tools; .venv and mlruns/ stay
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis build ./*.egg-info
	find . -name __pycache__ -not -path './$(VENV)/*' -type d -exec rm -rf {} +
