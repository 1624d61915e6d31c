"""What a board's samples were, for charts: rings of bounded size, windows thinned so that peaks survive."""

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.base.errors import JsonValue
from core.monitor.sample import SERIES, BoardSample

Times = NDArray[np.float64]
Values = NDArray[np.float32]

MAX_EVENTS = 500
COARSE_S = 10.0
DAY_S = 86_400.0
_LIMITS = {"npu": 4, "cpu": 16, "cpu_hz": 8, "temp": 24}
_LONGEST_STEP_BACK_S = 60.0
_GAP_S, _GAP_STEPS = 10.0, 5.0
# float32 ends at 3.4e38; a figure near that is no figure.
_ABSURD = 1e30


class HistoryEvent(NamedTuple):
    """Something that happened between two samples.

    Codes and facts: `link_down` (reason), `link_up`, `rebooted`, `serving_started` (model), `serving_stopped`
    (model), `throttling_started` (devices), `throttling_ended`.
    """

    t_unix_s: float
    code: str
    facts: Mapping[str, JsonValue]


class Band(NamedTuple):
    """A thinned series: per point of time the lowest, mean and highest value around it; NaN in gaps."""

    t_unix_s: Times
    low: Values
    mean: Values
    high: Values


class _Ring:
    """Rows of a time and `depth` numbers per series; the oldest row makes room for the newest."""

    def __init__(self, capacity: int, depth: int) -> None:
        self._times = np.zeros(capacity, np.float64)
        # Untouched until a series appears, so that unused series cost no memory.
        self._values = np.empty((MAX_SERIES, depth, capacity), np.float32)
        self._capacity = capacity
        self._next = 0
        self._count = 0

    def add_series(self, index: int) -> None:
        self._values[index] = np.nan

    def append(self, t_unix_s: float, columns: NDArray[np.float32]) -> None:
        """Add a row; `columns` has the shape (series, depth)."""
        self._times[self._next] = t_unix_s
        self._values[: len(columns), :, self._next] = columns
        self._next = (self._next + 1) % self._capacity
        self._count = min(self._count + 1, self._capacity)

    def read(self, index: int, begin_unix_s: float, end_unix_s: float) -> tuple[Times, Values]:
        """Return the times within [begin, end) and the values, shape (depth, times)."""
        times, values = self._times[: self._count], self._values[index, :, : self._count]
        if self._count == self._capacity:
            times = np.concatenate((times[self._next :], times[: self._next]))
            values = np.concatenate((values[:, self._next :], values[:, : self._next]), axis=1)
        begin, end = np.searchsorted(times, (begin_unix_s, end_unix_s))
        # Copies: what a chart still holds must not change when the ring comes around.
        return times[begin:end].copy(), values[:, begin:end].copy()

    @property
    def oldest_unix_s(self) -> float:
        """Time of the oldest row; infinite when there is none."""
        if not self._count:
            return math.inf
        return float(self._times[self._next if self._count == self._capacity else 0])


