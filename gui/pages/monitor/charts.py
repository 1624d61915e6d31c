"""Which charts there are, what each shows, and in which units."""

from collections.abc import Callable
from dataclasses import dataclass

from core.base.units import GIB
from core.monitor.sample import SERIES, BoardSample, Missing, Quantity
from core.words import missing_name
from gui.text import language, noop, tr

_MHZ = 1e6


@dataclass(frozen=True, slots=True)
class Line:
    """One series of a chart.

    Attributes:
        series: its name in the history.
        text: what it is called.
        factor: multiplies the stored value.
    """

    series: str
    text: str
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class ChartSpec:
    """One chart.

    Attributes:
        key: its name, also of the widget.
        unit: of its axis.
        top: fixed upper end of the axis; None: as the values are.
        lines: the series a board has by now.
        missing: the member of `BoardSample.missing` that says why there is nothing.
    """

    key: str
    title: str
    unit: str
    top: float | None
    lines: Callable[[tuple[str, ...], BoardSample | None], list[Line]]
    missing: str
    digits: int = 0


def _npu(names: tuple[str, ...], _sample: BoardSample | None) -> list[Line]:
    return [
        Line(name, tr("core {n}", n=name[3:]))
        for name in names
        if name.startswith("npu") and name[3:].isdigit()
    ]


def _speed(names: tuple[str, ...], _sample: BoardSample | None) -> list[Line]:
    return [Line("tokens_per_s", tr("decode"))] if "tokens_per_s" in names else []


def _memory(names: tuple[str, ...], _sample: BoardSample | None) -> list[Line]:
    texts = {"mem_used_bytes": tr("in use"), "model_rss_bytes": tr("model"), "mem_total_bytes": tr("total")}
    return [Line(name, text, 1 / GIB) for name, text in texts.items() if name in names]


def _temperature(names: tuple[str, ...], _sample: BoardSample | None) -> list[Line]:
    zones = [name for name in names if name.startswith("temp:")]
    return [Line(name, name[5:].removesuffix("-thermal").removesuffix("_thermal")) for name in zones[:8]]


def _components(quantity: Quantity, names: tuple[str, ...], factor: float = 1.0) -> list[Line]:
    return [
        Line(series.name, series.component, factor)
        for series in SERIES
        if series.quantity == quantity and series.component and series.name in names
    ]


def _clocks(names: tuple[str, ...], _sample: BoardSample | None) -> list[Line]:
    cpus = [name for name in names if name.startswith("cpu_hz:")]
    return _components("clock", names, 1 / _MHZ) + [Line(name, f"CPU {name[7:]}", 1 / _MHZ) for name in cpus]


def _cpu(names: tuple[str, ...], _sample: BoardSample | None) -> list[Line]:
    all_cpus = [Line("cpu", tr("all CPUs"))] if "cpu" in names else []
    return all_cpus + _components("load", names)


CHARTS = (
    ChartSpec("npu", noop("NPU load"), "%", 100.0, _npu, "npu_load"),
    ChartSpec("speed", noop("Speed"), "tokens/s", None, _speed, "serving", 1),
    ChartSpec("memory", noop("Memory"), "GiB", None, _memory, "mem", 2),
    ChartSpec("temperature", noop("Temperature"), "°C", 110.0, _temperature, "temps"),
    ChartSpec("clocks", noop("Clocks"), "MHz", None, _clocks, "npu_hz"),
    ChartSpec("cpu", noop("CPU, DDR and GPU load"), "%", 100.0, _cpu, "cpu_load"),
)


def why_missing(spec: ChartSpec, sample: BoardSample | None) -> str:
    """Why a chart has no lines, in words."""
    if sample is None:
        return tr("waiting for the first sample")
    if not sample.is_up:
        return tr("the board does not answer")
    if spec.key == "speed":
        return tr("nothing is served, or nothing was asked yet")
    return missing_name(sample.missing.get(spec.missing) or Missing.NOT_HERE, language())
