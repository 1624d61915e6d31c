"""Rules for every test: no unexpected warnings in the log, no process or thread left behind."""

import contextlib
import gc
import logging
import os
import signal
import subprocess
import threading
import time
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest
from hypothesis import settings

from core.base.paths import AppPaths
from core.base.signals import usual_signals
from tests.crash_report import CrashReport

_GRACE_S = 5.0
# Threads of torch that wait for each other sleep: spinning, they keep a busy machine from those they wait for.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# A busy machine is no bug: time is watched by the bench, not by hypothesis.
settings.register_profile("rkdeck", deadline=None)
settings.load_profile("rkdeck")


def pytest_configure(config: pytest.Config) -> None:
    """Say where a crashed test process died; start like a program at a terminal, however the tests were started."""
    usual_signals()
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        if signal.getsignal(number) == signal.SIG_IGN:  # as under nohup and in the background of a shell
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    config.pluginmanager.register(CrashReport())


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """Half as many again as there are processors: most tests wait for processes, servers and clocks."""
    if os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS"):
        return None  # xdist's own answer reads it
    return max(2, len(os.sched_getaffinity(0)) * 3 // 2)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules with tests marked `slow` begin first, so that no worker is left alone with one of them at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish() -> None:
    """What was imported and collected stays: a look for cycles after each test of the window need not go through it."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def paths(tmp_path: Path) -> AppPaths:
    """A fresh home folder."""
    paths = AppPaths(tmp_path / "home")
    paths.ensure()
    return paths


@pytest.fixture(autouse=True)
def _no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests never touch the keyring, the Hub token or the SSH settings of whoever runs them."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("HF_TOKEN_PATH", os.devnull)
    monkeypatch.delenv("RKDECK_HOME", raising=False)
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.setenv("RKDECK_SSH_CONFIG", os.devnull)


class _Started:
    """The processes this one started: one that ended unseen would be blamed on whichever test runs at the time."""

    def __init__(self) -> None:
        self._known: weakref.WeakSet[subprocess.Popen[bytes]] = weakref.WeakSet()
        started, known = subprocess.Popen.__init__, self._known

        def start(process: subprocess.Popen[bytes], *args: object, **options: object) -> None:
            started(process, *args, **options)  # type: ignore[call-overload]  # passed on as given
            known.add(process)

        subprocess.Popen.__init__ = start  # type: ignore[method-assign,assignment]

    def see_out(self) -> None:
        """Take notice of those that have ended."""
        for process in list(self._known):
            process.poll()


_started = _Started()


@pytest.fixture(autouse=True)
def _leaves_nothing_running(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the guilty test when it leaves a child process or a non-daemon thread behind."""
    before = {process.pid: process for process in _children()}
    before_threads = set(threading.enumerate())
    yield
    deadline = time.monotonic() + _GRACE_S
    while True:
        children = [process for process in _children() if not _is_known(process, before) and _alive(process)]
        threads = [
            thread for thread in threading.enumerate() if thread not in before_threads and not thread.daemon
        ]
        if not children and not threads:
            _started.see_out()
            return
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)
    for process in children:
        process.kill()
    pytest.fail(f"left running: {children} {threads}")


def _is_known(process: psutil.Process, before: Mapping[int, psutil.Process]) -> bool:
    """Whether a process was there before the test, or belongs to a connection that was.

    A server of a whole module may still be at forking when its first test begins: sshd leaves its user's session to a
    process of its own, once whoever logged in has been told so.
    """
    if process.pid in before:
        return True
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = before.get(process.ppid())
        return parent is not None and parent.ppid() in before
    return True


def _children() -> list[psutil.Process]:
    """The processes below this one.

    The kernel is asked first whether there are any: psutil reads all of /proc, twice for each of thousands of tests.
    """
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return []
    return psutil.Process().children(recursive=True)


def _alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture(autouse=True)
def _no_unexpected_log(caplog: pytest.LogCaptureFixture, request: pytest.FixtureRequest) -> Iterator[None]:
    """A record at WARNING or above fails the test unless it is marked `expects_log`."""
    yield
    if request.node.get_closest_marker("expects_log"):
        return
    loud = [
        record
        for phase in ("setup", "call")
        for record in caplog.get_records(phase)
        if record.levelno >= logging.WARNING
    ]
    if loud:
        pytest.fail("unexpected log records: " + "; ".join(f"{r.name}: {r.getMessage()}" for r in loud))
