# Everything that a fresh machine needs is Python 3.11 or newer: each target sets up what it uses.
.DEFAULT_GOAL := help
SHELL := /bin/sh

PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet
COMPILE := uv pip compile --universal --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet \
	--python-version 3.11
TESTS ?= tests
TARGET ?= saml_document
ARGS ?=

.PHONY: help demo test mutation fuzz check lint types format lock schema words pictures clean

help: ## Print what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-9s %s\n", $$1, $$2 }'
	@echo
	@echo "  make demo ARGS=--once     sign in by SAML and by OIDC and run a CI job, print each step, and end"
	@echo "  make test STRICT=1        a test that has to be skipped is a failure"
	@echo "  make test TESTS=tests/unit ARGS=-x"

demo: $(VENV)/.server ## Start everything on this machine and say what to click
	@$(BIN)/rambridge demo $(ARGS)

test: $(VENV)/.dev ## Run the whole suite
	@RAMBRIDGE_STRICT=$(STRICT) $(BIN)/pytest $(TESTS) -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

mutation: $(VENV)/.dev ## Weaken each check of the verifiers, and see whether a test notices (docs/mutation.md)
	@$(BIN)/python -m tests.mutation $(ARGS)

fuzz: $(VENV)/.fuzz ## Fuzz what strangers send, or write as rules, for ten minutes: TARGET=saml_document, rules and others
	@$(BIN)/python -m tests.fuzz.$(TARGET) -max_total_time=600 $(ARGS)

check: $(VENV)/.server ## Check the configuration in config/
	@$(BIN)/rambridge check

lint: $(VENV)/.dev ## Check style, dead dependencies and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/deptry --no-ansi bridge

types: $(VENV)/.dev ## Check types
	@$(BIN)/mypy

format: $(VENV)/.dev ## Format the code
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format --quiet .

schema: $(VENV)/.server ## Write config/schema/ anew from the models
	@$(BIN)/python -c "from pathlib import Path; from bridge.settings import write_schemas; write_schemas(Path('config/schema'))"

words: $(VENV)/.dev ## Put new messages into the catalogues in bridge/words/, and compile them
	@$(BIN)/python -m tests.words

pictures: $(VENV)/.dev ## Take the pictures in docs/images/ anew (needs Chromium)
	@RAMBRIDGE_TEST_PICTURES=docs $(BIN)/pytest tests/browser/test_every_page.py $(ARGS)

lock: ## Resolve the dependencies anew into requirements/ (needs uv)
	@printf 'hatchling>=1.27\neditables\n' | $(COMPILE) - -o requirements/build.txt
	@$(COMPILE) pyproject.toml -o requirements/command.txt
	@$(COMPILE) pyproject.toml --extra server --extra postgres -c requirements/command.txt -o requirements/server.txt
	@$(COMPILE) pyproject.toml --extra server --extra postgres --extra setup --extra sls --group dev -c requirements/server.txt -o requirements/dev.txt
	@$(COMPILE) --group fuzz -o requirements/fuzz.txt

clean: ## Remove what the other targets made (keys and data included)
	@rm -rf $(VENV) var certs/*/ tests/screenshots .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; none was found."; exit 1; }
	@echo "Setting up $(VENV) with $$($(PYTHON) --version) …"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.server: $(VENV)/.made requirements/build.txt requirements/server.txt pyproject.toml
	@echo "Installing the service …"
	@$(PIP) install --require-hashes -r requirements/build.txt -r requirements/server.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.server requirements/dev.txt
	@echo "Installing what the tests need …"
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/.fuzz: $(VENV)/.dev requirements/fuzz.txt
	@echo "Installing the fuzzer …"
	@$(PIP) install --require-hashes -r requirements/fuzz.txt
	@touch $@
