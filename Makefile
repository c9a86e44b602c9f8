# Throughline. Needs Python 3.11, 3.12 or 3.13 and nothing else; everything it fetches goes into .venv
# and the cache of downloads (~/.cache/throughline).

.PHONY: help demo up bi test test-bi test-long check bench storm fuzz locks runtime dev superset clean
.DEFAULT_GOAL := help

# The first Python that fits. Another one: make PYTHON=/path/to/python3.12 demo
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' >/dev/null 2>&1 && echo $$p && break; done)
BIN := .venv/bin
TWO_AT_ONCE := -n 2 --dist loadfile --no-loadscope-reorder
BI_LOCK := deploy/superset/requirements.lock
PIP := $(BIN)/python -m pip --disable-pip-version-check --require-virtualenv

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

demo: runtime ## the whole stack with a shop whose customers keep shopping, until Ctrl-C
	@exec $(BIN)/throughline up --shop

up: runtime ## the whole stack without the shop, until Ctrl-C
	@exec $(BIN)/throughline up

bi: runtime superset ## dashboards in Apache Superset over the running stack, until Ctrl-C
	@exec $(BIN)/throughline bi

test: dev ## set up, check, and run all tests but the long ones
	@$(MAKE) --no-print-directory check
	@echo "== Tests of units, two at a time"
	@$(BIN)/python -m pytest tests/unit -n 2
	@echo "== Tests of contracts and of the real stack (Kafkas and ClickHouses of their own, on free ports), two at a time"
	@$(BIN)/python -m pytest tests/contract tests/integration tests/system -m "not long" $(TWO_AT_ONCE)

test-long: dev ## the tests that take minutes each, and whole what `make test` looks at a part of
	@$(BIN)/python -m pytest tests/unit tests/contract tests/integration tests/system -m "long or sized or hypothesis" --hypothesis-profile=thorough

test-bi: dev superset ## the dashboards in a Superset: every chart, over a stack of its own with the demo shop
	@$(BIN)/python -m pytest tests/bi

check: dev ## formatting, lint, types, layers
	@echo "== Formatting" && $(BIN)/ruff format --check .
	@echo "== Lint" && $(BIN)/ruff check .
	@echo "== Types" && $(BIN)/mypy
	@echo "== Layers" && $(BIN)/lint-imports

bench: dev ## measure throughput, latency and memory here
	@$(BIN)/python -m tests.benchmarks.bench
	@$(BIN)/python -m tests.benchmarks.privacy
	@$(BIN)/python -m tests.benchmarks.analyse

storm: dev ## events through workers that are killed and frozen, compared with the truth
	@$(BIN)/python -m tests.system.storm

fuzz: dev ## look for worlds where the network and the oracle differ: make fuzz MINUTES=10
	@$(BIN)/python -m tests.fuzz $(or $(MINUTES),10)

locks: ## resolve the dependencies of pyproject.toml anew (needs uv)
	@for extra in "" "--extra dev"; do uv pip compile pyproject.toml --extra build $$extra --universal \
		--python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --quiet \
		--output-file requirements$${extra:+-dev}.lock || exit; done
	@uv pip compile deploy/superset/requirements.in --constraints deploy/superset/constraints.txt --universal \
		--python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --quiet \
		--output-file deploy/superset/requirements.lock

clean: ## remove the environment and all data of this folder
	rm -rf .venv .bi-venv .throughline build *.egg-info

runtime:
	@$(call install,runtime,requirements.lock)

dev:
	@$(call install,dev,requirements-dev.lock)

# Superset lives by itself: it needs other versions of what Throughline uses. Two of its dependencies come as source only.
superset:
	@want="$$(cksum < $(BI_LOCK)) $(CURDIR)"; \
	if [ "$$(cat .bi-venv/.made 2>/dev/null)" = "$$want" ]; then exit 0; fi; \
	if ! $(BIN)/python -c 'import sys; sys.exit(sys.version_info[:2] > (3, 12))'; then \
		echo "Superset needs Python 3.11 or 3.12, and .venv has $$($(BIN)/python --version)." \
			"Make it with another: rm -rf .venv && make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1; fi; \
	echo "== Making an environment for Superset in .bi-venv"; \
	rm -rf .bi-venv && $(BIN)/python -m venv .bi-venv || exit 1; \
	echo "== Installing what $(BI_LOCK) names (once: some 830 MB, a minute or two)"; \
	.bi-venv/bin/python -m pip --disable-pip-version-check --require-virtualenv install --require-hashes \
		--only-binary :all: --no-binary odfpy --no-binary wtforms-json -r $(BI_LOCK) || exit 1; \
	echo "$$want" > .bi-venv/.made

# Bring .venv to a lock file, only when something has changed: the lock, the project, or where this folder is.
# 'dev' has all that 'runtime' needs.
define install
want="$$(cat $(2) pyproject.toml | cksum) $(CURDIR)"; \
if [ -d .venv ] && ! $(BIN)/python -c '' 2>/dev/null; then echo "== .venv is broken: making it anew"; rm -rf .venv; fi; \
if [ "$$(cat .venv/.$(1) 2>/dev/null)" = "$$want" ]; then exit 0; fi; \
if [ ! -d .venv ]; then \
	if [ -z "$(PYTHON)" ]; then \
		echo "Throughline needs Python 3.11, 3.12 or 3.13, and found $$(python3 --version 2>/dev/null || echo none)." \
			"Install one, or name it: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1; fi; \
	if ! $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then \
		echo "$$($(PYTHON) --version) here has no venv module: install it (Debian, Ubuntu: apt install python3-venv)." >&2; \
		exit 1; fi; \
	echo "== Making an environment in .venv with $$($(PYTHON) --version)"; \
	$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }; fi; \
echo "== Installing what $(2) names (once: some 350 MB)"; \
$(PIP) install --require-hashes --only-binary :all: -r $(2) || exit 1; \
$(PIP) install --quiet --no-deps --no-build-isolation --no-index --editable . || exit 1; \
echo "$$want" > .venv/.$(1); \
if [ $(1) = dev ]; then cat requirements.lock pyproject.toml | cksum | sed 's|$$| $(CURDIR)|' > .venv/.runtime; fi
endef
