"""The real script in real shells over trees of small files: every tree, every shell, every fault."""

import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from core.monitor.sample import DOWN, UP, BoardSample, Missing
from core.monitor.sampler import BoardSampler
from tests.core.monitor.shells import OWN_TREES, PUBLIC_TREES, LocalSession

_SHELLS = {"dash": ("dash",), "busybox": ("busybox", "sh"), "bash": ("bash", "--posix")}
_KEYS = {
    "board", "t_unix_s", "uptime_s", "npu_load_percent", "npu_source", "npu_active_cores", "npu_hz",
    "cpu_load_percent", "cpu_policies", "mem_total_bytes", "mem_available_bytes", "swap_used_bytes",
    "ddr_load_percent", "ddr_hz", "gpu_load_percent", "temps_c", "throttled_by", "processes", "serving",
    "missing", "link",
}  # fmt: skip


@pytest.fixture(params=_SHELLS)
def session(request: pytest.FixtureRequest) -> LocalSession:
    argv = _SHELLS[request.param]
    if shutil.which(argv[0]) is None:
        pytest.skip(f"{argv[0]} is not installed")
    return LocalSession(argv)


def _samples(session: LocalSession, tree: Path, count: int = 1, **options: float) -> list[BoardSample]:
    sampler = BoardSampler(session, str(tree), board="desk", **options)  # type: ignore[arg-type]
    try:
        return [sampler.sample() for _ in range(count)]
    finally:
        sampler.close()


def test_a_busy_board(session: LocalSession, tmp_path: Path) -> None:
    tree = shutil.copytree(OWN_TREES / "rk3588-busy", tmp_path / "my board's tree; exit 1")
    state = tmp_path / "state: 1.json"
    state.write_text(
        '{"pid": 4242, "start_ticks": 77, "model": "m", "last": {"tokens_per_s": 14.5, "ttft_ms": 430}}\n'
    )
    sampler = BoardSampler(session, str(tree), board="desk", serving_file=str(state))
    sampler.watch([99999])
    first = sampler.sample()
    (tree / "proc/uptime").write_text("1001.50 7000.00\n")
    (tree / "proc/stat").write_text("cpu0 100 0 50 350 100 0 0 0 0 0\ncpu1 50 0 50 500 0 0 0 0 0 0\n")
    second = sampler.sample()
    sampler.close()
    assert first.cpu_load_percent is None
    assert second.cpu_load_percent == (50.0, 0.0)
    document = second.to_json()
    assert set(document) == _KEYS
    assert document | {"t_unix_s": 0.0} == {
        "board": "desk",
        "t_unix_s": 0.0,
        "uptime_s": 1001.5,
        "npu_load_percent": [63, 65, 0],
        "npu_source": "debugfs",
        "npu_active_cores": [0, 1],
        "npu_hz": 1_000_000_000,
        "cpu_load_percent": [50.0, 0.0],
        "cpu_policies": [
            {"cpus": [0, 5, 6, 7], "hz": 1_800_000_000, "max_hz": 1_800_000_000},
            {"cpus": [1, 2, 3, 4], "hz": 1_416_000_000, "max_hz": 2_352_000_000},
        ],
        "mem_total_bytes": 8024344 * 1024,
        "mem_available_bytes": 6024344 * 1024,
        "swap_used_bytes": 1000 * 1024,
        "ddr_load_percent": 83,
        "ddr_hz": 2_112_000_000,
        "gpu_load_percent": 7,
        "temps_c": {"soc-thermal": 81.384, "npu-thermal": 83.23},
        "throttled_by": ["cpufreq-cpu4"],  # the fan is at work, too, and holds nothing back
        "processes": [
            {"pid": 4242, "name": "llm server", "rss_bytes": 2350000 << 10, "peak_rss_bytes": 2400000 << 10}
        ],
        "serving": {"model": "m", "tokens_per_s": 14.5, "ttft_ms": 430.0},
        "missing": {},
        "link": "up",
    }
    assert second.npu_power == "active"
    identity = sampler.identity
    assert (identity.model, identity.soc, identity.npu_driver_version) == ("Orange Pi 5", "rk3588", "0.9.8")


