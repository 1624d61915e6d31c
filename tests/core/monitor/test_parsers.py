"""Texts of /proc and /sys to numbers, as boards print them and as they should not."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.monitor.cpu import CpuTimes, cpu_load_percent, parse_cpu_list, parse_stat
from core.monitor.npu import active_cores, parse_driver_version, parse_npu_interrupts, parse_npu_load
from core.monitor.values import (
    parse_kb_table,
    parse_load_at,
    parse_process,
    parse_uptime,
    swap_used_bytes,
    whole,
)
from tests.core.monitor.shells import PUBLIC_TREES


@pytest.mark.parametrize(
    ("text", "loads"),
    [
        ("NPU load:  Core0:  0%, Core1:  0%, Core2:  0%,", (0, 0, 0)),
        ("NPU load:  Core0:  21%, Core1:  11%, Core2:  0%,", (21, 11, 0)),
        ("NPU load: Core0: 63%, Core1: 65%, Core2: 64%,", (63, 65, 64)),
        ("NPU load:  Core0:  0%, Core1:  0%,", (0, 0)),
        ("NPU load:Core0:1%,Core1:2%", (1, 2)),
        ("NPU load:  0%", (0,)),
        ("NPU load: 48%", (48,)),
        ("NPU load: Core0: 99%, Core1: 99%, Core2: 429496%", (99, 99, 100)),
        ("NPU load: 20000%", (100,)),
        ("NPU load: Core0: 99999999999999999999999999%", (100,)),
        ("NPU load: Core1: 5%, Core0: 7%", (7, 5)),
        ("NPU load:", None),
        ("", None),
        ("NPU load: Core0: -5%", None),
        ("rknpu: no such file", None),
    ],
)
def test_npu_load(text: str, loads: tuple[int, ...] | None) -> None:
    assert parse_npu_load([text]) == loads


def test_npu_load_of_public_captures() -> None:
    folder = PUBLIC_TREES / "rknpu-load-lines"
    if not folder.is_dir():
        pytest.skip("the public board captures are not beside this checkout")
    expected = {
        "rk3588-21-11-0.txt": (21, 11, 0),
        "rk3588-63-65-64.txt": (63, 65, 64),
        "rk3588-86-84-61.txt": (86, 84, 61),
        "rk3588-old-driver-overflow.txt": (99, 99, 100),
        "rv1126b-single-core-busy.txt": (48,),
        "rv1126b-single-core-idle.txt": (0,),
    }
    for name, loads in expected.items():
        assert parse_npu_load((folder / name).read_text().splitlines()) == loads, name


@given(st.text(max_size=300))
def test_no_text_breaks_a_parser(text: str) -> None:
    lines = text.splitlines()
    loads = parse_npu_load(lines)
    assert loads is None or all(0 <= load <= 100 for load in loads)
    parse_npu_interrupts(lines)
    parse_stat(lines)
    parse_kb_table(lines)
    parse_process(1, lines)
    parse_load_at(text)
    parse_uptime(text)
    whole(text)
    parse_cpu_list(text)


def test_interrupts_follow_the_hardware_lines() -> None:
    vendor = [
        "            CPU0       CPU1",
        " 42:        300          3     GICv3 144 Level     fdab9000.iommu, fdab0000.npu",
        " 40:        100          1     GICv3 142 Level     fdab9000.iommu, fdab0000.npu",
        " 41:        200          2     GICv3 143 Level     fdab9000.iommu, fdab0000.npu",
        " 16:          9          9     GICv3 105 Level     dmc",
    ]
    assert parse_npu_interrupts(vendor) == (101, 202, 303)


def test_interrupts_without_counters_are_unknown() -> None:
    assert parse_npu_interrupts([" 40: GICv3 142 Level  fdab9000.iommu, fdab0000.npu"]) is None


@pytest.mark.parametrize(
    ("before", "now", "cores"),
    [
        ((1, 1, 1), (1, 5, 1), (1,)),
        ((1, 1), (1, 1), ()),
        (None, (1,), None),
        ((1,), None, None),
        ((1, 2), (1,), None),
        ((9, 9), (1, 10), None),  # counters of another boot
    ],
)
def test_active_cores(
    before: tuple[int, ...] | None, now: tuple[int, ...] | None, cores: tuple[int, ...] | None
) -> None:
    assert active_cores(before, now) == cores


@pytest.mark.parametrize(
    ("texts", "version"),
    [(["0.9.8"], "0.9.8"), (["", "RKNPU driver: v0.9.7"], "0.9.7"), (["", ""], None), (["unknown"], None)],
)
def test_driver_version(texts: list[str], version: str | None) -> None:
    assert parse_driver_version(texts) == version


def test_cpu_load() -> None:
    before = parse_stat(["cpu 9 9 9 9", "cpu0 50 0 50 300 100 0 0 0 0 0", "cpu1 10 0 10 80", "cpu3 1 1 1 1"])
    now = parse_stat(["cpu0 100 0 75 325 100 0 0 0 25 0", "cpu1 10 0 10 180", "cpu2 1 1 1 1", "cpu3 1 1 1 1"])
    # cpu0: 100 ticks, 25 idle; cpu1 idle; cpu2 came later; cpu3 did not move.
    assert cpu_load_percent(before, now) == (75.0, 0.0, None, None)


def test_cpu_load_stays_within_bounds_when_iowait_runs_backwards() -> None:
    assert cpu_load_percent({0: CpuTimes(100, 50)}, {0: CpuTimes(110, 40)}) == (100.0,)
    assert cpu_load_percent({}, {0: CpuTimes(110, 40)}) is None


def test_cpu_lists() -> None:
    assert parse_cpu_list("0 5 6 7") == (0, 5, 6, 7)
    assert parse_cpu_list("0-3,6") == (0, 1, 2, 3, 6)
    assert parse_cpu_list("all") == ()
    assert len(parse_cpu_list("0-9999")) <= 1025


def test_meminfo_is_in_bytes_and_unknown_stays_unknown() -> None:
    table = parse_kb_table(["MemTotal:  8024344 kB", "MemAvailable: many kB", "SwapTotal: 10 kB", "Odd"])
    assert table == {"MemTotal": 8024344 * 1024, "SwapTotal": 10240}
    assert swap_used_bytes(table) is None
    assert swap_used_bytes({"SwapTotal": 10, "SwapFree": 4}) == 6


def test_load_at() -> None:
    assert parse_load_at("33@528000000Hz") == (33, 528_000_000)
    assert parse_load_at("0@300000000Hz\n") == (0, 300_000_000)
    assert parse_load_at("33") is None
    assert parse_load_at(None) is None


def test_process_without_memory_lines_is_shown_without_numbers() -> None:
    zombie = parse_process(7, ["Name:\tllm", "State:\tZ (zombie)"])
    assert zombie is not None
    assert (zombie.name, zombie.rss_bytes, zombie.peak_rss_bytes) == ("llm", None, None)
    assert parse_process(7, []) is None
    hostile = parse_process(7, ["Name:\t\u202egnp.exe", "VmRSS:\t 10 kB", "VmHWM:\t 20 kB"])
    assert hostile is not None
    assert hostile.name == "\\u202egnp.exe"
    assert (hostile.rss_bytes, hostile.peak_rss_bytes) == (10240, 20480)


def test_own_trees_exist() -> None:
    trees = {path.name for path in (Path(__file__).parents[2] / "data" / "captures").iterdir()}
    assert {"rk3588-busy", "rk3576-user", "mainline-rocket", "odd"} <= trees
