"""How a linear weight is rounded: to integers of a scheme, or to a narrower float."""

from dataclasses import dataclass
from typing import Literal

from core.base.errors import UsageError
from core.quantization.affine import is_symmetric
from core.vendor.levels import Level, comparable_levels, get_level, group_sizes

Rounding = Literal["integer", "float16", "bfloat16"]


@dataclass(frozen=True, slots=True)
class Scheme:
    """One way to store linear weights (outputs, inputs).

    Attributes:
        bits: 4 or 8 for integers, 16 for floats.
        group_size: weights along the input axis that share S and Z; None: all inputs of an output channel.
        rounding: integers as `core.quantization.affine` makes them, or a float.
    """

    bits: int
    group_size: int | None = None
    rounding: Rounding = "integer"

    @property
    def symmetric(self) -> bool:
        """Whether Z is always 0."""
        return is_symmetric(self.bits)

    def divides(self, inputs: int) -> bool:
        """Whether rows of so many inputs can be cut into whole groups."""
        return self.group_size is None or inputs % self.group_size == 0


def scheme(bits: int, group_size: int | None = None) -> Scheme:
    """Return a scheme of whole numbers as sliders choose it.

    Raises:
        UsageError: `lab.bits` unless 4 or 8, `lab.group_size` unless None or one of `core.vendor.levels.group_sizes`.
    """
    if bits not in {4, 8}:
        raise UsageError("lab.bits", bits=bits)
    if group_size is not None and group_size not in group_sizes():
        raise UsageError("lab.group_size", group_size=group_size, known=", ".join(map(str, group_sizes())))
    return Scheme(bits, group_size)


def scheme_of(level: Level) -> Scheme | None:
    """Return how a level stores linear weights; None for one that rounds nothing away."""
    if level.rounding == "none":
        return None
    return Scheme(level.bits, level.group_size, level.rounding)


def level_scheme(name: str) -> Scheme:
    """Return the scheme of a level by its name.

    Raises:
        UsageError: `quantization.unknown_level`; `lab.no_rounding` for a level that rounds nothing.
    """
    found = scheme_of(get_level(name))
    if found is None:
        raise UsageError("lab.no_rounding", level=name[:100])
    return found


def analysed_levels() -> tuple[Level, ...]:
    """The levels an analysis compares, in the order shown: the unquantized one and the toolkit's own.

    Left out are names for weights that an earlier level already has: they differ in activations only.
    """
    seen: set[Scheme] = set()
    found = []
    for level in comparable_levels():
        key = scheme_of(level)
        if key is not None and key not in seen:
            seen.add(key)
            found.append(level)
    return tuple(found)
