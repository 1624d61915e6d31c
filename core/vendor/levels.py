"""The levels of precision RKDeck estimates, analyses and converts to: data from `resources/dtypes.toml`.

What may be done with a level is asked of its properties. Its name is for people and for the toolkit: nothing in the
house reads meaning out of it.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Literal, cast, get_args

from core.base import tomldata
from core.base.errors import RKDeckError, UsageError

_FILE = "dtypes.toml"
Kind = Literal["reference", "rkllm"]
Rounding = Literal["none", "float16", "bfloat16", "integer"]
PLAIN_ALGORITHM = "normal"


@dataclass(frozen=True, slots=True)
class Level:
    """One level of precision.

    Attributes:
        name: the `dtype` of the command line, lower case.
        kind: "reference" (every parameter resident, no engine meant) or "rkllm" (a level of the toolkit).
        bits: bits of a linear weight.
        activation_bits: bits of a linear layer's input.
        group_size: weights along the input axis sharing one scale; None is one scale per output channel,
            and no scale at all from 16 bits on.
        rounding: what a linear weight becomes; "none" leaves it as it is.
        algorithms: values of quantized_algorithm the toolkit takes for it.
        baseline: stands for the unquantized model where levels are compared.
        usual: measured where nobody chooses.
        rule_of_thumb_bytes_per_parameter: for the first guess, before any file was read.
        source: where the level is defined.
    """

    name: str
    kind: Kind
    bits: int
    activation_bits: int
    group_size: int | None
    rounding: Rounding
    algorithms: tuple[str, ...]
    baseline: bool
    usual: bool
    rule_of_thumb_bytes_per_parameter: float
    source: str

    @property
    def quantized(self) -> bool:
        """Whether the toolkit makes integers of the weights: its do_quantization."""
        return self.kind == "rkllm" and self.rounding == "integer"


@cache
def load_levels() -> tuple[Level, ...]:
    """Return every level in the file's order, which is the order shown to people.

    Raises:
        RKDeckError: `estimate.bad_data_file` with the key that does not fit.
    """
    return tuple(map(_read, tomldata.subtables(tomldata.load_toml(_FILE), "level", _FILE)))


def get_level(name: str) -> Level:
    """Return the level of that name, upper or lower case.

    Raises:
        UsageError: `quantization.unknown_level` with the names there are.
    """
    wanted = name.strip().lower()
    for level in load_levels():
        if level.name == wanted:
            return level
    known = ", ".join(level.name for level in load_levels())
    raise UsageError("quantization.unknown_level", level=name[:100], known=known)


def comparable_levels() -> tuple[Level, ...]:
    """The levels a model is compared at: the unquantized one and all that the toolkit quantizes to."""
    return tuple(level for level in load_levels() if level.baseline or level.quantized)


def usual_levels() -> tuple[Level, ...]:
    """The levels measured where nobody chooses, the one that loses least first: more bits, then finer groups."""
    usual = (level for level in load_levels() if level.usual)
    return tuple(sorted(usual, key=lambda level: (-level.bits, level.group_size or math.inf)))


def algorithms() -> tuple[str, ...]:
    """Every value of quantized_algorithm some level takes, the plain one first."""
    return tuple(
        dict.fromkeys((PLAIN_ALGORITHM, *(name for level in load_levels() for name in level.algorithms)))
    )


def group_sizes() -> tuple[int, ...]:
    """Every group size a level has, the finest first."""
    return tuple(sorted({level.group_size for level in load_levels() if level.group_size is not None}))


def coarsest_of_each_width(levels: Iterable[Level]) -> tuple[Level, ...]:
    """Of every number of integer bits the level with the largest groups (none at all first), the widest first."""
    found: dict[int, Level] = {}
    for level in levels:
        held = found.get(level.bits)
        if level.rounding == "integer" and (held is None or _coarser(level, held)):
            found[level.bits] = level
    return tuple(found[bits] for bits in sorted(found, reverse=True))


def _coarser(level: Level, other: Level) -> bool:
    if level.group_size is None or other.group_size is None:
        return level.group_size is None and other.group_size is not None
    return level.group_size > other.group_size


def _read(entry: tomldata.Table) -> Level:
    return Level(
        name=tomldata.text(entry, "name", _FILE),
        kind=cast("Kind", _one_of(entry, "kind", get_args(Kind))),
        bits=tomldata.integer(entry, "bits", _FILE),
        activation_bits=tomldata.integer(entry, "activation_bits", _FILE),
        group_size=tomldata.optional_integer(entry, "group_size", _FILE),
        rounding=cast("Rounding", _one_of(entry, "rounding", get_args(Rounding))),
        algorithms=tomldata.texts(entry, "algorithms", _FILE)
        if "algorithms" in entry
        else (PLAIN_ALGORITHM,),
        baseline=tomldata.flag(entry, "baseline", _FILE),
        usual=tomldata.flag(entry, "usual", _FILE),
        rule_of_thumb_bytes_per_parameter=tomldata.number(entry, "rule_of_thumb_bytes_per_parameter", _FILE),
        source=tomldata.text(entry, "source", _FILE),
    )


def _one_of(entry: tomldata.Table, key: str, known: tuple[str, ...]) -> str:
    value = tomldata.text(entry, key, _FILE)
    if value not in known:
        raise RKDeckError(
            "estimate.bad_data_file", file=_FILE, problem=f"{key} is none of {', '.join(known)}"
        )
    return value