def test_without_root_the_interrupts_tell_which_core_works(session: LocalSession, tmp_path: Path) -> None:
    tree = shutil.copytree(OWN_TREES / "rk3576-user", tmp_path / "tree")
    sampler = BoardSampler(session, str(tree))
    samples = [sampler.sample()]
    for tick in range(12):
        (tree / "proc/uptime").write_text(f"{11 + tick}.00 70.00\n")
        text = (OWN_TREES / "rk3576-user/proc/interrupts").read_text()
        (tree / "proc/interrupts").write_text(text.replace("4000", str(4000 + 50 * min(tick + 1, 11))))
        samples.append(sampler.sample())
    sampler.close()
    # Fast and slow ticks alike: the slow one reads the counters once, not twice.
    assert [sample.npu_active_cores for sample in samples] == [None, *[(0,)] * 11, ()]
    last = samples[-1]
    assert last.npu_load_percent is None
    assert last.npu_source == "none"
    assert last.npu_hz == 300_000_000
    assert sampler.identity.soc == "rk3576"
    if sampler.identity.is_root:  # root would see debugfs, so here the driver has no such file
        assert last.missing["npu_load"] == "the driver is too old"
    else:
        assert last.missing["npu_load"] == Missing.NEEDS_ROOT


def test_mainline_has_no_load(session: LocalSession) -> None:
    (sample,) = _samples(session, OWN_TREES / "mainline-rocket")
    assert (sample.npu_load_percent, sample.npu_driver) == (None, "rocket")
    assert sample.missing["npu_load"] == Missing.NO_RKNPU
    assert sample.missing["npu_hz"] == sample.missing["temps"] == "not on this board"
    assert sample.throttled_by is None


def test_odd_values_are_unknown_or_clamped(session: LocalSession) -> None:
    (sample,) = _samples(session, OWN_TREES / "odd")
    assert sample.link == UP
    assert sample.uptime_s is None
    assert (sample.npu_load_percent, sample.npu_source) == ((99, 100, 100), "proc")
    assert (sample.mem_total_bytes, sample.mem_available_bytes, sample.swap_used_bytes) == (None, None, None)
    assert (sample.ddr_load_percent, sample.ddr_hz) == (None, None)
    assert sample.temps_c == {"twin-thermal": 40.0, "twin-thermal#2": 41.0, "red: zone": 42.0}


def test_every_public_capture(session: LocalSession) -> None:
    if not PUBLIC_TREES.is_dir():
        pytest.skip("the public board captures are not beside this checkout")
    trees = sorted(path for path in PUBLIC_TREES.iterdir() if path.is_dir())
    assert len(trees) >= 30
    for tree in trees:
        (sample,) = _samples(session, tree)
        assert sample.link == UP, tree.name
        assert set(sample.to_json()) == _KEYS
        assert (sample.npu_load_percent is None) == ("npu_load" in sample.missing), tree.name


@pytest.mark.parametrize(
    ("tree", "load", "version", "hz", "soc"),
    [
        ("friendlyelec-cm3588-6.1.141", (0, 0, 0), "0.9.8", 1_000_000_000, "rk3588"),
        ("rk3576-seeed-fnnas-6.18", (0, 0), "0.9.8", None, None),
        ("rv1126b-p-glances", (0,), "0.9.8", None, None),
        ("rv1126b-recamera", None, None, None, None),  # only the constant devfreq "load"
        ("orangepi-5-6.1.99", None, None, None, None),
        ("rk3562-doogee-u10-6.1.118", None, None, 1_000_000_000, "rk3562"),
        ("radxa-rock-5b-5.10.110-50", None, "0.9.6", None, None),
    ],
)
def test_public_captures_in_numbers(
    tree: str, load: tuple[int, ...] | None, version: str | None, hz: int | None, soc: str | None
) -> None:
    if not PUBLIC_TREES.is_dir():
        pytest.skip("the public board captures are not beside this checkout")
    sampler = BoardSampler(LocalSession(), str(PUBLIC_TREES / tree))
    sample = sampler.sample()
    sampler.close()
    assert (sample.npu_load_percent, sample.npu_driver_version, sample.npu_hz) == (load, version, hz)
    assert sampler.identity.soc == soc


def test_without_a_prefix_it_reads_this_machine(session: LocalSession) -> None:
    sampler = BoardSampler(session)
    sampler.watch([os.getpid()])
    first = sampler.sample()
    time.sleep(0.05)  # /proc/uptime has steps of 10 ms; rates need two of them
    second = sampler.sample()
    sampler.close()
    assert first.mem_total_bytes == second.mem_total_bytes
    assert first.mem_total_bytes
    assert second.cpu_load_percent is not None
    assert second.processes[0].pid == os.getpid()
    assert second.processes[0].rss_bytes


