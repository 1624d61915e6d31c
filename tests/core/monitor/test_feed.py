"""The live figures end to end: a worker process, real boards, and every way in which either of them can go."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from core.base.errors import RKDeckError
from core.base.paths import AppPaths
from core.boards.records import Board
from core.demo.board.main import DemoBoard
from core.monitor.feed import MonitorFeed
from core.monitor.sample import UP, BoardSample, CpuPolicy, ServingFigures, down_sample, sample_from_json
from core.monitor.values import ProcessMemory
from core.monitor.watching import Watcher
from core.remote.session import SshSession
from tests.support.sshd import ROOT, new_key
from tests.support.waiting import wait_until
from tests.support.watched import Place, boards_in

PASSPHRASE = "open sesame"


@pytest.fixture
def place(paths: AppPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    # Whoever runs the tests keeps their own keys out of this.
    monkeypatch.setenv("HOME", str(tmp_path))
    with boards_in(paths, tmp_path) as place:
        yield place


def has_ended(process: psutil.Process) -> bool:
    """Whether it is gone; a zombie that nobody reaps has ended, too."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def shells_of(board: DemoBoard) -> list[psutil.Process]:
    """The processes that the board runs for its clients."""
    marker = str(board.folder)
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if process.name() in {"sh", "dash"} and process.cwd().startswith(marker):
                found.append(process)
    return found


def test_two_boards_then_one_then_none(place: Place) -> None:
    boards = [place.switch_on("desk"), place.switch_on("lab")]
    with place.feed("desk", "lab") as feed:
        for name in ("desk", "lab"):
            place.wait_for(name, UP)
        sample = next(sample for sample in place.samples if sample.is_up)
        assert sample.mem_total_bytes == pytest.approx(psutil.virtual_memory().total, abs=1 << 20)
        feed.watch(["lab"])
        seen = len(place.links("desk"))
        count = len(place.links("lab"))
        wait_until(lambda: len(place.links("lab")) > count + 3)
        assert len(place.links("desk")) <= seen + 1  # one may have been on its way
        wait_until(lambda: not shells_of(boards[0]))
        assert shells_of(boards[1])
        feed.watch([])
        wait_until(lambda: not shells_of(boards[1]))
        assert feed.worker_pid is not None
        feed.watch(["desk"])
        place.wait_for("desk", UP, seen + 1)
    wait_until(lambda: not shells_of(boards[0]))
    assert set(place.links("desk")) == {UP}


def test_the_interval_changes_at_once(place: Place) -> None:
    place.switch_on("desk")
    with place.feed("desk") as feed:
        count = place.wait_for("desk", UP)
        feed.set_interval(3600)
        wait_until(lambda: len(place.links("desk")) > count)
        for _ in range(20):  # what was on its way may still arrive; then nothing may
            count = len(place.links("desk"))
            time.sleep(1.0)
            if len(place.links("desk")) == count:
                break
        else:
            pytest.fail("samples go on to come")
        feed.set_interval(0.2)
        wait_until(lambda: len(place.links("desk")) > count + 3, timeout_s=30)


def test_a_board_that_goes_and_comes_back(place: Place) -> None:
    board = place.switch_on("desk")
    with place.feed("desk"):
        place.wait_for("desk", UP)
        board.drop_connections()
        wait_until(lambda: set(place.links("desk")) - {UP}, what="down")
        count = len(place.links("desk"))
        count = place.wait_for("desk", UP, count)
        board.stop()
        count = place.wait_for("desk", "remote.refused", count)
        last = place.samples[-1]
        assert last.link_error is not None
        assert last.link_error["facts"] == {"host": "127.0.0.1", "port": place.registry.get("desk").port}
        place.switch_on("desk")  # on another port: the registry is asked anew
        place.wait_for("desk", UP, count)
    # Every failure was told, none of them twice a second.
    assert 2 <= len([link for link in place.links("desk") if link != UP]) <= 8


def test_a_board_that_is_not_in_the_registry(place: Place) -> None:
    place.switch_on("desk")
    with place.feed("nobody", "desk"):
        place.wait_for("nobody", "boards.unknown")
        place.wait_for("desk", UP)


