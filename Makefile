# make run    install what the panel needs into .venv and start it (simulated pins where there is no GPIO)
# make test   install what the tests need, Debian packages included, and run the quick ones (at most 4 minutes)
# make test-slow   the slow ones, which are those on every server too, then test-real (half an hour on two slow cores)
# make test-real   quick ones that show what a real start and the whole browser make of it (about 5 minutes)
# make test-front   the tests of chat, runs and sign-in, with a front of a home in the place of each panel (a minute)
# make lint   ruff, mypy --strict, import-linter
# make bench  measure the panel beside its peers (30 minutes) and write docs/performance.md
# make instructions   count the instructions of a command under valgrind, for docs/performance.md (five minutes)
# make chaos, fuzz, ha, home, pythons, schema, soak   the long checks of campaigns/, which write docs/reliability.md
# make lookalikes FROM=folder   make the table of characters that look alike from two files of Unicode
# make screenshots PAGES="chat watch"   take the pictures of docs/images anew (all in four minutes)
# make screens   measure what each page costs a browser, and write docs/screens.md (a minute)
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

.PHONY: run test test-slow test-real test-front lint bench instructions chaos fuzz ha home pythons schema soak lookalikes screenshots screens wheel pi lock clean

run: $(VENV)/.run
	exec $(BIN)/pilotlight serve $(RUN_ARGS)

# Four on two cores: half of the time a test waits. The pages come first, as they take longest, and not the file with most tests.
WORKERS := 4
PYTEST = $(BIN)/python -m tests.support.measured $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

OLD_PYTHON := tests/support/old_socketio/packages/.installed

test: $(VENV)/.dev tests/support/node/node_modules/.installed $(OLD_PYTHON)
	$(PYTEST) -m "not slow" $(TEST_ARGS)

# Three: what these tests measure, and their browsers, need a core at once.
test-slow test-real: WORKERS := 3

# What `make test` has not run; then what a real start can show. With TEST_ARGS the first alone.
test-slow: $(VENV)/.dev $(VENV)/.browsers tests/support/node/node_modules/.installed $(OLD_PYTHON)
	$(PYTEST) -m slow $(TEST_ARGS)
	$(if $(TEST_ARGS),,$(MAKE) test-real)

# Quick tests, with each panel and the browser started as users start them: of how a panel starts, ends and is set up, of
# each subject, and of each page, those that use most of it. So what is imported late is imported by a fresh panel.
REAL_PROCESS := $(addprefix tests/process/,engine/test_connection.py engine/test_groups.py mqtt run_command/test_on_a_panel.py \
	run_command/test_signals.py test_addresses.py test_alphabets.py test_cli.py test_doctor_anywhere.py test_ending.py \
	test_hardware.py test_make_run.py test_memory_limit.py test_operating.py test_remote_commands.py test_service_install.py \
	test_signals.py test_start.py test_store.py test_tutorials.py)
REAL_WIRES := $(addprefix tests/wires/,access/test_sessions.py access/test_sign_in.py chat/test_saying.py client/test_recipes.py groups/test_schedules.py \
	lights_rest/test_lights.py live/test_live.py old_chat/test_talk.py recovery/test_kept.py rooms/test_events.py \
	running_logger/test_publishing.py runs/test_run_and_log.py shows/test_shows.py test_asyncapi.py test_clients_page.py \
	test_security_table.py test_tls.py test_wires_agree.py)
REAL_PAGES := $(addprefix tests/pages/,lights/test_slider_mouse.py lights/test_groups.py plan/test_plan.py chat/test_rooms.py \
	runs/test_run_log.py setup/test_setup.py setup/test_as_an_app.py lab test_access_page.py test_sign_in.py test_old_page.py \
	test_sockets_page.py test_without_network.py)
test-real: $(VENV)/.dev tests/support/node/node_modules/.installed $(OLD_PYTHON)
	$(PYTEST) -m "not slow" --as-users-do $(or $(TEST_ARGS),$(REAL_PROCESS) $(REAL_WIRES) $(REAL_PAGES))

# What a home passes on to its keeper, asked of a front by the tests that ask it of one panel.
FRONT_TESTS := $(addprefix tests/wires/,access chat old_chat old_clients/test_stock_clients.py running_logger runs shows/test_refusals.py test_lookalike_names.py)
test-front: $(VENV)/.dev tests/support/node/node_modules/.installed
	$(PYTEST) -m "not slow" -p tests.support.as_front $(or $(TEST_ARGS),$(FRONT_TESTS))

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev
	$(BIN)/python -m bench $(BENCH_ARGS)

instructions: $(VENV)/.dev
	$(BIN)/python -m bench.instructions
	$(BIN)/python -m bench --report

chaos fuzz home schema soak: $(VENV)/.campaigns
	$(BIN)/python -m campaigns $@ $(CAMPAIGN_ARGS)

# Without the tools of the other campaigns; Home Assistant and each Python have environments of their own.
ha pythons: $(VENV)/.dev
	$(BIN)/python -m campaigns $@

lookalikes: $(VENV)/.dev
	$(BIN)/python -m campaigns.lookalikes $(FROM)

screens: $(VENV)/.dev
	$(BIN)/python -m tests.support.page_weight

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

$(VENV)/.browsers: tests/packages.sh $(VENV)/.packages
	bash tests/packages.sh browsers
	@touch $@

# On a Raspberry Pi the environment sees the lgpio of the system (sudo apt install python3-lgpio).
ON_A_PI = $(shell grep -aqs "^Raspberry Pi" /proc/device-tree/model && echo --system-site-packages)

$(BIN)/python:
	@echo "Pilot Light: making a Python environment in $(VENV)"
	@$(PYTHON) -m venv $(ON_A_PI) $(VENV) || { rm -rf $(VENV); echo "On Debian: sudo apt install python3-venv" >&2; exit 1; }

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

tests/support/old_socketio/packages/.installed: tests/support/old_socketio/requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $(@D) -r $<
	@touch $@

lock: | $(BIN)/python
	$(BIN)/python -m pip install --quiet pip-tools
	$(BIN)/pip-compile --quiet --upgrade --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host -o requirements.lock pyproject.toml
	$(BIN)/pip-compile --quiet --upgrade --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --extra dev -c requirements.lock -o requirements-dev.lock pyproject.toml
	sed -i -E 's/^((argon2-cffi|argon2-cffi-bindings|cffi|pycparser)==[^ ;]+).*/\1 $(NOT_32_BIT)/' requirements.lock
	sed -i -E 's/^((argon2-cffi|argon2-cffi-bindings)==[^ ;]+).*/\1 $(NOT_32_BIT)/' requirements-dev.lock

clean:
	rm -rf $(VENV) tests/support/node/node_modules tests/support/old_socketio/packages dist build .mypy_cache .ruff_cache .pytest_cache