def test_a_killed_shell_is_replaced_at_once(session: LocalSession) -> None:
    sampler = BoardSampler(session, str(OWN_TREES / "rk3588-busy"))
    sampler.sample()
    session.shells[-1].process.kill()
    session.shells[-1].process.wait()
    again = sampler.sample()
    sampler.close()
    assert again.link == UP
    assert again.cpu_load_percent is None  # a fresh start
    assert len(session.shells) == 2


def test_a_stopped_shell_is_down_not_a_hang() -> None:
    session = LocalSession()
    sampler = BoardSampler(session, str(OWN_TREES / "rk3588-busy"), board="b", timeout_s=0.3)
    assert sampler.sample().link == UP
    session.shells[-1].process.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    down = sampler.sample()
    elapsed_s = time.monotonic() - began
    session.shells[-1].process.kill()
    assert down.link == DOWN
    assert down.missing == {"link": "no answer"}
    assert (down.uptime_s, down.npu_load_percent, down.mem_total_bytes) == (None, None, None)
    assert set(down.to_json()) == _KEYS
    assert elapsed_s < 15
    assert sampler.sample().link == UP
    sampler.close()


@pytest.mark.parametrize(
    "command", [["yes"], ["cat", "/dev/zero"], ["sh", "-c", "echo motd; exec sleep 60"], ["true"]]
)
def test_shells_that_answer_nonsense(command: list[str]) -> None:
    session = LocalSession()
    session.fault = command
    sampler = BoardSampler(session, timeout_s=1.0)
    began = time.monotonic()
    sample = sampler.sample()
    assert sample.link == DOWN
    assert time.monotonic() - began < 25
    assert sum(shell.received for shell in session.shells) < 16 << 20
    assert not sampler.is_open
    session.fault = None
    assert sampler.sample().link == UP
    sampler.close()


def test_a_missing_prefix_is_down() -> None:
    (sample,) = _samples(LocalSession(), Path("/nowhere/at all"), timeout_s=5.0)
    assert sample.link == DOWN


def test_sudo_is_probed_before_it_is_used() -> None:
    session = LocalSession()
    sampler = BoardSampler(session, sudo=True)
    sampler.sample()
    sampler.close()
    assert session.asked == [["sh", "-s"]]
    session.sudo_works = True
    sampler.sample()
    sampler.close()
    assert session.asked[1] == ["sudo", "-n", "sh", "-s"]


def test_a_sudo_that_runs_no_shell_is_not_asked_again() -> None:
    session = LocalSession()
    session.sudo_works = session.sudo_refuses_shells = True
    sampler = BoardSampler(session, sudo=True)
    assert sampler.sample().link == UP
    sampler.close()
    assert sampler.sample().link == UP
    sampler.close()
    assert [argv[0] for argv in session.asked] == ["sudo", "sh", "sh"]


def test_the_shell_ends_with_its_input(session: LocalSession) -> None:
    sampler = BoardSampler(session)
    sampler.sample()
    sampler.close()
    assert session.shells[-1].process.wait(timeout=5) is not None


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        ('{"pid": 4242, "start_ticks": 77, "model": "m", "last": null}', True),
        ('{"pid": 4242, "model": "m"}', True),
        ('{"pid": 4242, "start_ticks": 78, "model": "m"}', False),  # another process has the pid now
        ('{"pid": 99999, "model": "m"}', False),  # left over after kill -9
        ('{"pid": 4242, "model"', False),
        ('{"pid": -1, "model": "m"}', False),
        ('{"pid": 1e400, "model": "m"}', False),
        ("[[[[", False),
    ],
)
def test_a_serving_is_shown_while_its_process_lives(tmp_path: Path, state: str, shown: bool) -> None:
    file = tmp_path / "state.json"
    sampler = BoardSampler(LocalSession(), str(OWN_TREES / "rk3588-busy"), serving_file=str(file))
    assert sampler.sample().serving is None
    file.write_text(state)
    sampler.sample()
    sample = sampler.sample()
    sampler.close()
    assert (sample.serving is not None) == shown
    assert len(sample.processes) == ("4242" in state and state.endswith("}"))
