"""The imaginary board: its formats, its physics, and that only computing moves the NPU's figures."""

import json
import math
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from core.base.errors import UsageError
from core.demo.board.state import BUSY_FOLDER, BoardState
from core.demo.board.state_model import (
    AMBIENT_C,
    ZONES,
    BoardMoment,
    Work,
    advance,
    first_moment,
    read_work,
    warm,
    window_shares,
)
from core.demo.board.state_text import moving_files, npu_load_line
from core.demo.runtime.npu import NpuMeter
from core.monitor.npu import parse_npu_load
from core.vendor.platforms import get_platform

_SOC = get_platform("rk3588")


def test_it_is_marked_as_simulated_everywhere(tmp_path: Path) -> None:
    BoardState(tmp_path)
    model = (tmp_path / "proc/device-tree/model").read_bytes()
    assert model == b"RKDeck simulated board (RK3588)\0"
    compatible = (tmp_path / "proc/device-tree/compatible").read_bytes()
    assert compatible == b"rkdeck,simulated-board\0rockchip,rk3588\0"
    assert "simulated" in (tmp_path / "etc/rkdeck-simulated").read_text()
    assert (tmp_path / "sys/module/rknpu/version").read_text() == "0.9.8\n"


def test_it_stays_the_same_board_after_a_restart(tmp_path: Path) -> None:
    def names() -> tuple[str, str]:
        BoardState(tmp_path)
        return (
            (tmp_path / "etc/machine-id").read_text(),
            (tmp_path / "proc/device-tree/serial-number").read_text(),
        )

    first = names()
    assert names() == first
    BoardState(tmp_path / "other")
    assert (tmp_path / "other/etc/machine-id").read_text() != first[0]


@pytest.mark.parametrize(
    ("shares", "line"),
    [
        ((0.0, 0.0, 0.0), "NPU load:  Core0:  0%, Core1:  0%, Core2:  0%,\n"),
        ((0.63, 0.65, 1.0), "NPU load:  Core0: 63%, Core1: 65%, Core2: 100%,\n"),
        ((0.48,), "NPU load: 48%\n"),
    ],
)
def test_the_load_line_is_the_drivers(shares: tuple[float, ...], line: str) -> None:
    assert npu_load_line(shares) == line
    assert parse_npu_load([line]) == tuple(round(100 * share) for share in shares)


def test_zones_warm_towards_their_target_and_cool_again() -> None:
    zone = ZONES[-1]
    hot = warm(AMBIENT_C, zone, 1.0, 10 * zone.tau_s)
    assert hot == pytest.approx(AMBIENT_C + zone.rise_c, abs=0.01)
    after_tau = warm(AMBIENT_C, zone, 1.0, zone.tau_s)
    assert after_tau == pytest.approx(AMBIENT_C + zone.rise_c * (1 - 1 / math.e))
    # Two short steps are one long step.
    assert warm(warm(AMBIENT_C, zone, 0.5, 3), zone, 0.5, 4) == pytest.approx(warm(AMBIENT_C, zone, 0.5, 7))
    assert warm(hot, zone, 0.0, 10 * zone.tau_s) == pytest.approx(AMBIENT_C, abs=0.01)


def test_shares_are_of_the_window_and_bounded() -> None:
    assert window_shares((1.0, 1.0), (1.5, 1.0), 1.0) == (0.5, 0.0)
    assert window_shares((0.0,), (9.0,), 1.0) == (1.0,)
    assert window_shares((5.0,), (1.0,), 1.0) == (0.0,)
    assert window_shares((0.0,), (1.0,), 0.0) == (0.0,)


@pytest.mark.parametrize(
    ("report", "work"),
    [
        ({"busy_s": [1.0], "jobs": [2], "since_s": None}, Work((1.0, 0.0, 0.0), (2, 0, 0))),
        ({"busy_s": [1.0] * 3, "jobs": [2] * 3, "since_s": 98.0}, Work((3.0,) * 3, (2,) * 3)),
        ({"busy_s": [1.0] * 9, "jobs": [2] * 9, "since_s": None}, Work((1.0,) * 3, (2,) * 3)),
        ({"busy_s": "much", "jobs": []}, None),
        ({"busy_s": [-1], "jobs": [1]}, None),
        ({"busy_s": [1], "jobs": []}, None),
    ],
)
def test_reports_are_checked(report: dict[str, object], work: Work | None) -> None:
    assert read_work(report, 3, 100.0) == work


def _busy_minutes(minutes: float) -> BoardMoment:
    moment = first_moment(3, 8, 60.0)
    for _ in range(int(minutes * 60)):
        moment = advance(moment, 1.0, (0.9, 0.9, 0.9), (10, 10, 10), 1 << 30)
    return moment


