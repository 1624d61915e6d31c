"""One look at one board. Every unknown is None; nothing is guessed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, Literal, NamedTuple, TypeVar, cast

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


def _or_none(read: Callable[[JsonValue], Item]) -> Callable[[JsonValue], Item | None]:
    return lambda value: None if value is None else read(value)


def _many(read: Callable[[JsonValue], Item]) -> Callable[[JsonValue], tuple[Item, ...]]:
    return lambda value: tuple(read(item) for item in _items(value))


def _named(read: Callable[[JsonValue], Item]) -> Callable[[JsonValue], dict[str, Item]]:
    return lambda value: {name: read(item) for name, item in _object(value).items()}


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


def _one_of(*allowed: str) -> Callable[[JsonValue], str]:
    def read(value: JsonValue) -> str:
        if value not in allowed:
            raise ValueError(f"not one of {allowed}")
        return _text(value)

    return read


def _whole(value: JsonValue) -> int:
    return foreign.required(foreign.whole(value, -foreign.MAX_WHOLE), "a whole number")


def _number(value: JsonValue) -> float:
    return foreign.required(foreign.number(value), "a number")


def _policy(value: JsonValue) -> CpuPolicy:
    members = _object(value)
    return CpuPolicy(
        _or_none(_many(_whole))(members["cpus"]),
        _or_none(_whole)(members["hz"]),
        _or_none(_whole)(members["max_hz"]),
    )


def _process(value: JsonValue) -> ProcessMemory:
    members = _object(value)
    return ProcessMemory(
        _whole(members["pid"]),
        _text(members["name"]),
        _or_none(_whole)(members["rss_bytes"]),
        _or_none(_whole)(members["peak_rss_bytes"]),
    )


def _figures(value: JsonValue) -> ServingFigures:
    members = _object(value)
    return ServingFigures(
        _text(members["model"]),
        _or_none(_number)(members["tokens_per_s"]),
        _or_none(_number)(members["ttft_ms"]),
    )


Quantity = Literal["load", "clock", "size"]


class Series(NamedTuple):
    """A single figure of a sample that a history keeps.

    Attributes:
        name: of the series.
        field: of `BoardSample`.
        quantity: a load in percent, a clock in Hz, a size in bytes.
        component: what it is of, a name of its own in every language; the charts of loads and of clocks draw those
            that have one.
    """

    name: str
    field: str
    quantity: Quantity
    component: str = ""


class _Member(NamedTuple):
    """How a field travels: its reader, whether it is beyond the JSON document, what (series, ...) is kept of it."""

    read: Callable[[JsonValue], object]
    beyond: bool = False
    kept: tuple[str, Quantity, str] | None = None


def _as(read: Callable[[JsonValue], object], *, beyond: bool = False) -> dict[str, _Member]:
    return {"member": _Member(read, beyond)}


def _kept(name: str, quantity: Quantity, component: str = "") -> dict[str, _Member]:
    """A whole number, or None, of which a history keeps the series `name`."""
    return {"member": _Member(_or_none(_whole), kept=(name, quantity, component))}


@dataclass(frozen=True, slots=True)
class BoardSample:
    """One sample. A field is declared here and nowhere else: JSON, wire and history read its metadata.

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

    board: str = field(metadata=_as(_text))
    t_unix_s: float = field(metadata=_as(_number))
    link: str = field(metadata=_as(_one_of(UP, DOWN)))
    uptime_s: float | None = field(default=None, metadata=_as(_or_none(_number)))
    npu_load_percent: tuple[int, ...] | None = field(default=None, metadata=_as(_or_none(_many(_whole))))
    npu_source: str = field(default="none", metadata=_as(_one_of("debugfs", "proc", "none")))
    npu_active_cores: tuple[int, ...] | None = field(default=None, metadata=_as(_or_none(_many(_whole))))
    npu_hz: int | None = field(default=None, metadata=_kept("npu_hz", "clock", "NPU"))
    cpu_load_percent: tuple[float | None, ...] | None = field(
        default=None, metadata=_as(_or_none(_many(_or_none(_number))))
    )
    cpu_policies: tuple[CpuPolicy, ...] = field(default=(), metadata=_as(_many(_policy)))
    mem_total_bytes: int | None = field(default=None, metadata=_kept("mem_total_bytes", "size"))
    mem_available_bytes: int | None = field(default=None, metadata=_as(_or_none(_whole)))
    swap_used_bytes: int | None = field(default=None, metadata=_kept("swap_used_bytes", "size"))
    ddr_load_percent: int | None = field(default=None, metadata=_kept("ddr_load", "load", "DDR"))
    ddr_hz: int | None = field(default=None, metadata=_kept("ddr_hz", "clock", "DDR"))
    gpu_load_percent: int | None = field(default=None, metadata=_kept("gpu_load", "load", "GPU"))
    temps_c: Mapping[str, float] = field(default_factory=dict, metadata=_as(_named(_number)))
    throttled_by: tuple[str, ...] | None = field(default=None, metadata=_as(_or_none(_many(_text))))
    processes: tuple[ProcessMemory, ...] = field(default=(), metadata=_as(_many(_process)))
    serving: ServingFigures | None = field(default=None, metadata=_as(_or_none(_figures)))
    missing: Mapping[str, str] = field(default_factory=dict, metadata=_as(_named(_text)))
    npu_power: str | None = field(default=None, metadata=_as(_or_none(_text), beyond=True))
    npu_driver: str | None = field(default=None, metadata=_as(_or_none(_text), beyond=True))
    npu_driver_version: str | None = field(default=None, metadata=_as(_or_none(_text), beyond=True))
    link_error: Mapping[str, JsonValue] | None = field(
        default=None, metadata=_as(_or_none(_object), beyond=True)
    )

    @property
    def is_up(self) -> bool:
        """Whether the board answered."""
        return self.link == UP

    def to_json(self) -> dict[str, JsonValue]:
        """Return the result document of `rkdeck monitor --json`."""
        document = {
            name: _told(getattr(self, name)) for name, member in _MEMBERS.items() if not member.beyond
        }
        # Last, as the document has had it from the first version on.
        document["link"] = document.pop("link")
        return document

    def to_wire(self) -> dict[str, JsonValue]:
        """Return the whole record for another process: the document and what is beyond it."""
        beyond = {name: _told(getattr(self, name)) for name, member in _MEMBERS.items() if member.beyond}
        return {**self.to_json(), **beyond}


_MEMBERS: dict[str, _Member] = {item.name: item.metadata["member"] for item in fields(BoardSample)}
SERIES = tuple(
    Series(member.kept[0], name, *member.kept[1:])
    for name, member in _MEMBERS.items()
    if member.kept is not None
)


def _told(value: object) -> JsonValue:
    if isinstance(value, tuple):
        return [_told(item) for item in value]
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, CpuPolicy | ProcessMemory | ServingFigures):
        return {item.name: _told(getattr(value, item.name)) for item in fields(value)}
    return cast("JsonValue", value)


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
        found: dict[str, Any] = {name: member.read(members[name]) for name, member in _MEMBERS.items()}
    except KeyError as error:
        raise ValueError(f"no member {error}") from error
    return BoardSample(**found)