class History:
    """The samples of one board, in two tiers: every sample of the last hour, then 10 s of them as one row.

    The first tier holds `capacity` samples (an hour at one a second, less at a faster rate), the second the
    lowest, mean and highest value of each 10 s for `seconds`. With 24 hours that is 118 KB a series, less than
    8 MB for the `MAX_SERIES` there can be; a board with 30 series uses half of that. Values are float32 (a byte
    count of 16 GiB is exact to 1 KiB), times float64.

    Series: `npu0`.. and `cpu0`.. (percent), `cpu` (mean of the cores), `mem_used_bytes`, `model_rss_bytes`,
    `tokens_per_s`, `ttft_ms`, `cpu_hz:<cpus>` such as `cpu_hz:0-3`, `temp:<zone>` (°C), and the sample's single
    figures (`core.monitor.sample.SERIES`). Unknown is NaN, and so is all of a sample without answer. At most 4
    `npu`, 16 `cpu`, 8 `cpu_hz` and 24 `temp` series are kept, so a board that invents names costs nothing.

    One object belongs to one thread.
    """

    def __init__(self, seconds: float = DAY_S, capacity: int = 3600) -> None:
        self._seconds = seconds
        self._capacity = capacity
        self._clear()

    def _clear(self) -> None:
        self._fine = _Ring(self._capacity, 1)
        self._coarse = _Ring(math.ceil(self._seconds / COARSE_S) + 1, 3)
        self._indexes: dict[str, int] = {}
        self._counts = dict.fromkeys(_LIMITS, 0)
        self._bucket = _Bucket(-1)
        self._events: deque[HistoryEvent] = deque(maxlen=MAX_EVENTS)
        self._last_unix_s: float | None = None
        self._last_step_s = 0.0
        self._latest: BoardSample | None = None
        self._latest_up: BoardSample | None = None
        self._throttled_by: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The series that ever had a value, in the order of their first."""
        return tuple(self._indexes)

    @property
    def events(self) -> tuple[HistoryEvent, ...]:
        """The last 500 events, the oldest first."""
        return tuple(self._events)

    @property
    def latest(self) -> BoardSample | None:
        """The last sample."""
        return self._latest

    def add(self, sample: BoardSample) -> None:
        """Take in a sample. A clock that is set back by more than a minute begins the history anew."""
        t_unix_s, last_unix_s = sample.t_unix_s, self._last_unix_s
        if last_unix_s is not None and t_unix_s < last_unix_s - _LONGEST_STEP_BACK_S:
            self._clear()
            last_unix_s = None
        if last_unix_s is not None:
            t_unix_s = max(t_unix_s, last_unix_s)
            self._mark_gap(last_unix_s, t_unix_s - last_unix_s)
        self._append(t_unix_s, self._row(sample))
        self._last_unix_s = t_unix_s
        self._note_events(sample, t_unix_s)
        self._latest = sample
        if sample.is_up:
            self._latest_up = sample

    def window(
        self, name: str, seconds: float, points: int, until_unix_s: float | None = None
    ) -> tuple[Times, Values]:
        """Return times and values of the last `seconds`, at most `points`, for a line chart.

        Where there are more samples than points, each stretch of time is represented by its lowest and its
        highest value. A gap is a NaN between the values, also one that is shorter than a stretch.

        Args:
            name: a series; one that does not exist (yet) gives empty arrays.
            seconds: how far back.
            points: at least 3.
            until_unix_s: the end of the window; None: the newest sample.
        """
        times, low, high, _ = self._read(name, seconds, until_unix_s)
        if len(times) <= points and low is high:
            return times, low
        known = ~np.isnan(low)
        per_bin = 2 if known.all() else 3
        starts = _bin_starts(times, seconds, points // per_bin)
        found = np.full((len(starts), per_bin), np.nan, np.float32)
        at = np.empty((len(starts), per_bin), np.float64)
        ends = np.append(starts[1:], len(times)) - 1
        low_first = ~(low[starts] > high[ends])
        lows, highs = np.fmin.reduceat(low, starts), np.fmax.reduceat(high, starts)
        found[:, 0] = np.where(low_first, lows, highs)
        found[:, 1] = np.where(low_first, highs, lows)
        at[:, 0], at[:, 1] = times[starts], times[ends]
        if per_bin == 2:
            return at.ravel(), found.ravel()
        at[:, 2] = times[ends]
        # The third place is the gap: left out where there is none, and the only one where there is nothing else.
        some = np.logical_or.reduceat(known, starts)
        kept = np.stack((np.ones_like(some), some, some & ~np.logical_and.reduceat(known, starts)), axis=1)
        return at[kept], found[kept]

    def band(self, name: str, seconds: float, points: int, until_unix_s: float | None = None) -> Band:
        """Return the lowest, mean and highest values of at most `points` stretches of the last `seconds`."""
        times, low, high, mean = self._read(name, seconds, until_unix_s)
        if not len(times):
            return Band(times, low, mean, high)
        starts = _bin_starts(times, seconds, points)
        known = ~np.isnan(mean)
        counts = np.add.reduceat(known, starts, dtype=np.float32)
        sums = np.add.reduceat(np.where(known, mean, 0), starts, dtype=np.float64)
        means = np.divide(sums, counts, out=np.full(len(starts), np.nan), where=counts > 0)
        return Band(
            times[starts],
            np.fmin.reduceat(low, starts),
            means.astype(np.float32),
            np.fmax.reduceat(high, starts),
        )

    def _read(
        self, name: str, seconds: float, until_unix_s: float | None
    ) -> tuple[Times, Values, Values, Values]:
        """Times, low, high and mean of both tiers; low is high when only the first was needed."""
        index, last_unix_s = self._indexes.get(name), self._last_unix_s
        if index is None or last_unix_s is None:
            empty = np.empty(0, np.float32)
            return np.empty(0, np.float64), empty, empty, empty
        end = np.nextafter(last_unix_s if until_unix_s is None else until_unix_s, math.inf)
        begin = end - seconds
        border = self._fine.oldest_unix_s
        times, values = self._fine.read(index, begin, end)
        fine = values[0]
        older_times, older = self._coarse.read(index, begin, min(end, border))
        if not len(older_times):
            return times, fine, fine, fine
        return (
            np.concatenate((older_times, times)),
            np.concatenate((older[0], fine)),
            np.concatenate((older[2], fine)),
            np.concatenate((older[1], fine)),
        )

    # --- taking in

    def _mark_gap(self, last_unix_s: float, step_s: float) -> None:
        """Time without samples (this computer slept, the worker died) shows as a gap, not as a line across."""
        if step_s > max(_GAP_S, _GAP_STEPS * self._last_step_s):
            # In a bucket of its own, so that the second tier has the gap, too.
            gap_unix_s = (math.floor(last_unix_s / COARSE_S) + 1) * COARSE_S
            self._append(gap_unix_s, np.full(len(self._indexes), np.nan))
        self._last_step_s = step_s

    def _append(self, t_unix_s: float, row: NDArray[np.float64]) -> None:
        number = math.floor(t_unix_s / COARSE_S)
        if number != self._bucket.number:
            self._flush(number)
        self._bucket.take(row)
        self._fine.append(t_unix_s, row.astype(np.float32)[:, np.newaxis])

    def _flush(self, number: int) -> None:
        if self._bucket.rows:
            self._coarse.append(self._bucket.number * COARSE_S, self._bucket.columns())
        self._bucket = _Bucket(number)

    def _row(self, sample: BoardSample) -> NDArray[np.float64]:
        indexes, places, values = self._indexes, [], []
        if sample.is_up:
            for kind, name, value in _figures(sample):
                if value is not None:
                    index = indexes.get(name)
                    if index is None and (index := self._new_series(kind, name)) is None:
                        continue
                    places.append(index)
                    values.append(value)
        row = np.full(len(indexes), np.nan)
        if places:
            row[places] = values
            row[np.abs(row) > _ABSURD] = np.nan
        return row

    def _new_series(self, kind: str | None, name: str) -> int | None:
        if kind is not None:
            if self._counts[kind] >= _LIMITS[kind]:
                return None
            self._counts[kind] += 1
        index = self._indexes[name] = len(self._indexes)
        self._fine.add_series(index)
        self._coarse.add_series(index)
        return index

    # --- events

    def _note_events(self, sample: BoardSample, t_unix_s: float) -> None:
        for code, facts in self._changes(sample):
            self._events.append(HistoryEvent(t_unix_s, code, facts))

    def _changes(self, sample: BoardSample) -> Iterator[tuple[str, dict[str, JsonValue]]]:
        latest, before = self._latest, self._latest_up
        if not sample.is_up:
            if latest is None or latest.is_up:
                yield "link_down", {"reason": sample.missing.get("link", "unknown")}
            return
        if latest is not None and not latest.is_up:
            yield "link_up", {}
        throttled_by = sample.throttled_by
        if throttled_by is not None and bool(throttled_by) != bool(self._throttled_by):
            yield (
                ("throttling_started", {"devices": list(throttled_by)})
                if throttled_by
                else ("throttling_ended", {})
            )
        if throttled_by is not None:
            self._throttled_by = throttled_by
        if before is None:
            return
        if sample.uptime_s is not None and before.uptime_s is not None and sample.uptime_s < before.uptime_s:
            yield "rebooted", {}
        served = before.serving.model if before.serving is not None else None
        serves = sample.serving.model if sample.serving is not None else None
        if serves != served:
            if served is not None:
                yield "serving_stopped", {"model": served}
            if serves is not None:
                yield "serving_started", {"model": serves}


class _Bucket:
    """The 10 s that are being summed up."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.rows = 0
        self._low = self._high = self._sum = self._known = np.empty(0)

    def take(self, row: NDArray[np.float64]) -> None:
        known = ~np.isnan(row)
        if not self.rows:
            self._low, self._high = row, row
            self._sum, self._known = np.where(known, row, 0.0), known.astype(np.float64)
        else:
            if len(row) > len(self._low):
                self._grow(len(row) - len(self._low))
            self._low, self._high = np.fmin(self._low, row), np.fmax(self._high, row)
            self._sum = self._sum + np.where(known, row, 0.0)
            self._known = self._known + known
        self.rows += 1

    def columns(self) -> NDArray[np.float32]:
        mean = np.divide(self._sum, self._known, out=np.full(len(self._sum), np.nan), where=self._known > 0)
        return np.stack((self._low, mean, self._high), axis=1).astype(np.float32)

    def _grow(self, more: int) -> None:
        nothing = np.full(more, np.nan)
        self._low, self._high = np.append(self._low, nothing), np.append(self._high, nothing)
        self._sum, self._known = np.append(self._sum, np.zeros(more)), np.append(self._known, np.zeros(more))


