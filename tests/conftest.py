"""Fixtures: a running panel on each server, the JavaScript clients, and pigpio's daemon, as processes of their own."""

from __future__ import annotations

import fcntl
import gc
import os
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from signal import SIG_DFL, SIG_IGN, SIGHUP, SIGINT, SIGQUIT, default_int_handler, getsignal, signal
from typing import Any

import pytest
import pytest_asyncio

from tests.support import frames
from tests.support.fork_server import ForkServer, ForkServerProcess, Starts
from tests.support.network_namespace import Network, NoRight
from tests.support.node_clients import NodeClients
from tests.support.panel_process import PLAIN, RunningPanel, panel_environment
from tests.support.pigpiod_standin import StandIn
from tests.support.slow_cases import QUICK, slow

SERVERS = ("uvicorn", "hypercorn")
EVERY_WAY = (*SERVERS, PLAIN)
SLOW = Path(__file__).parent / "slow"
NETWORK = "PILOTLIGHT_TEST_NETWORK"  # its number, for the workers of a run
STARTS = "PILOTLIGHT_TEST_STARTS"  # the socket of the fork server, for the workers of a run
SLOWEST = 10  # files that the summary names
# The long files come first, so that the workers end together. What is in none of these folders comes before them.
ORDER = ("tests/pages/", "tests/wires/", "tests/process/", "tests/unit/")


