"""Decode speed of llama.cpp on a board, from what people published of that build on that SoC; else unknown.

A token takes the time its weights take to come from memory, at a rate that depends on how they are stored, and a fixed
time a layer. Rows, constants and their sources are in resources/gguf_speed.toml.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

from core.base import tomldata
from core.estimate.gguf_shape import active_bytes, gguf_shape
from core.estimate.records import Basis, Number
from core.model.gguf import GgufHeader
from core.vendor.gguf_types import tensor_types

_FILE = "gguf_speed.toml"
_BILLION = 1e9
_WIDE_BITS = 8
_FINE_BLOCK = 256
Kind = Literal["wide", "four", "fine"]


@dataclass(frozen=True, slots=True)
class Rate:
    """What is known of a build on a SoC.

    Attributes:
        layer_ms: of one layer.
        gb_per_s: of weights of a kind; a kind of which there is no row is absent.
        low, high: factors of the speed within which its rows lie.
        low_experts, high_experts: the same for mixtures of experts.
        basis: of a forecast.
    """

    soc: str
    build: str
    layer_ms: float
    gb_per_s: Mapping[Kind, float]
    low: float
    high: float
    low_experts: float
    high_experts: float
    basis: Basis


@dataclass(frozen=True, slots=True)
class SpeedRow:
    """One published figure.

    Attributes:
        soc, build: it is of.
        model: as its publisher calls it.
        kind: `q8_0`, `q4_k_m`, ...
        bytes_of: weights that are read for a token, by kind.
        layers: of the model.
        has_experts: whether it is a mixture of experts.
        tokens_per_s: decoding.
        fitted: whether the constants are fitted on it; else it must only lie within the bounds.
    """

    soc: str
    build: str
    model: str
    kind: str
    bytes_of: Mapping[Kind, float]
    layers: int
    has_experts: bool
    tokens_per_s: float
    fitted: bool


def tokens_per_s(header: GgufHeader, soc: str, build: str, *, size_bytes: int) -> Number | None:
    """The decode speed of a short conversation; None where nobody published a figure of that build on that SoC.

    The figures are of threads on the four fast cores alone: slower ones beside them halve the speed.

    Args:
        header: of the file, or of the first part of a split one.
        soc: `rk3588`, ...
        build: as `core.estimate.gguf.builds` names it.
        size_bytes: of the file, or of all its parts together.
    """
    rate, shape = rates().get((soc, build)), gguf_shape(header)
    if rate is None or shape is None:
        return None
    active, share = active_bytes(header), 0.0
    if active is None:
        stated = header.stated_type
        if shape.has_experts or stated is None:
            return None
        active = {stated: float(size_bytes)}
        share = tomldata.number(
            tomldata.subtable(tomldata.load_toml(_FILE), "file", _FILE), "unread_share", _FILE
        )
    by_kind: dict[Kind, float] = {}
    for name, size in active.items():
        by_kind[kind_of(name)] = by_kind.get(kind_of(name), 0.0) + size
    value = speed(rate, by_kind, shape.layers)
    if value is None:
        return None
    basis: Basis = rate.basis if not share and shape.is_plain else "extrapolated"
    low, high = bounds(rate, has_experts=shape.has_experts)
    return Number(value, value * low, value * high / (1 - share), basis)


def bounds(rate: Rate, *, has_experts: bool) -> tuple[float, float]:
    """Factors of the speed within which it lies."""
    return (rate.low_experts, rate.high_experts) if has_experts else (rate.low, rate.high)


def speed(rate: Rate, bytes_of: Mapping[Kind, float], layers: int) -> float | None:
    """Tokens a second; None where there is no row of weights of that kind."""
    total_ms = rate.layer_ms * layers
    for kind, size in bytes_of.items():
        if kind not in rate.gb_per_s:
            return None
        total_ms += 1000 * size / _BILLION / rate.gb_per_s[kind]
    return 1000 / total_ms if total_ms > 0 else None


def kind_of(name: str) -> Kind:
    """How a type's weights come from memory, by the name of a tensor's or a file's type (`q4_k_m`)."""
    types = {each.name: each for each in tensor_types().values()}
    known = types.get(name)
    if known is None:
        return "fine"  # mixtures around K and IQ types
    if known.block_bytes * 8 / known.block_elements >= _WIDE_BITS:
        return "wide"
    return "fine" if known.block_elements == _FINE_BLOCK else "four"


@cache
def rates() -> Mapping[tuple[str, str], Rate]:
    """What is known, by SoC and build."""
    return {(rate.soc, rate.build): rate for rate in map(_rate, _tables("rate"))}


@cache
def speed_rows() -> tuple[SpeedRow, ...]:
    """All published figures that are kept."""
    return tuple(map(_row, _tables("row")))


def _tables(name: str) -> tuple[tomldata.Table, ...]:
    return tomldata.subtables(tomldata.load_toml(_FILE), name, _FILE)


def _rate(table: tomldata.Table) -> Rate:
    names: tuple[Kind, ...] = get_args(Kind)
    known = {
        name: tomldata.number(table, f"{name}_gb_per_s", _FILE)
        for name in names
        if f"{name}_gb_per_s" in table
    }
    return Rate(
        tomldata.text(table, "soc", _FILE),
        tomldata.text(table, "build", _FILE),
        tomldata.number(table, "layer_ms", _FILE),
        known,
        tomldata.number(table, "low", _FILE),
        tomldata.number(table, "high", _FILE),
        tomldata.number(table, "low_experts", _FILE),
        tomldata.number(table, "high_experts", _FILE),
        "extrapolated" if tomldata.flag(table, "weak", _FILE) else "calibrated",
    )


def _row(table: tomldata.Table) -> SpeedRow:
    name = tomldata.text(table, "type", _FILE)
    file = tomldata.subtable(tomldata.load_toml(_FILE), "file", _FILE)
    weights, head = (1e6 * tomldata.number(table, key, _FILE) for key in ("weights_m", "head_m"))
    types = {each.name: each.block_bytes / each.block_elements for each in tensor_types().values()}
    width = types.get(name, tomldata.number(file, "mixture_bits", _FILE) / 8)
    bytes_of: dict[Kind, float] = {}
    head_type = tomldata.text(file, "head_of_four_bits", _FILE) if kind_of(name) == "four" else name
    for kind_name, count in ((name, weights - head), (head_type, head)):
        kind = kind_of(kind_name)
        bytes_of[kind] = bytes_of.get(kind, 0.0) + count * types.get(kind_name, width)
    return SpeedRow(
        tomldata.text(table, "soc", _FILE),
        tomldata.text(table, "build", _FILE),
        tomldata.text(table, "model", _FILE),
        name,
        bytes_of,
        tomldata.integer(table, "layers", _FILE),
        tomldata.flag(table, "experts", _FILE),
        tomldata.number(table, "tokens_per_s", _FILE),
        tomldata.flag(table, "fitted", _FILE),
    )