def _bin_starts(times: Times, seconds: float, bins: int) -> NDArray[np.intp]:
    """Cut the time into at most `bins` equal stretches; returns where each one that holds anything begins."""
    if len(times) <= bins:
        return np.arange(len(times))
    if bins < 2:
        return np.zeros(1, np.intp)
    # Stretches of absolute time: a chart that moves on keeps its peaks where they are.
    numbers = np.floor(times / (seconds / (bins - 1)))
    return np.concatenate(([0], np.flatnonzero(np.diff(numbers)) + 1))


def _cpu_percent(sample: BoardSample) -> float | None:
    cores = [share for share in sample.cpu_load_percent or () if share is not None]
    return sum(cores) / len(cores) if cores else None


def _mem_used_bytes(sample: BoardSample) -> float | None:
    total, available = sample.mem_total_bytes, sample.mem_available_bytes
    return None if total is None or available is None else total - available


def _model_rss_bytes(sample: BoardSample) -> float | None:
    sizes = [process.rss_bytes for process in sample.processes if process.rss_bytes is not None]
    return sum(sizes) if sizes else None


def _tokens_per_s(sample: BoardSample) -> float | None:
    return None if sample.serving is None else sample.serving.tokens_per_s


def _ttft_ms(sample: BoardSample) -> float | None:
    return None if sample.serving is None else sample.serving.ttft_ms


