"""Reading an analysis: which layers suffer, what groups buy, the map of layers and kinds."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from core.lab.analysis import Analysis, add_up
from core.lab.errors import LevelError, TensorErrors
from core.vendor.levels import Level, coarsest_of_each_width, get_level

# S and Z of a group, as the file keeps them.
_GROUP_BITS = 32


@dataclass(frozen=True, slots=True)
class Gain:
    """What a group size buys over one scale per channel, at the same bits.

    Attributes:
        sqnr_db: with it; gain_db: more than without; None when nothing is lost.
        extra_bits: per weight, for S and Z of each group; extra_bytes: over all weights.
    """

    dtype: str
    group_size: int
    sqnr_db: float | None
    gain_db: float | None
    extra_bits: float
    extra_bytes: int


@dataclass(frozen=True, slots=True)
class HeatMap:
    """SQNR in dB by layer and kind of tensor.

    Attributes:
        layers: rows, None is what belongs to no layer (the head). kinds: columns, in the order of the model.
        cells: dB, `cells[row][column]`; None where there is no such tensor, or nothing is lost.
        names: of the tensors behind the cells; experts of one kind share a cell, and the first of them is named.
        lowest, highest: of all cells, None when there are no figures.
    """

    dtype: str
    layers: tuple[int | None, ...]
    kinds: tuple[str, ...]
    cells: tuple[tuple[float | None, ...], ...]
    names: tuple[tuple[str | None, ...], ...]
    lowest: float | None
    highest: float | None


def plain_levels(analysis: Analysis) -> tuple[Level, ...]:
    """Return the coarsest measured level of each width in bits, the widest first."""
    return coarsest_of_each_width(get_level(level.dtype) for level in analysis.levels)


def hardest(analysis: Analysis) -> str:
    """Return the level with the fewest bits and the coarsest scales; empty when none of integers was measured."""
    plain = plain_levels(analysis)
    return plain[-1].name if plain else ""


def suffering(analysis: Analysis, dtype: str | None = None, count: int = 5) -> tuple[TensorErrors, ...]:
    """Return the tensors with the lowest SQNR at a level (None: the hardest), the worst first."""
    dtype = dtype or hardest(analysis)
    found = [
        (error.sqnr_db, place, tensor)
        for place, tensor in enumerate(analysis.tensors)
        if (error := tensor.level(dtype)) is not None and error.sqnr_db is not None
    ]
    return tuple(tensor for _, _, tensor in sorted(found, key=lambda entry: entry[:2])[:count])


def by_layer(analysis: Analysis, dtype: str | None = None) -> tuple[tuple[int | None, LevelError], ...]:
    """Return each layer's error at a level (None: the hardest), all tensors together, the worst first.

    Layer None holds the head.
    """
    dtype = dtype or hardest(analysis)
    held: dict[int | None, list[LevelError]] = {}
    for tensor in analysis.tensors:
        error = tensor.level(dtype)
        if error is not None:
            held.setdefault(tensor.layer, []).append(error)
    found = [(layer, add_up(dtype, parts)) for layer, parts in held.items()]
    return tuple(sorted(found, key=lambda entry: math.inf if entry[1].sqnr_db is None else entry[1].sqnr_db))


def group_gains(analysis: Analysis, plain: str | None = None) -> tuple[Gain, ...]:
    """Return what each group size buys over a level without groups (None: the hardest), the finest first."""
    plain = plain or hardest(analysis)
    if not plain:
        return ()
    base, bits = analysis.level(plain), get_level(plain).bits
    gains = []
    for level in analysis.levels:
        known = get_level(level.dtype)
        if base is None or known.bits != bits or known.group_size is None:
            continue
        gain = (
            level.sqnr_db - base.sqnr_db if level.sqnr_db is not None and base.sqnr_db is not None else None
        )
        extra = _GROUP_BITS / known.group_size
        extra_bytes = round(extra * level.weights / 8)
        gains.append(Gain(level.dtype, known.group_size, level.sqnr_db, gain, extra, extra_bytes))
    return tuple(sorted(gains, key=lambda gain: gain.group_size))


def heat_map(analysis: Analysis, dtype: str | None = None) -> HeatMap:
    """Return the map of a level (None: the hardest)."""
    dtype = dtype or hardest(analysis)
    tensors = analysis.tensors
    layers = sorted({tensor.layer for tensor in tensors}, key=lambda layer: (layer is None, layer or 0))
    kinds = tuple(dict.fromkeys(tensor.kind for tensor in tensors))
    held: dict[tuple[int | None, str], list[TensorErrors]] = {}
    for tensor in tensors:
        held.setdefault((tensor.layer, tensor.kind), []).append(tensor)
    cells = tuple(tuple(_cell(held.get((layer, kind), ()), dtype) for kind in kinds) for layer in layers)
    names = tuple(tuple(_first(held.get((layer, kind), ())) for kind in kinds) for layer in layers)
    figures = [cell for row in cells for cell in row if cell is not None]
    lowest, highest = (min(figures), max(figures)) if figures else (None, None)
    return HeatMap(dtype, tuple(layers), kinds, cells, names, lowest, highest)


def _cell(tensors: Iterable[TensorErrors], dtype: str) -> float | None:
    parts = [part for tensor in tensors if (part := tensor.level(dtype)) is not None]
    return add_up(dtype, parts).sqnr_db if parts else None


def _first(tensors: Iterable[TensorErrors]) -> str | None:
    return next((tensor.name for tensor in tensors), None)
