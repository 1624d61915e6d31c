"""One look at one board. Every unknown is None; nothing is guessed."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.base.errors import JsonValue
from core.monitor.values import ProcessMemory

UP, DOWN = "up", "down"
NEEDS_ROOT = "needs root"
NO_DRIVER = "no NPU driver"
NO_RKNPU = "the rocket driver has no load"
OLD_DRIVER = "the driver is too old"
NOT_HERE = "not on this board"


@dataclass(frozen=True, slots=True)
class CpuPolicy:
    """The clock of a group of CPUs; `cpus` is None when the board does not tell which."""

    cpus: tuple[int, ...] | None
    hz: int | None
    max_hz: int | None


@dataclass(frozen=True, slots=True)
class ServingFigures:
    """What the serving process measured on its latest answer; None before the first."""

    model: str
    tokens_per_s: float | None
    ttft_ms: float | None


@dataclass(frozen=True, slots=True)
class BoardSample:
    """One sample.

    Attributes:
        t_unix_s: when it arrived, by this computer's clock; good for plots, never for rates.
        uptime_s: the board's own clock, to which all rates refer.
        npu_load_percent: per core, over the driver's own last second (rknpu 0.9.8: a 1 s timer).
        npu_source: "debugfs", "proc" or "none".
        npu_active_cores: the cores that worked since the last sample, where that can be known.
        cpu_load_percent: at the place of the CPU's number; None for a CPU that is off line.
        temps_c: by thermal zone type.
        throttled_by: cooling devices at work; None when the board has none to ask.
        missing: why a member is unknown, by its short name.
        npu_power: "active" or "suspended", and the driver's name and version: beyond the JSON document.
    """

    board: str
    t_unix_s: float
    link: str
    uptime_s: float | None = None
    npu_load_percent: tuple[int, ...] | None = None
    npu_source: str = "none"
    npu_active_cores: tuple[int, ...] | None = None
    npu_hz: int | None = None
    cpu_load_percent: tuple[float | None, ...] | None = None
    cpu_policies: tuple[CpuPolicy, ...] = ()
    mem_total_bytes: int | None = None
    mem_available_bytes: int | None = None
    swap_used_bytes: int | None = None
    ddr_load_percent: int | None = None
    ddr_hz: int | None = None
    gpu_load_percent: int | None = None
    temps_c: Mapping[str, float] = field(default_factory=dict)
    throttled_by: tuple[str, ...] | None = None
    processes: tuple[ProcessMemory, ...] = ()
    serving: ServingFigures | None = None
    missing: Mapping[str, str] = field(default_factory=dict)
    npu_power: str | None = None
    npu_driver: str | None = None
    npu_driver_version: str | None = None

    @property
    def is_up(self) -> bool:
        """Whether the board answered."""
        return self.link == UP

    def to_json(self) -> dict[str, JsonValue]:
        """Return the result document of `rkdeck monitor --json`."""
        return {
            "board": self.board,
            "t_unix_s": self.t_unix_s,
            "uptime_s": self.uptime_s,
            "npu_load_percent": _list(self.npu_load_percent),
            "npu_source": self.npu_source,
            "npu_active_cores": _list(self.npu_active_cores),
            "npu_hz": self.npu_hz,
            "cpu_load_percent": _list(self.cpu_load_percent),
            "cpu_policies": [
                {"cpus": _list(policy.cpus), "hz": policy.hz, "max_hz": policy.max_hz}
                for policy in self.cpu_policies
            ],
            "mem_total_bytes": self.mem_total_bytes,
            "mem_available_bytes": self.mem_available_bytes,
            "swap_used_bytes": self.swap_used_bytes,
            "ddr_load_percent": self.ddr_load_percent,
            "ddr_hz": self.ddr_hz,
            "gpu_load_percent": self.gpu_load_percent,
            "temps_c": dict(self.temps_c),
            "throttled_by": _list(self.throttled_by),
            "processes": [
                {
                    "pid": process.pid,
                    "name": process.name,
                    "rss_bytes": process.rss_bytes,
                    "peak_rss_bytes": process.peak_rss_bytes,
                }
                for process in self.processes
            ],
            "serving": None if self.serving is None else _serving(self.serving),
            "missing": dict(self.missing),
            "link": self.link,
        }


def _serving(figures: ServingFigures) -> dict[str, JsonValue]:
    return {"model": figures.model, "tokens_per_s": figures.tokens_per_s, "ttft_ms": figures.ttft_ms}


def _list(values: tuple[int, ...] | tuple[float | None, ...] | tuple[str, ...] | None) -> JsonValue:
    return None if values is None else list(values)
