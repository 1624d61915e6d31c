"""A day of a board's samples: adding one and drawing a window, beside a plain list that is searched and thinned."""

import time
from collections.abc import Callable

import numpy as np

from core.monitor.history import DAY_S, History
from core.monitor.sample import UP, BoardSample

SAMPLES, STEP_S, POINTS, ROUNDS = 8640, 10.0, 1000, 20


def sample(number: int) -> BoardSample:
    """One of a board with three NPU cores and seven sensors."""
    return BoardSample(
        "desk", STEP_S * number, UP, uptime_s=STEP_S * number, npu_load_percent=(number % 100, 1, 2),
        cpu_load_percent=(10.0,) * 8, mem_total_bytes=16 << 30, mem_available_bytes=10 << 30,
        temps_c={f"zone-{zone}": 40.0 + zone for zone in range(7)},
    )  # fmt: skip


def median_us(act: Callable[[], object], rounds: int) -> float:
    """Median of the microseconds one call takes."""
    took_s = []
    for _ in range(rounds):
        began_s = time.perf_counter()
        act()
        took_s.append(time.perf_counter() - began_s)
    return float(np.median(took_s)) * 1e6


def plain_window(samples: list[BoardSample]) -> int:
    """What a chart over a list does: search it, take the series out, keep the highest of each few."""
    since_s = samples[-1].t_unix_s - DAY_S
    values = np.array([(each.npu_load_percent or (0,))[0] for each in samples if each.t_unix_s >= since_s])
    step = max(1, len(values) // POINTS)
    return len(np.maximum.reduceat(values, range(0, len(values), step)))


def main() -> None:
    """Print the figures."""
    samples = [sample(number) for number in range(SAMPLES)]
    history, coming = History(capacity=3600), iter(samples)
    add_us = median_us(lambda: history.add(next(coming)), SAMPLES)
    window_us = median_us(lambda: history.window("npu0", DAY_S, POINTS), ROUNDS)
    plain_us = median_us(lambda: plain_window(samples), ROUNDS)
    print(f"add a sample    {add_us:8.1f} us")
    print(
        f"window of a day {window_us:8.1f} us; a plain list {plain_us:8.1f} us, {plain_us / window_us:.1f}x"
    )


if __name__ == "__main__":
    main()
