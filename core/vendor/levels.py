"""The levels of precision RKDeck estimates, analyses and converts to: data from `resources/dtypes.toml`."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal, cast

from core.base.errors import UsageError

Kind = Literal["reference", "rkllm"]


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
        rule_of_thumb_bytes_per_parameter: for the first guess, before any file was read.
        source: where the level is defined.
    """

    name: str
    kind: Kind
    bits: int
    activation_bits: int
    group_size: int | None
    rule_of_thumb_bytes_per_parameter: float
    source: str


@cache
def load_levels() -> tuple[Level, ...]:
    """Return every level in the file's order, which is the order shown to people."""
    text = (resources.files("resources") / "dtypes.toml").read_text("utf-8")
    return tuple(_read(entry) for entry in tomllib.loads(text)["level"])


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


def _read(entry: dict[str, Any]) -> Level:
    return Level(
        name=str(entry["name"]),
        kind=cast("Kind", entry["kind"]),
        bits=int(entry["bits"]),
        activation_bits=int(entry["activation_bits"]),
        group_size=entry.get("group_size"),
        rule_of_thumb_bytes_per_parameter=float(entry["rule_of_thumb_bytes_per_parameter"]),
        source=str(entry["source"]),
    )
