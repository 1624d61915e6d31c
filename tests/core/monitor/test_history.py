"""Charts' data: peaks and gaps survive, memory and names are bounded, events are told once."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base.errors import RKDeckError
from core.monitor.history import MAX_EVENTS, MAX_SERIES, History, cpus_text
from core.monitor.sample import DOWN, SERIES, UP, BoardSample, CpuPolicy, ServingFigures, down_sample
from core.monitor.values import ProcessMemory

BEGIN_S = 1_700_000_000.0


def up(t_s: float, npu: int = 0, **changes: object) -> BoardSample:
    sample = BoardSample("desk", BEGIN_S + t_s, UP, npu_load_percent=(npu, 1, 2))
    return replace(sample, **changes)  # type: ignore[arg-type]


def down(t_s: float) -> BoardSample:
    return down_sample("desk", BEGIN_S + t_s, RKDeckError("remote.refused", host="h", port=22))


def history_of(*samples: BoardSample, **options: float) -> History:
    history = History(**options)  # type: ignore[arg-type]
    for sample in samples:
        history.add(sample)
    return history


def full_sample(t_s: float, npu: int = 0) -> BoardSample:
    return up(
        t_s, npu, uptime_s=t_s, npu_hz=10**9, cpu_load_percent=(10.0, None, 50.0, 30.0, 0.0, 0.0, 0.0, 0.0),
        cpu_policies=(CpuPolicy((0, 1, 2, 3), 1_800_000_000, None), CpuPolicy((4, 6), 408_000_000, None),
                      CpuPolicy(None, 600_000_000, None)),
        mem_total_bytes=16 << 30, mem_available_bytes=10 << 30, swap_used_bytes=1 << 20, ddr_hz=2_112_000_000,
        ddr_load_percent=83, gpu_load_percent=7, temps_c={f"zone-{zone}": 40.0 + zone for zone in range(7)},
        processes=(ProcessMemory(1, "llm", 2 << 30, None), ProcessMemory(2, "new", None, None)),
        serving=ServingFigures("m", 14.5, 430.0),
    )  # fmt: skip


def last_value(history: History, name: str) -> float:
    return float(history.window(name, 60, 100)[1][-1])


def test_every_series_has_its_name_and_value() -> None:
    history = history_of(full_sample(0, 63))
    assert {series.name for series in SERIES} <= set(history.names), "a figure that `full_sample` lacks"
    assert {name: last_value(history, name) for name in history.names} == {
        "npu0": 63, "npu1": 1, "npu2": 2, "cpu": pytest.approx(90 / 7),
        "cpu0": 10, "cpu2": 50, "cpu3": 30, "cpu4": 0, "cpu5": 0, "cpu6": 0, "cpu7": 0,
        "mem_used_bytes": 6 << 30, "mem_total_bytes": 16 << 30, "model_rss_bytes": 2 << 30,
        "swap_used_bytes": 1 << 20, "npu_hz": 1e9, "ddr_hz": 2.112e9, "ddr_load": 83, "gpu_load": 7,
        "cpu_hz:0-3": 1.8e9, "cpu_hz:4,6": 4.08e8, "cpu_hz:#2": 6e8, "tokens_per_s": 14.5, "ttft_ms": 430,
        **{f"temp:zone-{zone}": 40 + zone for zone in range(7)},
    }  # fmt: skip


def test_unknown_is_nan_and_a_series_that_comes_late_has_no_past() -> None:
    history = history_of(up(0, 5), up(1, 6, mem_total_bytes=4), up(2, 7, npu_load_percent=None))
    times, values = history.window("mem_total_bytes", 60, 100)
    assert times.tolist() == [BEGIN_S, BEGIN_S + 1, BEGIN_S + 2]
    np.testing.assert_array_equal(values, np.array([math.nan, 4, math.nan], np.float32))
    np.testing.assert_array_equal(history.window("npu0", 60, 100)[1], np.array([5, 6, math.nan], np.float32))
    assert history.window("nonsense", 60, 100)[1].size == 0
    assert History().window("npu0", 60, 100)[1].size == 0


def test_the_window_is_as_long_as_asked() -> None:
    history = history_of(*(up(t) for t in range(100)))
    assert history.window("npu0", 10, 1000)[0].tolist() == [BEGIN_S + t for t in range(90, 100)]
    paused = history.window("npu0", 5, 1000, until_unix_s=BEGIN_S + 50)[0]
    assert paused.tolist() == [BEGIN_S + t for t in range(46, 51)]


def test_one_peak_and_one_dip_survive_any_thinning() -> None:
    history = history_of(*(up(t, 99 if t == 1234 else 1 if t == 2345 else 50) for t in range(3600)))
    for points in (3, 4, 10, 1000):
        times, values = history.window("npu0", 3600, points)
        assert len(times) == len(values) <= points
        assert [float(values.min()), float(values.max())] == [1, 99]
        assert (np.diff(times) >= 0).all()


def test_the_second_tier_keeps_peaks_means_and_gaps() -> None:
    history = History(seconds=7200, capacity=600)
    for t in range(7200):
        history.add(down(t) if 1000 <= t < 1100 else up(t, 99 if t == 2003 else 10))
    times, values = history.window("npu0", 7200, 2000)
    assert times[0] <= BEGIN_S + 10
    assert np.nanmax(values) == 99
    assert times[np.nanargmax(values)] == pytest.approx(BEGIN_S + 2000, abs=10)
    gone = times[np.isnan(values)]
    assert gone.min() == pytest.approx(BEGIN_S + 1000, abs=10)
    assert gone.max() == pytest.approx(BEGIN_S + 1090, abs=10)
    band = history.band("npu0", 7200, 2000)
    around = int(np.nanargmax(band.high))
    assert [float(band.low[around]), float(band.high[around])] == [10, 99]
    assert band.mean[around] == pytest.approx((9 * 10 + 99) / 10)
    assert np.isnan(band.mean).sum() == pytest.approx(10, abs=1)


def test_memory_is_bounded_and_the_oldest_goes() -> None:
    history = History(seconds=600, capacity=50)
    for t in range(3000):
        history.add(up(t, t % 100))
    times, _ = history.window("npu0", 1e9, 10_000)
    assert BEGIN_S + 3000 - 620 <= times[0] <= BEGIN_S + 3000 - 590
    assert times[-1] == BEGIN_S + 2999


def test_a_short_outage_is_a_gap_at_any_zoom() -> None:
    history = history_of(*(down(t) if t == 1800 else up(t, 50) for t in range(3600)))
    for points in (3600, 1000, 90):
        times, values = history.window("npu0", 3600, points)
        assert len(times) <= points
        assert np.isnan(values).sum() == 1
        assert abs(times[np.isnan(values)][0] - BEGIN_S - 1800) <= 2 * 3600 / points * 3


@pytest.mark.parametrize("capacity", [3600, 20])
def test_time_without_samples_is_a_gap(capacity: int) -> None:
    samples = [*(up(t, 50) for t in range(100)), *(up(t, 60) for t in range(5000, 5100))]
    times, values = history_of(*samples, capacity=capacity).window("npu0", 86_400, 1000)
    gap = times[np.isnan(values)]
    assert len(gap) == 1
    assert BEGIN_S + 99 < gap[0] < BEGIN_S + 5000


def test_a_slow_pace_is_no_gap() -> None:
    history = history_of(*(up(60 * t, 50) for t in range(100)))
    # The first pause of a minute cannot be told from a gap; all later ones can.
    assert np.isnan(history.window("npu0", 86_400, 1000)[1]).sum() <= 1


def test_a_clock_that_is_set_back() -> None:
    history = history_of(up(0, 1), up(10, 2), up(8, 3))
    times, values = history.window("npu0", 60, 100)
    assert (times.tolist(), values.tolist()) == ([BEGIN_S, BEGIN_S + 10, BEGIN_S + 10], [1, 2, 3])
    history.add(up(-86_400, 4))
    assert history.window("npu0", 1e9, 100)[1].tolist() == [4]
    assert history.names == ("npu0", "npu1", "npu2")


@given(
    st.lists(st.none() | st.integers(0, 100), min_size=1, max_size=300),
    st.integers(3, 60),
    st.integers(5, 400),
    st.integers(1, 400),
)
def test_a_window_never_loses_the_extremes(
    loads: list[int | None], points: int, capacity: int, seconds: int
) -> None:
    history = History(seconds=3600, capacity=capacity)
    for t, load in enumerate(loads):
        history.add(down(t) if load is None else up(t, load))
    times, values = history.window("npu0", seconds, points)
    assert len(times) == len(values) <= points
    assert (np.diff(times) >= 0).all()
    if capacity < seconds or history.window("npu0", 1, 3)[0].size == 0:
        return  # the second tier is exact to 10 s only
    known = [load for load in loads[-seconds:] if load is not None]
    if known:
        assert [float(np.nanmin(values)), float(np.nanmax(values))] == [min(known), max(known)]
    assert np.isnan(values).any() == (None in loads[-seconds:] and bool(history.names))
    band = history.band("npu0", seconds, points)
    assert len(band.mean) <= points
    assert ((band.low <= band.mean + 1e-3) & (band.mean <= band.high + 1e-3) | np.isnan(band.mean)).all()


def test_a_board_that_invents_names_gets_no_more_series() -> None:
    history = History()
    for t in range(20):
        temps = {f"zone {t}/{zone}\u202e": 40.0 for zone in range(1000)}
        policies = tuple(CpuPolicy((cpu,), 1, None) for cpu in range(1000))
        history.add(up(t, 1, temps_c=temps, cpu_policies=policies, cpu_load_percent=(1.0,) * 1000))
    history.add(full_sample(20))
    assert len(history.names) <= MAX_SERIES
    assert {"cpu", "tokens_per_s", "ddr_load", "npu2"} <= set(history.names)


def test_a_board_with_all_there_can_be_has_room_for_it() -> None:
    sample = full_sample(0)
    policies = tuple(CpuPolicy((cpu,), 1, None) for cpu in range(8))
    zones = {f"zone-{zone}": 40.0 for zone in range(24)}
    full = replace(
        sample, npu_load_percent=(1,) * 4, cpu_load_percent=(1.0,) * 16, cpu_policies=policies, temps_c=zones
    )
    assert len(history_of(full).names) == MAX_SERIES


def test_absurd_numbers_are_unknown() -> None:
    history = history_of(
        up(0, 1, serving=ServingFigures("m", 1e300, -1e300)), up(1, 1, mem_total_bytes=10**18)
    )
    assert np.isnan(history.window("tokens_per_s", 60, 10)[1]).all()
    assert last_value(history, "mem_total_bytes") == pytest.approx(1e18)


def test_what_a_chart_holds_does_not_change() -> None:
    history = history_of(*(up(t, t) for t in range(10)), capacity=10)
    _, before = history.window("npu0", 60, 100)
    kept = before.tolist()
    for t in range(10, 20):
        history.add(up(t, 100))
    assert before.tolist() == kept


def test_events() -> None:
    serving = ServingFigures("m", None, None)
    history = history_of(
        up(0, uptime_s=10.0, throttled_by=()),
        up(1, uptime_s=11.0, throttled_by=(), serving=serving),
        up(2, uptime_s=12.0, throttled_by=("cpufreq-cpu4",), serving=serving),
        up(3, uptime_s=13.0, throttled_by=("cpufreq-cpu4", "npu"), serving=replace(serving, ttft_ms=1.0)),
        down(4),
        down(5),
        up(6, uptime_s=2.0, throttled_by=()),
        up(7, uptime_s=3.0, serving=replace(serving, model="n")),
        up(8, uptime_s=4.0, serving=serving),
    )
    assert [(event.t_unix_s - BEGIN_S, event.code, dict(event.facts)) for event in history.events] == [
        (1, "serving_started", {"model": "m"}),
        (2, "throttling_started", {"devices": ["cpufreq-cpu4"]}),
        (4, "link_down", {"reason": "remote.refused"}),
        (6, "link_up", {}),
        (6, "throttling_ended", {}),
        (6, "rebooted", {}),
        (6, "serving_stopped", {"model": "m"}),
        (7, "serving_started", {"model": "n"}),
        (8, "serving_stopped", {"model": "n"}),
        (8, "serving_started", {"model": "m"}),
    ]
    assert history.latest is not None
    assert history.latest.uptime_s == 4.0


def test_a_flapping_link_fills_no_memory() -> None:
    history = history_of(*(up(t) if t % 2 else down(t) for t in range(2000)))
    assert len(history.events) == MAX_EVENTS
    assert history.latest is not None
    assert history.latest.link in {UP, DOWN}


def test_cpu_lists() -> None:
    assert [cpus_text(cpus) for cpus in (None, (), (3,), (0, 1), (0, 5, 6, 7))] == [
        "",
        "",
        "3",
        "0-1",
        "0,5-7",
    ]


def test_a_long_window_comes_in_as_many_points_as_were_asked_for() -> None:
    history = History(capacity=3600)
    for t in range(8640):
        history.add(full_sample(10.0 * t, t % 100))
    times, _ = history.window("npu0", 86_400, 1000)
    assert 900 < len(times) <= 1000