# What is reckoned from several figures, or lies deeper; single figures are the sample's own table, `SERIES`.
_RECKONED: dict[str, Callable[[BoardSample], float | None]] = {
    "cpu": _cpu_percent,
    "mem_used_bytes": _mem_used_bytes,
    "model_rss_bytes": _model_rss_bytes,
    "tokens_per_s": _tokens_per_s,
    "ttft_ms": _ttft_ms,
}
MAX_SERIES = sum(_LIMITS.values()) + len(_RECKONED) + len(SERIES)


def _figures(sample: BoardSample) -> Iterator[tuple[str | None, str, float | None]]:
    """Yield (kind with a limited number of series, series, value)."""
    for core, load in enumerate(sample.npu_load_percent or ()):
        yield "npu", f"npu{core}", load
    for name, reckon in _RECKONED.items():
        yield None, name, reckon(sample)
    for series in SERIES:
        yield None, series.name, getattr(sample, series.field)
    for core, share in enumerate(sample.cpu_load_percent or ()):
        yield "cpu", f"cpu{core}", share
    for place, policy in enumerate(sample.cpu_policies):
        yield "cpu_hz", f"cpu_hz:{cpus_text(policy.cpus) or f'#{place}'}", policy.hz
    for zone, temp_c in sample.temps_c.items():
        yield "temp", f"temp:{zone}", temp_c


def cpus_text(cpus: tuple[int, ...] | None) -> str:
    """Return `0-3,6` for (0, 1, 2, 3, 6); empty for none."""
    spans: list[list[int]] = []
    for cpu in cpus or ():
        if spans and cpu == spans[-1][-1] + 1:
            spans[-1][1:] = [cpu]
        else:
            spans.append([cpu])
    return ",".join("-".join(map(str, span)) for span in spans)
