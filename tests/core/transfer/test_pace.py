"""Rates, remaining time, stalls and limits."""

import time

from core.transfer.pace import Limit, Meter
from tests.support.waiting import wait_until


def test_nothing_is_known_at_first() -> None:
    meter = Meter()
    meter.move(500, 1000)
    pace = meter.pace()
    assert (pace.done_bytes, pace.total_bytes, pace.rate_bytes_per_s, pace.eta_s) == (500, 1000, None, None)
    assert not pace.stalled


def test_rate_counts_only_what_moved_now() -> None:
    meter, started = Meter(), time.monotonic()
    meter.move(1 << 30, 2 << 30)
    wait_until(lambda: time.monotonic() - started > 0.25)
    meter.move((1 << 30) + 1000, 2 << 30)
    pace = meter.pace()
    assert pace.rate_bytes_per_s is not None
    assert 0 < pace.rate_bytes_per_s < 1000 / 0.2
    assert pace.eta_s is not None
    assert pace.eta_s > 1e5


def test_silence_is_told_as_a_stall_and_movement_ends_it() -> None:
    meter = Meter()
    meter.move(10, 100)
    wait_until(lambda: meter.pace().stalled, timeout_s=30)
    assert (meter.pace().rate_bytes_per_s, meter.pace().eta_s) == (0.0, None)
    meter.move(11, 100)
    assert not meter.pace().stalled


def test_the_end_is_no_stall() -> None:
    meter, started = Meter(), time.monotonic()
    meter.move(100, 100)
    wait_until(lambda: time.monotonic() - started > 3.2, timeout_s=30)
    assert not meter.pace().stalled


def test_limit_holds_and_does_not_make_up_for_pauses() -> None:
    limit, started = Limit(1_000_000), time.monotonic()
    assert limit.piece_bytes == 100_000
    wait_until(lambda: time.monotonic() - started > 1.0)
    started = time.monotonic()
    for _ in range(10):
        limit.wait(100_000)
    assert time.monotonic() - started >= 0.7


def test_no_limit_does_not_wait() -> None:
    started = time.monotonic()
    for none in (None, 0):
        limit = Limit(none)
        assert limit.piece_bytes is None
        limit.wait(1 << 40)
    assert time.monotonic() - started < 1