def pytest_configure(config: pytest.Config) -> None:
    """Start what all workers share: the fork server, and another host.

    That one is made before any worker starts: Chromium fails what it loads when the network changes.

    `nohup`, and a shell's `&`, ignore signals for everything they start; the panels and commands of the tests must not.
    """
    for number, usual in {SIGHUP: SIG_DFL, SIGQUIT: SIG_DFL, SIGINT: default_int_handler}.items():
        if getsignal(number) is SIG_IGN:
            signal(number, usual)
    if hasattr(config, "workerinput") or config.getoption("collectonly"):
        return
    if config.option.markexpr == "not slow":
        os.environ[QUICK] = "1"
    if not config.getoption("--as-users-do"):
        starts = ForkServerProcess(panel_environment())
        os.environ[STARTS] = starts.path
        config.add_cleanup(starts.close)
    with suppress(NoRight):
        network = Network.any().__enter__()
        os.environ[NETWORK] = str(network.number)
        config.add_cleanup(lambda: network.__exit__(None, None, None))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--as-users-do", action="store_true", help="start each panel with its imports, and a whole browser"
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the slow folder unread where none of it is wanted: its imports and its tests cost seconds."""
    return True if collection_path == SLOW and config.option.markexpr == "not slow" else None


def pytest_collection_modifyitems(items: list[pytest.Item], config: pytest.Config) -> None:
    """Put the long files first, and mark the slow folder.

    Among the slow tests a page gets a second try, which the summary names: where two cores have three browsers, one of
    them may be held up for longer than its test waits.
    """
    items.sort(key=lambda item: next((at for at, folder in enumerate(ORDER) if item.nodeid.startswith(folder)), -1))
    for item in items:
        if item.nodeid.startswith("tests/slow/"):
            item.add_marker(pytest.mark.slow)
        if config.option.markexpr == "slow" and "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A worker takes a file at a time."""
    from tests.support.scheduling import ByFile

    return ByFile(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the garbage collector from what is collected here: it all stays, and would be most of its work."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the files whose tests took longest, with what their fixtures took, and those that workers shared."""
    seconds: Counter[str] = Counter()
    workers: defaultdict[str, set[object]] = defaultdict(set)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                file = report.nodeid.partition("::")[0]
                seconds[file] += report.duration
                workers[file].add(getattr(report, "worker_id", None))
    if not seconds:
        return
    for report in terminalreporter.stats.get("rerun", ()):
        terminalreporter.write_sep("=", f"the first try of {report.nodeid}")
        terminalreporter.write_line(report.longreprtext)
    terminalreporter.write_sep("=", "the slowest files")
    for file, took in seconds.most_common(SLOWEST):
        terminalreporter.write_line(f"{took:6.1f} s  {file}")
    if shared := sorted(file for file, of in workers.items() if len(of) > 1):
        terminalreporter.write_line(f"each of several workers started panels for: {', '.join(shared)}")


@contextmanager
def held(factory: pytest.TempPathFactory, *, alone: bool) -> Iterator[None]:
    """The machine, together with the other workers or alone: that begins when they have ended, and holds them up."""
    shared = factory.getbasetemp().parent  # by all workers of this run
    with open(shared / "door", "w") as door, open(shared / "machine", "w") as machine:
        fcntl.flock(door, fcntl.LOCK_EX)  # who waits for the machine stands in the door: nobody overtakes
        fcntl.flock(machine, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        yield


@pytest.fixture(autouse=True)
def _machine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A test marked `alone` begins when those of the other workers have ended, and holds theirs up until it has."""
    with held(tmp_path_factory, alone=request.node.get_closest_marker("alone") is not None):
        yield


@pytest.fixture(scope="session", autouse=True)
def _tapped() -> None:
    frames.watch()


@pytest.fixture(autouse=True)
def _described(request: pytest.FixtureRequest) -> Iterator[None]:
    """Hold every frame of a socket against the document of the sockets, but for those of an `undescribed` test."""
    yield
    found, frames.faults[:] = list(frames.faults), []
    assert not found or request.node.get_closest_marker("undescribed"), "\n".join(found[:5])


@pytest.fixture(scope="session")
def network() -> Network:
    """Another host, the same for all tests of a run."""
    if NETWORK not in os.environ:
        pytest.skip(str(NoRight.__doc__))
    return Network(int(os.environ[NETWORK]))


@pytest.fixture(scope="session", autouse=True)
def _starts(request: pytest.FixtureRequest) -> Iterator[None]:
    """Where the tests do not ask for real starts, panels are forked."""
    if STARTS not in os.environ:
        yield
        return
    Starts.server = ForkServer(os.environ[STARTS])
    yield
    Starts.server.close()
    Starts.server = None


@pytest.fixture(scope="module", autouse=True)
def _for_real(request: pytest.FixtureRequest, _starts: None) -> Iterator[None]:
    """The panels of a file that is marked `for_real` are started from scratch in every run."""
    usual = Starts.server
    if request.node.get_closest_marker("for_real") is not None:
        Starts.server = None
    yield
    Starts.server = usual


def each_of(*names: str, matters: bool) -> Any:
    """A fixture `server` that is each of these ASGI servers in turn.

    Where the server does not matter, `make test` has the first one alone, and `make test-slow` has all.
    """
    rest = names[1:] if matters else slow(*names[1:])

    @pytest.fixture(scope="module", params=[names[0], *rest], name="server")
    def one(request: pytest.FixtureRequest) -> str:
        name: str = request.param
        return name

    return one


server = each_of(*SERVERS, matters=False)


@pytest.fixture(scope="module")
def panel(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    """A panel with simulated pins, shared by the tests of a file; each test sets the level it needs first."""
    # The tests ask faster than any hand; tests/wires/test_limits.py has what happens to that.
    with RunningPanel(tmp_path_factory.mktemp("panel") / "data", server=server, command_rate=1e6) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node() -> AsyncIterator[NodeClients]:
    """The process of the JavaScript clients."""
    async with NodeClients() as clients:
        yield clients


@pytest.fixture
def start_panel(tmp_path: Path) -> Iterator[Callable[..., RunningPanel]]:
    """Start panels that this test alone uses: `start_panel(server="uvicorn", pins="pigpio", …)`."""
    started: list[RunningPanel] = []

    def start(**settings: Any) -> RunningPanel:
        settings = {"command_rate": 1e6, **settings}  # tests ask faster than people
        running = RunningPanel(settings.pop("data", tmp_path / f"data{len(started)}"), **settings)
        started.append(running)
        return running.start()

    yield start
    for running in started:
        running.kill()


@pytest.fixture
def pigpiod() -> Iterator[StandIn]:
    """pigpio's daemon, as far as its socket shows it."""
    with StandIn() as daemon:
        yield daemon
