"""The memory a finished .rkllm file needs: from its model's shape where that is known, else guessed from its size."""

from core.estimate.constants import guess_constants
from core.estimate.records import LevelEstimate, Number
from core.estimate.table import estimate_model
from core.model.facts import ModelFacts
from core.model.need import ServedNeed
from core.model.shape import ModelShape
from core.vendor.platforms import Platform, context_limits

# How far the size of a file may lie from what its presumed base would make: other heads, other toolkits.
_SAME_SIZE = 0.15


def need_of(
    facts: ModelFacts,
    platform: Platform,
    dtype: str,
    *,
    context: int,
    cores: int | None = None,
    shape: ModelShape | None = None,
    size_bytes: int | None = None,
) -> ServedNeed | None:
    """What a file made of a model needs; None when the estimate has no memory for that level.

    Args:
        facts: of the model.
        platform: it is, or was, made for.
        dtype: its level.
        context: it is made for, or that is wanted, in tokens; one the toolkit cannot make is moved to the next it can.
        cores: NPU cores it is made for; None, and more than the SoC has, is all.
        shape: of `facts`, if it was built before.
        size_bytes: of a file only said to be made of this model; None also when it cannot be by its size.

    Raises:
        RKDeckError: as `core.estimate.table.estimate_model`.
    """
    context = _possible(context)
    cores = cores if cores is not None and 1 <= cores <= platform.npu_cores_max else None
    estimate = estimate_model(
        facts, platform, context=context, cores=cores, prompt=min(128, context), shape=shape
    )
    row = next((row for row in estimate.rows if row.dtype == dtype), None)
    if row is None or row.ram is None or (size_bytes is not None and not _is_of(row, size_bytes)):
        return None
    low, high = int(row.ram.low), int(row.ram.high)
    calibrated = row.ram.basis == "calibrated"
    return ServedNeed(int(row.ram.value), low, high, row.npu_bytes, context, calibrated)


def guess_ram(size_bytes: int, context: int) -> Number:
    """Peak resident set of the serving process, guessed from a file's size.

    Args:
        size_bytes: of the file.
        context: in tokens.
    """
    usual, context = guess_constants(), _possible(context)
    low, middle, high = (
        size_bytes * share + context * kv + overhead
        for share, kv, overhead in zip(
            usual.file_share, usual.kv_bytes_per_token, usual.overhead_bytes, strict=True
        )
    )
    return Number(middle, low, high, "extrapolated")


def _possible(context: int) -> int:
    bounds = context_limits()
    return min(max(context // bounds.multiple * bounds.multiple, bounds.min), bounds.max)


def _is_of(row: LevelEstimate, size_bytes: int) -> bool:
    expected = row.file_bytes
    return expected is not None and abs(size_bytes / expected - 1) <= _SAME_SIZE
