# make run    install what the panel needs into .venv and start it (simulated pins where there is no GPIO)
# make test   install what the tests need, Debian packages included, and run the quick ones (at most 4 minutes)
# make test-slow   the slow ones, and everything on every server (about 20 minutes)
# make test-front   the tests of chat, runs and sign-in, with a front of a home in the place of each panel (a minute)
# make lint   ruff, mypy --strict, import-linter
# make bench  measure the panel beside its peers (25 minutes) and write docs/performance.md
# make chaos, fuzz, home, schema, soak   the long checks of campaigns/, which write docs/reliability.md
# make lookalikes FROM=folder   make the table of characters that look alike from two files of Unicode
# make screenshots PAGES="chat watch"   take the pictures of docs/images anew (all in four minutes)
# make wheel  build dist/pilotlight-*.whl, for pip and pipx
# make pi     try the wheel on Debian for 32-bit and 64-bit ARM, in QEMU (an hour, as root), and write docs/pi.md
# make lock   choose the exact versions anew

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN_ARGS ?=
# A 32-bit system on a 64-bit kernel, as 32-bit Raspberry Pi OS is: pip must take it for what it is.
PIP := $(shell [ "$$(getconf LONG_BIT)" = 32 ] && command -v linux32) $(BIN)/python -m pip --disable-pip-version-check
# What is new in a lock file, and needed by nothing but what a 32-bit Raspberry Pi cannot have.
NOT_32_BIT := ; platform_machine not in "armv6l armv7l armv8l"

.PHONY: run test test-slow test-front lint bench chaos fuzz home schema soak lookalikes screenshots wheel pi lock clean

run: $(VENV)/.run
	exec $(BIN)/pilotlight serve $(RUN_ARGS)

# Four on two cores: half of the time a test waits. The pages come first, as they take longest, and not the file with most tests.
PYTEST := $(BIN)/python -m tests.support.measured $(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder

test: $(VENV)/.dev tests/support/node/node_modules/.installed
	$(PYTEST) -m "not slow" $(TEST_ARGS)

# All that a process makes a difference to, on every server, each panel and the browser started as users start them.
test-slow: $(VENV)/.dev tests/support/node/node_modules/.installed
	$(PYTEST) --as-users-do $(or $(TEST_ARGS),tests)

# What a home passes on to its keeper, asked of a front by the tests that ask it of one panel.
FRONT_TESTS := $(addprefix tests/wires/,access chat old_chat running_logger runs shows/test_refusals.py test_lookalike_names.py)
test-front: $(VENV)/.dev tests/support/node/node_modules/.installed
	$(PYTEST) -m "not slow" -p tests.support.as_front $(or $(TEST_ARGS),$(FRONT_TESTS))

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev
	$(BIN)/python -m bench $(BENCH_ARGS)

chaos fuzz home schema soak: $(VENV)/.campaigns
	$(BIN)/python -m campaigns $@ $(CAMPAIGN_ARGS)

lookalikes: $(VENV)/.dev
	$(BIN)/python -m campaigns.lookalikes $(FROM)

screenshots: $(VENV)/.dev
	bash tests/packages.sh screenshots
	$(BIN)/python -m tests.support.screenshots $(PAGES)

$(VENV)/.campaigns: pyproject.toml $(VENV)/.dev
	bash tests/packages.sh campaigns
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[campaigns]'
	@touch $@

$(VENV)/.packages: tests/packages.sh
	bash tests/packages.sh
	@mkdir -p $(VENV) && touch $@

$(BIN)/python:
	@echo "Pilot Light: making a Python environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "On Debian: sudo apt install python3-venv" >&2; exit 1; }

$(VENV)/.run: requirements.lock pyproject.toml | $(BIN)/python
	@echo "Pilot Light: installing what it needs into $(VENV); this happens once and takes a minute or two"
	$(PIP) install -r requirements.lock
	@echo "Pilot Light: installing itself"
	$(PIP) install --quiet --no-deps -e .
	@touch $@
	@echo "Pilot Light: installed"

wheel: | $(BIN)/python
	$(PIP) wheel --quiet --no-deps -w dist .
	@ls dist/*.whl

pi: wheel
	bash campaigns/pi.sh $(PI_ARGS)

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
	sed -i -E 's/^((argon2-cffi|argon2-cffi-bindings|cffi|pycparser)==[^ ;]+).*/\1 $(NOT_32_BIT)/' requirements.lock
	sed -i -E 's/^((argon2-cffi|argon2-cffi-bindings)==[^ ;]+).*/\1 $(NOT_32_BIT)/' requirements-dev.lock

clean:
	rm -rf $(VENV) tests/support/node/node_modules dist build .mypy_cache .ruff_cache .pytest_cache
