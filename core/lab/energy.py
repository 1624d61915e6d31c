"""Energy to move the bytes of one token: an estimate from a published figure for the memory, nothing measured."""

from dataclasses import dataclass
from functools import cache

from core.base import tomldata
from core.base.errors import JsonValue
from core.estimate.constants import memory_constants
from core.model.shape import ModelShape
from core.vendor.levels import Level

_FILE = "lab.toml"
# The two floats (S and Z) a grouped level reads beside each group of weights.
_GROUP_BYTES = 4
_PJ_PER_J = 1e12


@dataclass(frozen=True, slots=True)
class EnergyPerBit:
    """What moving one bit to or from memory takes, in picojoule, with bounds and where it is published."""

    pj: float
    pj_low: float
    pj_high: float
    source: str


@dataclass(frozen=True, slots=True)
class TokenEnergy:
    """Memory traffic of one token and the energy it takes; an estimate, without what computing takes.

    Attributes:
        bytes_moved: weights a token reads, their scales, and the keys and values of its context.
        joules: with bounds; divide 3600 x watt-hours of a battery by it for tokens.
    """

    bytes_moved: int
    joules: float
    joules_low: float
    joules_high: float

    def to_json(self) -> dict[str, JsonValue]:
        """Return the document's member."""
        return {
            "bytes_moved": self.bytes_moved,
            "joules": self.joules,
            "joules_low": self.joules_low,
            "joules_high": self.joules_high,
            "basis": "extrapolated",
        }


@cache
def energy_per_bit() -> EnergyPerBit:
    """Return the published figure of resources/lab.toml."""
    table = tomldata.subtable(tomldata.load_toml(_FILE), "energy", _FILE)
    return EnergyPerBit(
        pj=tomldata.number(table, "pj_per_bit", _FILE),
        pj_low=tomldata.number(table, "pj_per_bit_low", _FILE),
        pj_high=tomldata.number(table, "pj_per_bit_high", _FILE),
        source=tomldata.text(table, "source", _FILE),
    )


def token_energy(shape: ModelShape, level: Level, context_tokens: int) -> TokenEnergy | None:
    """Estimate one token's energy at a level.

    Args:
        shape: the model.
        level: how its linear weights are stored.
        context_tokens: tokens whose keys and values are read, in 16 bits.

    Returns:
        None when the model's keys and values are not known.
    """
    if shape.kv_elements_per_token is None:
        return None
    weights = shape.w_active * level.bits / 8
    if level.group_size is not None:
        weights += shape.w_active / level.group_size * _GROUP_BYTES
    cache_bytes = memory_constants().kv_element * shape.kv_elements_per_token * context_tokens
    moved = round(weights + cache_bytes)
    per_bit = energy_per_bit()
    bits = moved * 8 / _PJ_PER_J
    return TokenEnergy(moved, bits * per_bit.pj, bits * per_bit.pj_low, bits * per_bit.pj_high)
