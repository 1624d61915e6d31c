"""Which level to convert to: a suggestion from the errors of the weights, with what it costs.

A rule of thumb over SQNR (resources/lab.toml), not a promise: activations and calibration count as well, which
is what perplexity is measured for.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from core.base import tomldata
from core.base.errors import JsonValue, RKDeckError
from core.base.names import printable
from core.estimate.records import LevelEstimate
from core.estimate.table import estimate_model
from core.lab.analysis import Analysis, add_up
from core.lab.energy import TokenEnergy, token_energy
from core.lab.errors import LevelError, TensorErrors
from core.model.facts import ModelFacts
from core.model.shape import build_shape
from core.vendor.levels import Level, get_level
from core.vendor.platforms import Platform

_FILE = "lab.toml"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The thresholds of resources/lab.toml, in dB, and shares of the weights."""

    good_8_bits_db: float
    good_4_bits_db: float
    usable_4_bits_db: float
    worth_db: float
    largest_share: float
    step: float


@dataclass(frozen=True, slots=True)
class Price:
    """What a level costs on a platform. None is unknown.

    Attributes:
        sqnr_db: of all linear weights together.
        ram_bytes: peak memory of the serving process; file_bytes: of the .rkllm file.
        tokens_per_s: of decoding, as the vendor measures. energy: of one token, an estimate.
    """

    dtype: str
    sqnr_db: float | None
    ram_bytes: int | None
    file_bytes: int | None
    tokens_per_s: float | None
    energy: TokenEnergy | None

    def to_json(self) -> dict[str, JsonValue]:
        """Return the document's member."""
        return {
            "dtype": self.dtype,
            "sqnr_db": self.sqnr_db,
            "ram_bytes": self.ram_bytes,
            "file_bytes": self.file_bytes,
            "tokens_per_s": self.tokens_per_s,
            "energy": self.energy.to_json() if self.energy else None,
        }


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What to convert to.

    Attributes:
        dtype: the toolkit's quantized_dtype.
        hybrid_rate: share of the weights to hold in groups, 0 for none; partner: the grouped level they get.
        reason: why; its code is `lab.advice_*`, it is never raised.
        price: of the suggestion; with a hybrid rate between the prices of both levels, by the share.
        prices: of every level the platform takes and the analysis has, in the order shown.
    """

    platform: str
    dtype: str
    hybrid_rate: float
    partner: str | None
    reason: RKDeckError
    price: Price
    prices: tuple[Price, ...]


@cache
def thresholds() -> Thresholds:
    """Return the thresholds."""
    table = tomldata.subtable(tomldata.load_toml(_FILE), "advice", _FILE)
    return Thresholds(
        *(
            tomldata.number(table, key, _FILE)
            for key in (
                "good_8_bits_db", "good_4_bits_db", "usable_4_bits_db", "worth_db", "largest_share", "step",
            )
        )
    )  # fmt: skip


def suggest(
    analysis: Analysis, facts: ModelFacts, platform: Platform, *, context: int = 4096
) -> Suggestion | None:
    """Suggest a level for a platform, None when the platform takes none of the measured ones.

    Raises:
        RKDeckError: as `core.estimate.table.estimate_model`.
    """
    prices = level_prices(analysis, facts, platform, context=context)
    rows = {price.dtype: price for price in prices}
    found = _suggest_4_bits(analysis, rows) or _suggest_8_bits(analysis, rows)
    if found is None:
        return None
    dtype, partner, rate, reason = found
    price = rows[dtype] if partner is None else _between(analysis, rows[dtype], rows[partner], rate)
    return Suggestion(platform.name, dtype, rate, partner, reason, price, prices)


def level_prices(
    analysis: Analysis, facts: ModelFacts, platform: Platform, *, context: int = 4096
) -> tuple[Price, ...]:
    """Return what each measured level costs that the toolkit makes of this model for this platform.

    Raises:
        RKDeckError: as `core.estimate.table.estimate_model`.
    """
    shape, estimate = build_shape(facts), estimate_model(facts, platform, context=context)
    return tuple(
        _price(row, analysis.level(row.dtype), token_energy(shape, get_level(row.dtype), estimate.prompt))
        for row in estimate.rows
        if row.supported and analysis.level(row.dtype) is not None
    )


def _price(row: LevelEstimate, error: LevelError | None, energy: TokenEnergy | None) -> Price:
    return Price(
        dtype=row.dtype,
        sqnr_db=error.sqnr_db if error else None,
        ram_bytes=int(row.ram.value) if row.ram else None,
        file_bytes=row.file_bytes,
        tokens_per_s=row.tokens_per_s.value if row.tokens_per_s else None,
        energy=energy,
    )


_Found = tuple[str, str | None, float, RKDeckError]


def _suggest_4_bits(analysis: Analysis, rows: dict[str, Price]) -> _Found | None:
    """The coarsest 4-bit level that is good enough; None leaves it to 8 bits."""
    levels = _levels(rows, bits=4)
    if not levels:
        return None
    for level in levels:
        if _good(rows[level.name], thresholds().good_4_bits_db):
            if level.group_size is None:
                reason = RKDeckError("lab.advice_plain_4", sqnr_db=_db(rows[level.name]))
            else:
                reason = RKDeckError(
                    "lab.advice_groups_4",
                    group_size=level.group_size,
                    sqnr_db=_db(rows[level.name]),
                    good_db=thresholds().good_4_bits_db,
                )
            mixed = _mixed(analysis, rows, levels[0], level, thresholds().good_4_bits_db)
            return mixed or (level.name, None, 0.0, reason)
    finest = levels[-1]
    has_8_bits = bool(_levels(rows, bits=8))
    if has_8_bits and not _good(rows[finest.name], thresholds().usable_4_bits_db):
        return None
    wanted_db = thresholds().good_4_bits_db
    reason = RKDeckError("lab.advice_finest_4", sqnr_db=_db(rows[finest.name]), good_db=wanted_db)
    return finest.name, None, 0.0, reason


def _suggest_8_bits(analysis: Analysis, rows: dict[str, Price]) -> _Found | None:
    levels = _levels(rows, bits=8)
    if not levels:
        return None
    plain, good = levels[0], thresholds().good_8_bits_db
    four = _levels(rows, bits=4)
    if four:
        finest = rows[four[-1].name]
        reason = RKDeckError("lab.advice_8_not_4", four_db=_db(finest), sqnr_db=_db(rows[plain.name]))
        return plain.name, None, 0.0, reason
    if _good(rows[plain.name], good) or len(levels) == 1:
        return plain.name, None, 0.0, RKDeckError("lab.advice_plain_8", sqnr_db=_db(rows[plain.name]))
    grouped = next((level for level in levels[1:] if _good(rows[level.name], good)), levels[-1])
    gain = (rows[grouped.name].sqnr_db or 0.0) - (rows[plain.name].sqnr_db or 0.0)
    if gain < thresholds().worth_db:
        reason = RKDeckError(
            "lab.advice_groups_not_worth", sqnr_db=_db(rows[plain.name]), gain_db=round(gain, 1)
        )
        return plain.name, None, 0.0, reason
    mixed = _mixed(analysis, rows, plain, grouped, good)
    reason = RKDeckError(
        "lab.advice_groups_8",
        plain_db=_db(rows[plain.name]),
        group_size=grouped.group_size,
        sqnr_db=_db(rows[grouped.name]),
    )
    return mixed or (grouped.name, None, 0.0, reason)


def _mixed(
    analysis: Analysis, rows: dict[str, Price], plain: Level, grouped: Level, good_db: float
) -> _Found | None:
    """Groups only for the tensors that need them most, when they are few and the whole is then good enough.

    Which weights the toolkit takes for a hybrid_rate is not documented; that it takes the worst is assumed.
    """
    if plain.group_size is not None or grouped.group_size is None:
        return None
    tensors = [tensor for tensor in analysis.tensors if tensor.problem is None]
    worst_first = sorted(tensors, key=lambda tensor: _sqnr(tensor, plain.name))
    total, taken = sum(tensor.weights for tensor in tensors), 0
    for count, tensor in enumerate(worst_first, start=1):
        taken += tensor.weights
        if taken > thresholds().largest_share * total:
            return None
        whole = mixture(worst_first, count, plain.name, grouped.name)
        if whole.sqnr_db is None or whole.sqnr_db >= good_db:
            rate = round(math.ceil(taken / total / thresholds().step) * thresholds().step, 4)
            reason = RKDeckError(
                "lab.advice_mixed",
                percent=round(100 * rate),
                group_size=grouped.group_size,
                plain_db=_db(rows[plain.name]),
                sqnr_db=round(whole.sqnr_db or good_db, 1),
                tensor=printable(worst_first[0].name),
            )
            return plain.name, grouped.name, rate, reason
    return None


def mixture(worst_first: Sequence[TensorErrors], count: int, plain: str, grouped: str) -> LevelError:
    """Return the error of a model with its first `count` tensors in groups and the others without."""
    parts = [
        part
        for place, tensor in enumerate(worst_first)
        if (part := tensor.level(grouped if place < count else plain)) is not None
    ]
    return add_up(f"{plain}+{grouped}", parts)


def _between(analysis: Analysis, plain: Price, grouped: Price, rate: float) -> Price:
    """Memory, and time a token, by the share of each; nothing of it was measured."""

    def mixed(first: float | None, second: float | None) -> float | None:
        return None if first is None or second is None else first + rate * (second - first)

    ram, size = mixed(plain.ram_bytes, grouped.ram_bytes), mixed(plain.file_bytes, grouped.file_bytes)
    seconds = mixed(_seconds(plain), _seconds(grouped))
    tensors = [tensor for tensor in analysis.tensors if tensor.problem is None]
    worst_first = sorted(tensors, key=lambda tensor: _sqnr(tensor, plain.dtype))
    total, taken, count = sum(tensor.weights for tensor in tensors), 0, 0
    while count < len(worst_first) and taken + worst_first[count].weights <= rate * total:
        taken, count = taken + worst_first[count].weights, count + 1
    return Price(
        dtype=plain.dtype,
        sqnr_db=mixture(worst_first, count, plain.dtype, grouped.dtype).sqnr_db,
        ram_bytes=None if ram is None else round(ram),
        file_bytes=None if size is None else round(size),
        tokens_per_s=None if seconds is None else 1 / seconds,
        energy=plain.energy,
    )


def _levels(rows: dict[str, Price], bits: int) -> list[Level]:
    """The levels of so many bits there is a price for, the coarsest (and cheapest) first."""
    found = [get_level(name) for name in rows if get_level(name).bits == bits]
    return sorted(found, key=lambda level: -(level.group_size or math.inf))


def _good(price: Price, limit_db: float) -> bool:
    # No noise at all has no decibels, and is the best there is.
    return price.sqnr_db is None or price.sqnr_db >= limit_db


def _db(price: Price) -> float | None:
    return None if price.sqnr_db is None else round(price.sqnr_db, 1)


def _sqnr(tensor: TensorErrors, dtype: str) -> float:
    error = tensor.level(dtype)
    return math.inf if error is None or error.sqnr_db is None else error.sqnr_db


def _seconds(price: Price) -> float | None:
    return 1 / price.tokens_per_s if price.tokens_per_s else None
