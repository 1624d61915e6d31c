"""The imaginary board's physics: pure functions from what the runtime computed to what sensors would say."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

AMBIENT_C = 38.0
TRIP_C = 75.0
NPU_OFF_DELAY_S = 3.0  # rknpu 0.9.8 powers off 3000 ms after the last use
_USER_HZ = 100


@dataclass(frozen=True, slots=True)
class Zone:
    """One thermal zone: warms by `rise_c` when the NPU is fully busy, with the time constant `tau_s`."""

    name: str
    rise_c: float
    tau_s: float


# The names and their order are those of RK3588 vendor kernels; rises and time constants are invented.
ZONES = (
    Zone("soc-thermal", 38.0, 40.0),
    Zone("bigcore0-thermal", 30.0, 30.0),
    Zone("bigcore1-thermal", 29.0, 30.0),
    Zone("littlecore-thermal", 26.0, 45.0),
    Zone("center-thermal", 28.0, 60.0),
    Zone("gpu-thermal", 24.0, 60.0),
    Zone("npu-thermal", 40.0, 25.0),
)


def warm(temp_c: float, zone: Zone, busy_share: float, dt_s: float) -> float:
    """Return the temperature after `dt_s` seconds at this share of NPU work: exact first-order response."""
    target_c = AMBIENT_C + zone.rise_c * busy_share
    return target_c + (temp_c - target_c) * math.exp(-dt_s / zone.tau_s)


@dataclass(frozen=True, slots=True)
class Work:
    """What a runtime did since its start, per core: seconds of computing and finished jobs."""

    busy_s: tuple[float, ...]
    jobs: tuple[int, ...]


def read_work(report: Mapping[str, object], cores: int, now_s: float) -> Work | None:
    """Return the work of one report `{"busy_s":[..],"jobs":[..],"since_s":t|null}`; None if malformed.

    `since_s` is the monotonic time at which the computation now under way began.
    """
    busy, jobs, since = report.get("busy_s"), report.get("jobs"), report.get("since_s")
    if not isinstance(busy, list) or not isinstance(jobs, list) or len(busy) != len(jobs):
        return None
    if not all(isinstance(value, int | float) and value >= 0 for value in [*busy, *jobs]):
        return None
    running_s = max(0.0, now_s - since) if isinstance(since, int | float) else 0.0
    pad = [0] * max(0, cores - len(busy))
    return Work(
        tuple([float(value) + running_s for value in busy[:cores]] + [float(value) for value in pad]),
        tuple([int(value) for value in jobs[:cores]] + pad),
    )


def window_shares(before: Sequence[float], now: Sequence[float], dt_s: float) -> tuple[float, ...]:
    """Return the share (0..1) of the last window each core spent computing, as the driver's timer does."""
    if dt_s <= 0:
        return tuple(0.0 for _ in now)
    return tuple(min(1.0, max(0.0, (b - a) / dt_s)) for a, b in zip(before, now, strict=True))


@dataclass(frozen=True, slots=True)
class BoardMoment:
    """Everything that moves.

    Attributes:
        cpu_busy_ticks: per CPU, in USER_HZ, since boot.
        npu_shares: of the last window, 0..1 per core.
        npu_jobs: interrupts so far per core.
        npu_idle_s: seconds since the NPU last worked; infinite before the first work.
    """

    uptime_s: float
    cpu_busy_ticks: tuple[float, ...]
    npu_shares: tuple[float, ...]
    npu_jobs: tuple[int, ...]
    npu_idle_s: float
    npu_active_ms: float
    npu_suspended_ms: float
    temps_c: tuple[float, ...]
    runtimes_rss_bytes: int

    @property
    def npu_busy(self) -> float:
        """Mean share over the cores."""
        return sum(self.npu_shares) / len(self.npu_shares)

    @property
    def npu_powered(self) -> bool:
        """Whether the driver keeps the NPU on."""
        return self.npu_idle_s < NPU_OFF_DELAY_S

    @property
    def throttle_state(self) -> int:
        """Steps the hottest trip asks of the cooling devices, 0 to 3."""
        return max(0, min(3, math.ceil((self.temps_c[0] - TRIP_C) / 2)))


def first_moment(cores: int, cpus: int, uptime_s: float) -> BoardMoment:
    """An idle board that has just come up."""
    return BoardMoment(
        uptime_s=uptime_s,
        cpu_busy_ticks=(uptime_s * 3,) * cpus,
        npu_shares=(0.0,) * cores,
        npu_jobs=(0,) * cores,
        npu_idle_s=math.inf,
        npu_active_ms=0.0,
        npu_suspended_ms=uptime_s * 1000,
        temps_c=(AMBIENT_C,) * len(ZONES),
        runtimes_rss_bytes=0,
    )


def advance(
    moment: BoardMoment,
    dt_s: float,
    shares: tuple[float, ...],
    new_jobs: tuple[int, ...],
    rss_bytes: int,
) -> BoardMoment:
    """Return the board `dt_s` later, after a window with these NPU shares and finished jobs."""
    busy = sum(shares) / len(shares)
    idle_s = 0.0 if busy > 0 else moment.npu_idle_s + dt_s
    powered = idle_s < NPU_OFF_DELAY_S
    return replace(
        moment,
        uptime_s=moment.uptime_s + dt_s,
        cpu_busy_ticks=tuple(
            ticks + dt_s * _USER_HZ * _cpu_share(cpu, busy) for cpu, ticks in enumerate(moment.cpu_busy_ticks)
        ),
        npu_shares=shares,
        npu_jobs=tuple(old + new for old, new in zip(moment.npu_jobs, new_jobs, strict=True)),
        npu_idle_s=idle_s,
        npu_active_ms=moment.npu_active_ms + (dt_s * 1000 if powered else 0.0),
        npu_suspended_ms=moment.npu_suspended_ms + (0.0 if powered else dt_s * 1000),
        temps_c=tuple(warm(t, zone, busy, dt_s) for t, zone in zip(moment.temps_c, ZONES, strict=True)),
        runtimes_rss_bytes=rss_bytes,
    )


def _cpu_share(cpu: int, npu_busy: float) -> float:
    """A little background on every CPU; the first big one feeds the NPU."""
    return 0.03 + (0.55 * npu_busy if cpu == 4 else 0.06 * npu_busy)
