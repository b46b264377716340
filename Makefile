# Every target makes .venv first where it is missing or out of date. A bare machine needs Python 3.11 to 3.13 and make.
# The first Python of this list that fits is taken; `make PYTHON=/path/to/python` names another.
PYTHON := python3 python3.11 python3.12 python3.13
UV := 0.13.9
BIN := .venv/bin

.DEFAULT_GOAL := help
# Where this is set, every process compiles torch, dagster and all the others anew: 15 s each.
unexport PYTHONDONTWRITEBYTECODE
.DELETE_ON_ERROR:
.PHONY: help setup demo dev test check quick lint bench lock

help:
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' Makefile

setup: .venv/ready ## make .venv from requirements.lock; the program is then .venv/bin/matching
	@echo "Ready: $(BIN)/matching --help"

demo: .venv/ready ## run the whole asset graph on the embedded sample and print what came out
	$(BIN)/matching demo

dev: .venv/ready ## open the Dagster UI and daemon on this checkout
	$(BIN)/matching dev

test: .venv/ready ## run every test, on two cores
	$(BIN)/pytest --numprocesses 2

check: .venv/ready ## style, types and the quick tests, side by side: before every commit
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target lint quick

quick: .venv/ready ## run the quick tests
	$(BIN)/pytest --numprocesses 2 tests/unit -m "not slow"

lint: .venv/ready ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/ready ## measure matching on the data beside this checkout
	$(BIN)/python -m benchmarks

# What pip's environment or its files say, for uv, which reads neither: $(call pip,find-links)
pip = $$($(BIN)/pip config list | sed -n "s/^[^=]*\.$(1)='\(.*\)'$$/\1/p" | tail -n 1 | sed 's/\\n/ /g')
uv = VIRTUAL_ENV=.venv UV_FIND_LINKS="$$(echo "$(call pip,find-links)" | tr ' ' ',')" \
	UV_DEFAULT_INDEX="$(call pip,index-url)" SSL_CERT_FILE="$(call pip,cert)" $(BIN)/uv pip
# Several indexes are one to pip, so to uv too; exact versions and hashes make that safe.
extra = UV_INDEX="$(call pip,extra-index-url)" UV_INDEX_STRATEGY=unsafe-best-match

# The file that says that .venv is complete is written last, and only when everything before it went well.
.venv/ready: requirements.lock pyproject.toml Makefile
	@rm -f $@
	@fits='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))'; \
	for python in $(BIN)/python $(PYTHON) none; do $$python -c "$$fits" 2>/dev/null && break; done; \
	if [ $$python = none ]; then echo "No Python 3.11 to 3.13 here. Name one: make PYTHON=/path/to/python" >&2; exit 1; fi; \
	$(BIN)/pip --version >/dev/null 2>&1 || $$python -m venv --clear .venv
	@echo "Installing what requirements.lock names into .venv: some 20 s, or a minute when it is not in the cache"
	@$(BIN)/pip install --quiet --disable-pip-version-check uv==$(UV)
	@$(extra) $(uv) install --quiet --requirement requirements.lock --editable '.[aws,dev]'
	@touch $@

lock: .venv/ready ## resolve pyproject.toml anew into requirements.lock, keeping versions that still fit
	@scratch=$$(mktemp) && grep -v '^torch==' requirements.lock > $$scratch && \
	$(uv) compile pyproject.toml --quiet --all-extras --python-version 3.11 --generate-hashes --no-annotate --no-header \
	  --no-emit-package torch --output-file $$scratch && \
	{ grep '^#' requirements.lock; grep -o 'torch==[0-9.]*' pyproject.toml; grep -v '^#' $$scratch; } > $$scratch.new && \
	mv $$scratch.new requirements.lock && rm $$scratch
