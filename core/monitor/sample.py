"""One look at one board. Every unknown is None; nothing is guessed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from core.base import foreign
from core.base.errors import JsonValue, RKDeckError
from core.monitor.values import ProcessMemory

UP, DOWN = "up", "down"


class Missing(StrEnum):
    """Why a figure is not there.

    The values are the codes by which front ends find their words (translations/*/names.toml, `missing`). They read
    like words because the document of `rkdeck monitor --json` has had them from the first version on.
    """

    NEEDS_ROOT = "needs root"
    NO_DRIVER = "no NPU driver"
    NO_RKNPU = "the rocket driver has no load"
    OLD_DRIVER = "the driver is too old"
    NOT_HERE = "not on this board"
    NO_ANSWER = "no answer"
    SHELL_ENDED = "the shell ended"
    CONNECTION_LOST = "connection lost"


Item = TypeVar("Item")


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
        link_error: wire form of the error (`RKDeckError.to_json`) that keeps the link down, where there is one;
            beyond the JSON document, whose `missing["link"]` is its code.
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
    link_error: Mapping[str, JsonValue] | None = None

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

    def to_wire(self) -> dict[str, JsonValue]:
        """Return the whole record for another process: the document and what is beyond it."""
        return {
            **self.to_json(),
            "npu_power": self.npu_power,
            "npu_driver": self.npu_driver,
            "npu_driver_version": self.npu_driver_version,
            "link_error": None if self.link_error is None else dict(self.link_error),
        }


def _serving(figures: ServingFigures) -> dict[str, JsonValue]:
    return {"model": figures.model, "tokens_per_s": figures.tokens_per_s, "ttft_ms": figures.ttft_ms}


def _list(values: tuple[int, ...] | tuple[float | None, ...] | tuple[str, ...] | None) -> JsonValue:
    return None if values is None else list(values)


def down_sample(board: str, t_unix_s: float, error: RKDeckError) -> BoardSample:
    """The sample of a board that `error` keeps from answering."""
    return BoardSample(board, t_unix_s, DOWN, missing={"link": error.code}, link_error=error.to_json())


def sample_from_json(value: object) -> BoardSample:
    """Read what `BoardSample.to_wire` wrote.

    Raises:
        ValueError: a member is missing, or is not what that method writes.
    """
    members = _object(value)
    try:
        return BoardSample(
            board=_text(members["board"]),
            t_unix_s=_number(members["t_unix_s"]),
            link=_one_of(members["link"], UP, DOWN),
            uptime_s=_or_none(members["uptime_s"], _number),
            npu_load_percent=_or_none(members["npu_load_percent"], _wholes),
            npu_source=_one_of(members["npu_source"], "debugfs", "proc", "none"),
            npu_active_cores=_or_none(members["npu_active_cores"], _wholes),
            npu_hz=_or_none(members["npu_hz"], _whole),
            cpu_load_percent=_or_none(members["cpu_load_percent"], _shares),
            cpu_policies=tuple(_policy(item) for item in _items(members["cpu_policies"])),
            mem_total_bytes=_or_none(members["mem_total_bytes"], _whole),
            mem_available_bytes=_or_none(members["mem_available_bytes"], _whole),
            swap_used_bytes=_or_none(members["swap_used_bytes"], _whole),
            ddr_load_percent=_or_none(members["ddr_load_percent"], _whole),
            ddr_hz=_or_none(members["ddr_hz"], _whole),
            gpu_load_percent=_or_none(members["gpu_load_percent"], _whole),
            temps_c={name: _number(item) for name, item in _object(members["temps_c"]).items()},
            throttled_by=_or_none(members["throttled_by"], _texts),
            processes=tuple(_process(item) for item in _items(members["processes"])),
            serving=_or_none(members["serving"], _figures),
            missing={name: _text(item) for name, item in _object(members["missing"]).items()},
            npu_power=_or_none(members["npu_power"], _text),
            npu_driver=_or_none(members["npu_driver"], _text),
            npu_driver_version=_or_none(members["npu_driver_version"], _text),
            link_error=_or_none(members["link_error"], _object),
        )
    except KeyError as error:
        raise ValueError(f"no member {error}") from error


def _or_none(value: JsonValue, read: Callable[[JsonValue], Item]) -> Item | None:
    return None if value is None else read(value)


def _object(value: object) -> dict[str, JsonValue]:
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004  # a wrong document is one kind of error, whatever it holds
    return value


def _items(value: JsonValue) -> list[JsonValue]:
    if not isinstance(value, list):
        raise ValueError("not a list")  # noqa: TRY004  # as above
    return value


def _text(value: JsonValue) -> str:
    if not isinstance(value, str):
        raise ValueError("not a text")  # noqa: TRY004  # as above
    return value


def _one_of(value: JsonValue, *allowed: str) -> str:
    if value not in allowed:
        raise ValueError(f"not one of {allowed}")
    return _text(value)


def _whole(value: JsonValue) -> int:
    found = foreign.whole(value, -foreign.MAX_WHOLE)
    if found is None:
        raise ValueError("not a whole number")
    return found


def _number(value: JsonValue) -> float:
    found = foreign.number(value)
    if found is None:
        raise ValueError("not a number")
    return found


def _wholes(value: JsonValue) -> tuple[int, ...]:
    return tuple(_whole(item) for item in _items(value))


def _texts(value: JsonValue) -> tuple[str, ...]:
    return tuple(_text(item) for item in _items(value))


def _shares(value: JsonValue) -> tuple[float | None, ...]:
    return tuple(_or_none(item, _number) for item in _items(value))


def _policy(value: JsonValue) -> CpuPolicy:
    members = _object(value)
    return CpuPolicy(
        _or_none(members["cpus"], _wholes),
        _or_none(members["hz"], _whole),
        _or_none(members["max_hz"], _whole),
    )


def _process(value: JsonValue) -> ProcessMemory:
    members = _object(value)
    return ProcessMemory(
        _whole(members["pid"]),
        _text(members["name"]),
        _or_none(members["rss_bytes"], _whole),
        _or_none(members["peak_rss_bytes"], _whole),
    )


def _figures(value: JsonValue) -> ServingFigures:
    members = _object(value)
    return ServingFigures(
        _text(members["model"]),
        _or_none(members["tokens_per_s"], _number),
        _or_none(members["ttft_ms"], _number),
    )
