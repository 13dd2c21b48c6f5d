# make run    install what the panel needs into .venv and start it (simulated pins where there is no GPIO)
# make test   install what the tests need, Debian packages included, and run the quick ones (at most 4 minutes)
# make test-slow   the slow ones, and everything on every server (about 20 minutes)
# make lint   ruff, mypy --strict, import-linter
# make bench  measure the panel beside its peers (25 minutes) and write docs/performance.md
# make chaos, fuzz, schema, soak   the long checks of campaigns/, which write docs/reliability.md
# make lookalikes FROM=folder   make the table of characters that look alike from two files of Unicode
# make lock   choose the exact versions anew

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN_ARGS ?=

.PHONY: run test test-slow lint bench chaos fuzz schema soak lookalikes lock clean

run: $(VENV)/.run
	exec $(BIN)/pilotlight serve $(RUN_ARGS)

# Three on two cores: a third of the time a test waits.
PYTEST := $(BIN)/python -m tests.support.measured $(BIN)/python -m pytest -n 3 --dist loadgroup

test: $(VENV)/.dev tests/support/node/node_modules/.installed
	$(PYTEST) -m "not slow" $(TEST_ARGS)

# All that a process makes a difference to, on every server, each panel and the browser started as users start them.
test-slow: $(VENV)/.dev tests/support/node/node_modules/.installed
	$(PYTEST) --as-users-do $(or $(TEST_ARGS),tests)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev
	$(BIN)/python -m bench $(BENCH_ARGS)

chaos fuzz schema soak: $(VENV)/.campaigns
	$(BIN)/python -m campaigns $@ $(CAMPAIGN_ARGS)

lookalikes: $(VENV)/.dev
	$(BIN)/python -m campaigns.lookalikes $(FROM)

$(VENV)/.campaigns: pyproject.toml $(VENV)/.dev
	bash tests/packages.sh campaigns
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[campaigns]'
	@touch $@

$(VENV)/.packages: tests/packages.sh
	bash tests/packages.sh
	@mkdir -p $(VENV) && touch $@

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements.lock pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.packages $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.lock
	@touch $@

tests/support/node/node_modules/.installed: tests/support/node/package-lock.json $(VENV)/.packages
	cd tests/support/node && npm ci --silent --no-audit --no-fund
	@touch $@

lock: | $(BIN)/python
	$(BIN)/python -m pip install --quiet pip-tools
	$(BIN)/pip-compile --quiet --upgrade --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host -o requirements.lock pyproject.toml
	$(BIN)/pip-compile --quiet --upgrade --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --extra dev -c requirements.lock -o requirements-dev.lock pyproject.toml

clean:
	rm -rf $(VENV) tests/support/node/node_modules dist build .mypy_cache .ruff_cache .pytest_cache