def test_long_work_shows_in_every_figure() -> None:
    moment = _busy_minutes(10)
    assert moment.uptime_s == pytest.approx(660)
    assert moment.npu_jobs == (6000, 6000, 6000)
    assert moment.throttle_state == 0
    assert replace(moment, temps_c=(80.0, *moment.temps_c[1:])).throttle_state > 0
    files = moving_files(_SOC, moment)
    assert files["sys/devices/platform/fdab0000.npu/power/runtime_status"] == "active\n"
    assert files["sys/class/devfreq/dmc/cur_freq"] == "2112000000\n"
    assert "MemAvailable:    6111232 kB" in files["proc/meminfo"]  # 8 GiB less 1200 MiB less 1 GiB
    assert files["proc/interrupts"].count("fdab0000.npu") == 3
    later = advance(moment, 4.0, (0.0, 0.0, 0.0), (0, 0, 0), 0)
    assert (
        moving_files(_SOC, later)["sys/devices/platform/fdab0000.npu/power/runtime_status"] == "suspended\n"
    )


def test_other_socs_have_their_own_cores(tmp_path: Path) -> None:
    BoardState(tmp_path, soc="rk3576")
    load = (tmp_path / "sys/kernel/debug/rknpu/load").read_text()
    assert load == "NPU load:  Core0:  0%, Core1:  0%,\n"
    assert (tmp_path / "sys/class/devfreq/27700000.npu/cur_freq").exists()
    with pytest.raises(UsageError):
        BoardState(tmp_path / "x", soc="rk9999")


def test_only_computing_moves_the_npu(tmp_path: Path) -> None:
    state = BoardState(tmp_path)
    meter = NpuMeter(tmp_path, cores=3)

    def load() -> tuple[int, ...] | None:
        time.sleep(0.05)
        state.tick()
        return parse_npu_load((tmp_path / "sys/kernel/debug/rknpu/load").read_text().splitlines())

    assert load() == (0, 0, 0)
    with meter.computing(4):
        busy = load()
        # A long computation shows while it lasts, not only at its end.
        assert busy is not None
        assert min(busy) > 50
    load()
    assert load() == (0, 0, 0)
    assert state.moment.npu_jobs == (4, 4, 4)
    assert f"{os.getpid()} (" in (tmp_path / f"proc/{os.getpid()}/stat").read_text()
    assert state.moment.runtimes_rss_bytes > 1 << 20
    meter.close()
    assert load() == (0, 0, 0)
    assert not (tmp_path / f"proc/{os.getpid()}").exists()
    assert state.moment.runtimes_rss_bytes == 0


def test_a_runtime_killed_while_computing_is_not_busy_for_ever(tmp_path: Path) -> None:
    state = BoardState(tmp_path)
    script = (
        "import sys,time; sys.path.insert(0, sys.argv[2]); from pathlib import Path\n"
        "from core.demo.runtime.npu import NpuMeter\n"
        "m = NpuMeter(Path(sys.argv[1]), 3)\n"
        "with m.computing(1): print('on', flush=True); time.sleep(60)\n"
    )
    root = str(Path(__file__).parents[4])
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path), root], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.02)
        state.tick()
        assert state.moment.npu_busy > 0
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # a zombie still has its pid
        time.sleep(0.02)
        state.tick()
        assert state.moment.npu_busy == 0
    assert list((tmp_path / BUSY_FOLDER).iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"busy_s": 1}', "\x00\x01"])
def test_foreign_reports_do_no_harm(tmp_path: Path, text: str) -> None:
    state = BoardState(tmp_path)
    (tmp_path / BUSY_FOLDER / f"npu-busy-{os.getpid()}.json").write_text(text)
    (tmp_path / BUSY_FOLDER / "npu-busy-abc.json").write_text("{}")
    time.sleep(0.02)
    state.tick()
    assert state.moment.npu_busy == 0


def test_readers_never_see_half_a_file(tmp_path: Path) -> None:
    state = BoardState(tmp_path)
    stop = threading.Event()
    torn: list[str] = []

    def read() -> None:
        while not stop.is_set():
            text = (tmp_path / "proc/meminfo").read_text() + (tmp_path / "proc/uptime").read_text()
            if text.count("\n") != 10:
                torn.append(text)

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(200):
        state.tick()
    stop.set()
    reader.join()
    assert torn == []


def test_the_thread_keeps_it_alive_and_stops(tmp_path: Path) -> None:
    state = BoardState(tmp_path)
    before = (tmp_path / "proc/uptime").read_text()
    state.start()
    state.start()
    deadline = time.monotonic() + 10
    while (tmp_path / "proc/uptime").read_text() == before:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    state.stop()
    state.stop()
    still = (tmp_path / "proc/uptime").read_text()
    time.sleep(0.1)
    assert (tmp_path / "proc/uptime").read_text() == still


def test_reports_hold_what_the_meter_counted(tmp_path: Path) -> None:
    meter = NpuMeter(tmp_path, cores=2)
    for _ in range(3):
        with meter.computing(5):
            time.sleep(0.01)
    report = json.loads((tmp_path / BUSY_FOLDER / f"npu-busy-{os.getpid()}.json").read_text())
    meter.close()
    with meter.computing(5):
        assert list((tmp_path / BUSY_FOLDER).iterdir()) == []
    assert report["jobs"] == [15, 15]
    assert report["since_s"] is None
    assert 0.03 <= report["busy_s"][0] < 30
