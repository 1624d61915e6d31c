"""The memory a ready-made .rkllm needs, before it is downloaded: from its base model's shape, or from its size."""

from dataclasses import dataclass

from core.base.notes import Note, note
from core.base.units import GIB
from core.estimate.constants import guess_constants
from core.estimate.fit import BoardNow, fit_board
from core.estimate.records import Fit, LevelEstimate, Number
from core.estimate.table import estimate_model
from core.model.facts import ModelFacts
from core.vendor.platforms import Platform, context_limits

# How far the size of a file may lie from what its presumed base would make: other heads, other toolkits.
_SAME_SIZE = 0.15


@dataclass(frozen=True, slots=True)
class ReadyEstimate:
    """What a file needs on a board.

    Attributes:
        ram: peak resident set of the serving process; its basis says whether the base model's shape was known.
        row: the base model's row for the file's level, None when no base was known or its size does not fit.
        fit: the verdict for the board, None when its memory is not known.
        reason: of a guess, how it was made.
    """

    ram: Number
    row: LevelEstimate | None
    fit: Fit | None
    reason: Note | None


def estimate_ready(
    size_bytes: int,
    dtype: str | None,
    platform: Platform,
    *,
    context: int,
    base: ModelFacts | None = None,
    board_ram_bytes: int | None = None,
    now: BoardNow | None = None,
) -> ReadyEstimate:
    """Estimate a file of `size_bytes`.

    Args:
        size_bytes: of the file.
        dtype: its level, None when nothing tells.
        platform: what it was made for.
        context: the largest it was made for, in tokens, or what the user wants to use.
        base: facts of the model it was made from, where that is known.
        board_ram_bytes: MemTotal of the board asked about.
        now: what is free on it.
    """
    bounds = context_limits()
    context = min(max(context // bounds.multiple * bounds.multiple, bounds.min), bounds.max)
    if base is not None and dtype is not None:
        estimate = estimate_model(
            base, platform, context=context, board_ram_bytes=board_ram_bytes, now=now,
            prompt=min(128, context),
        )  # fmt: skip
        row = next((row for row in estimate.rows if row.dtype == dtype), None)
        if row is not None and row.ram is not None and _is_of(row, size_bytes):
            return ReadyEstimate(row.ram, row, row.fit, None)
    ram = _guess(size_bytes, context)
    reason = note("guess_file", low=f"{ram.low / GIB:.1f}", high=f"{ram.high / GIB:.1f}")
    fit = None
    if board_ram_bytes is not None:
        # What a shorter context would save is not known without the model's shape.
        fit = fit_board(int(ram.value), int(ram.high), board_ram_bytes, lambda _context: int(ram.value), now)
        fit = Fit(fit.verdict, fit.reason, None)
    return ReadyEstimate(ram, None, fit, reason)


def _is_of(row: LevelEstimate, size_bytes: int) -> bool:
    expected = row.file_bytes
    return expected is not None and abs(size_bytes / expected - 1) <= _SAME_SIZE


def _guess(size_bytes: int, context: int) -> Number:
    usual = guess_constants()
    low, middle, high = (
        size_bytes * share + context * kv + overhead
        for share, kv, overhead in zip(
            usual.file_share, usual.kv_bytes_per_token, usual.overhead_bytes, strict=True
        )
    )
    return Number(middle, low, high, "extrapolated")