@pytest.mark.expects_log
def test_a_killed_worker_is_started_again(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    place.switch_on("desk")
    with place.feed("desk") as feed:
        count = place.wait_for("desk", UP)
        first = feed.worker_pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        place.wait_for("desk", "monitor.worker_ended", count - 1)
        assert place.samples[-1].link_error is not None
        assert place.samples[-1].link_error["facts"] == {"reason": "SIGKILL"}
        place.wait_for("desk", UP, count + 1)
        assert feed.worker_pid not in {None, first}
    assert "SIGKILL" in caplog.text


@pytest.mark.expects_log
def test_a_home_that_cannot_be_read_is_told(place: Place) -> None:
    place.paths.settings_file.write_text("this is no TOML")
    with place.feed("desk"):
        place.wait_for("desk", "base.settings_unreadable")
        place.paths.settings_file.unlink()
        place.switch_on("desk")
        place.wait_for("desk", UP)


def test_secrets_come_over_standard_input_only(place: Place) -> None:
    locked = new_key(place.key.with_name("locked"), passphrase=PASSPHRASE)
    place.switch_on("desk", locked)
    place.passwords["desk"] = "not " + PASSPHRASE
    with place.feed("desk") as feed:
        count = place.wait_for("desk", "remote.passphrase_wrong")
        worker = psutil.Process(feed.worker_pid)
        place.passwords["desk"] = PASSPHRASE
        feed.retry("desk")
        place.wait_for("desk", UP, count)
        assert PASSPHRASE not in " ".join([*worker.cmdline(), *worker.environ().values()])
    logs = "".join(path.read_text() for path in place.paths.logs.iterdir())
    assert PASSPHRASE not in logs


def test_a_refused_login_is_not_repeated(place: Place) -> None:
    board = place.switch_on("desk")
    target = place.registry.remove("desk")
    place.registry.add(replace(target, identity_file=None))
    place.passwords["desk"] = "wrong"
    with place.feed("desk") as feed:
        place.wait_for("desk", "remote.password_not_taken")
        place.switch_on("lab")
        feed.watch(["desk", "lab"])
        place.wait_for("lab", UP)
        wait_until(lambda: len(place.links("lab")) > 6)
        assert place.links("desk") == ["remote.password_not_taken"]
        place.registry.remove("desk")
        place.registry.add(replace(target, port=board.port))
        feed.retry("desk")
        place.wait_for("desk", UP)


_FRONT_END = """
import sys, time
from pathlib import Path
from core.base.paths import AppPaths
from core.monitor.feed import MonitorFeed
feed = MonitorFeed(AppPaths(Path(sys.argv[1])), lambda sample: print(feed.worker_pid, sample.link, flush=True),
                   secrets=lambda name: None, interval_s=0.2)
feed.watch(["desk"])
feed.start()
time.sleep(60)
"""


def test_a_killed_front_end_leaves_nothing(place: Place) -> None:
    board = place.switch_on("desk")
    command = [sys.executable, "-c", _FRONT_END, str(place.paths.home)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as front_end:
        assert front_end.stdout is not None
        pid, link = front_end.stdout.readline().split()
        worker = psutil.Process(int(pid))
        assert link == UP
        front_end.kill()
    wait_until(lambda: has_ended(worker), timeout_s=30)
    wait_until(lambda: not shells_of(board))


def test_close_ends_everything_even_a_worker_that_hangs(place: Place) -> None:
    place.switch_on("desk")
    feed = place.feed("desk").start()
    place.wait_for("desk", UP)
    assert feed.worker_pid is not None
    worker = psutil.Process(feed.worker_pid)
    worker.suspend()
    began_s = time.monotonic()
    feed.close()
    assert time.monotonic() - began_s < 10.0  # it is killed; nobody waits for it to wake
    assert has_ended(worker)
    count = len(place.samples)
    feed.close()
    assert len(place.samples) == count
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("monitor-feed")]


def test_close_at_once_and_without_boards(place: Place) -> None:
    place.switch_on("desk")
    for boards in ((), ("desk",)):
        began_s = time.monotonic()
        with place.feed(*boards) as feed:
            assert boards or feed.worker_pid is None
        assert time.monotonic() - began_s < 10.0
    place.feed("desk").close()  # never started


@pytest.mark.expects_log
def test_a_listener_that_fails_is_logged(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    place.switch_on("desk")
    taken: list[BoardSample] = []

    def take(sample: BoardSample) -> None:
        taken.append(sample)
        raise RuntimeError("the window is broken")

    with MonitorFeed(place.paths, take, secrets=lambda name: None, interval_s=0.2) as feed:
        feed.watch(["desk"])
        wait_until(lambda: len(taken) > 2)
    assert "the window is broken" in caplog.text


@pytest.mark.expects_log
def test_a_keyring_that_fails_keeps_no_board_from_being_sampled(place: Place) -> None:
    place.switch_on("desk")

    def fail(name: str) -> str | None:
        raise RuntimeError("no keyring")

    with MonitorFeed(place.paths, place.samples.append, secrets=fail) as feed:
        feed.watch(["desk"])
        place.wait_for("desk", UP)


# --- the record on its way, and the loop by itself


def full_sample() -> BoardSample:
    """All that a board can tell; what keeps a link down is told by one that is not up."""
    return BoardSample(
        board="desk", t_unix_s=1.5, link=UP, uptime_s=2.5, npu_load_percent=(1, 2, 3), npu_source="debugfs",
        npu_active_cores=(0,), npu_hz=10**9, cpu_load_percent=(1.0, None),
        cpu_policies=(CpuPolicy((0, 1), 5, None), CpuPolicy(None, None, 7)), mem_total_bytes=3,
        mem_available_bytes=2, swap_used_bytes=1, ddr_load_percent=4, ddr_hz=5, gpu_load_percent=6,
        temps_c={"zone": 40.5}, throttled_by=("fan",), processes=(ProcessMemory(1, "x", None, 2),),
        serving=ServingFigures("m", None, 3.0), missing={"temps": "not on this board"}, npu_power="active",
        npu_driver="rknpu", npu_driver_version="0.9.8",
    )  # fmt: skip


def test_a_sample_survives_the_wire() -> None:
    left_out = [name for name, value in full_sample().to_wire().items() if value in (None, [], {})]
    assert left_out == ["link_error"], "`full_sample` has a value for every other figure"
    down = down_sample("desk", 1.0, RKDeckError("remote.refused", host="h", port=1))
    for sample in (full_sample(), BoardSample("desk", 1.0, UP), down):
        assert sample_from_json(json.loads(json.dumps(sample.to_wire()))) == sample


def test_anything_else_is_no_sample() -> None:
    wire = full_sample().to_wire()
    for name in wire:
        with pytest.raises(ValueError):
            sample_from_json({key: value for key, value in wire.items() if key != name})
        for wrong in (True, [True], {"a": True}, float("nan")):
            if wire[name] != wrong and name != "link_error":
                with pytest.raises(ValueError):
                    sample_from_json({**wire, name: wrong})
    documents: tuple[object, ...] = (None, 1, "x", [], {})
    for document in documents:
        with pytest.raises(ValueError):
            sample_from_json(document)


@pytest.mark.expects_log
def test_the_worker_outlives_nonsense_and_faults(caplog: pytest.LogCaptureFixture) -> None:
    told: list[BoardSample] = []

    def lookup(name: str) -> Board:
        raise ZeroDivisionError

    def connect(board: Board, password: str | None) -> contextlib.nullcontext[SshSession]:
        raise AssertionError

    watcher = Watcher(lookup, connect, told.append)
    nonsense = [
        b"nonsense\n", b"[1]\n", b'{"interval_s": "secret"}\n', b'{"interval_s": NaN}\n', b'{"interval_s": 1e999}\n',
        b'{"a": ' + b"[" * 100_000 + b"\n", b'{"watch": 1, "retry": {"secret": 2}}\n',
    ]  # fmt: skip
    watcher.obey([*nonsense, b'{"watch": {"desk": null}}\n'])
    wait_until(lambda: told)
    assert told[0].missing == {"link": "monitor.fault"}
    assert "secret" not in caplog.text
    assert watcher.close(2.0)
