"""One glance at a model: whether it fits a board, at which level; first guessed, then from its headers."""

from collections.abc import Iterable
from dataclasses import dataclass

from core.base.notes import Note, note
from core.base.units import format_bytes
from core.boards.doctor.findings import Verdict
from core.estimate.constants import guess_constants
from core.estimate.fit import judge_memory
from core.estimate.records import Estimate, Fits, LevelEstimate
from core.estimate.table import other_weights
from core.fitness.room import VERDICT_OF
from core.model.files import WeightsKind
from core.vendor.architectures import find_architecture, find_by_model_type
from core.vendor.levels import Level, get_level
from core.vendor.platforms import Platform

_RANKS: dict[Fits | None, int] = {"yes": 0, "tight": 1, None: 2, "no": 3}
# Their parameters say little of their memory: tables that are looked up and never loaded, expanded keys and values.
_NOT_BY_PARAMETERS = frozenset({"per-layer-embedding", "mla"})


@dataclass(frozen=True, slots=True)
class Badge:
    """Whether some level of a model fits.

    Attributes:
        fits: in memory, at the best level; None when what is known does not decide it.
        dtype: the best level; None when no level is possible.
        ram_bytes: its expected need.
        ram_low_bytes, ram_high_bytes: its bounds.
        exact: computed from the model's headers; else guessed from its number of parameters.
        reason: why, None when nothing more is known than the verdict.
    """

    fits: Fits | None
    dtype: str | None
    ram_bytes: int | None
    ram_low_bytes: int | None
    ram_high_bytes: int | None
    exact: bool
    reason: Note | None

    @property
    def verdict(self) -> Verdict:
        """In the words of every judgement."""
        return VERDICT_OF[self.fits] if self.fits is not None else "unknown"


def estimate_badge(estimate: Estimate) -> Badge:
    """The badge of an estimate that was made for a board."""
    rows = [row for row in estimate.rows if row.kind == "rkllm" and row.supported and row.bits <= 8]
    if not rows:
        refused = next((row.reason for row in estimate.rows if row.kind == "rkllm" and row.reason), None)
        return Badge("no", None, None, None, None, True, refused)
    best = min(rows, key=_preference)
    fit, ram = best.fit, best.ram
    return Badge(
        fits=fit.verdict if fit is not None else None,
        dtype=best.dtype,
        ram_bytes=int(ram.value) if ram else None,
        ram_low_bytes=int(ram.low) if ram else None,
        ram_high_bytes=int(ram.high) if ram else None,
        exact=True,
        reason=fit.reason if fit is not None else None,
    )


def _preference(row: LevelEstimate) -> tuple[int, int, bool, int]:
    """The verdict first; then more bits, no groups (they are slower), less memory."""
    verdict = row.fit.verdict if row.fit is not None else None
    grouped = get_level(row.dtype).group_size is not None
    return _RANKS[verdict], -row.bits, grouped, int(row.ram.value) if row.ram else 0


def guess_badge(
    parameters: int | None,
    architectures: Iterable[str],
    platform: Platform,
    *,
    context: int,
    board_ram_bytes: int | None,
    model_type: str | None = None,
    weights: WeightsKind | None = None,
    quantization: str | None = None,
) -> Badge:
    """The badge before anything of the model was read; a verdict only where the bounds agree.

    Args:
        parameters: as the Hub counts them, None when it does not.
        architectures: classes of its config.json, as far as the Hub tells them.
        platform: the board's SoC.
        context: in tokens.
        board_ram_bytes: MemTotal of the board.
        model_type: what config.json says of itself, asked where it names no class.
        weights: a form the toolkit is not given, as far as the Hub tells.
        quantization: how the weights are packed already.
    """
    reason = other_weights(weights, quantization)
    if reason is not None:
        return Badge("no", None, None, None, None, False, reason)
    classes = tuple(architectures)
    names, find = (classes, find_architecture) if classes else ((), find_by_model_type)
    if not classes and model_type is not None:
        names = (model_type,)
    kinds = [kind for name in names if (kind := find(name)) is not None]
    if names and not kinds:
        return Badge("no", None, None, None, None, False, note("architecture", architecture=names[0]))
    if any(kind.family in _NOT_BY_PARAMETERS for kind in kinds):
        return Badge(None, None, None, None, None, False, None)
    levels = [level for level in platform.levels if level.quantized]
    if not parameters or parameters < 0 or not levels:
        return Badge(None, None, None, None, None, False, None)
    # The same rule as for an estimate: the verdict, then more bits, then no groups.
    levels.sort(key=lambda level: (-level.bits, level.group_size is not None))
    return min((_guess(parameters, level, context, board_ram_bytes) for level in levels), key=_rank)


def _rank(badge: Badge) -> int:
    return _RANKS[badge.fits]


def _guess(parameters: int, level: Level, context: int, board_ram_bytes: int | None) -> Badge:
    usual = guess_constants()
    low, middle, high = (
        round(parameters * level.bits / 8 * share + context * kv + overhead)
        for share, kv, overhead in zip(
            usual.resident_share, usual.kv_bytes_per_token, usual.overhead_bytes, strict=True
        )
    )
    verdict: Fits | None = None
    if board_ram_bytes is not None:
        at_best, at_worst = judge_memory(low, low, board_ram_bytes), judge_memory(high, high, board_ram_bytes)
        verdict = at_best if at_best == at_worst else None
    reason = note("guess", low=format_bytes(low), high=format_bytes(high))
    return Badge(verdict, level.name, middle, low, high, False, reason)
