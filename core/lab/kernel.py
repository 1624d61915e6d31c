"""The error of several schemes on a block of weights at once, in few passes over memory that stays in the cache.

A block is whole output channels, held transposed: (unit, groups), where a unit is a run of weights along the
input axis that divides every group size. So the parameters of a group lie along the long axis and each step
is one contiguous pass at full width; numpy over short rows costs ten times as much.

No zero point appears here: Z is a whole number, so it moves the grid by whole steps and leaves the distance of
a weight to its nearest step as it is. That distance, in units of S, is f = round(W / S) - W / S, and the error
is S x f. (Clipping touches only ties at the end of a range, where both neighbours are half a step away.)
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from core.lab.scheme import Scheme
from core.quantization.affine import Float32, integer_range
from core.quantization.approximate import round_to_bfloat16
from core.quantization.storage import Stored, widen_into

Float64 = npt.NDArray[np.float64]

# A weight beyond so many standard deviations of its channel; 0.006 % of a bell curve are.
OUTLIER_SIGMAS = 4.0
# 1 MiB of float32, three such buffers a thread: small enough for caches, large enough that handing Python's
# lock from thread to thread does not outweigh the work.
BLOCK_WEIGHTS = 1 << 18
_UNIT = 32  # the toolkit's smallest group, which divides the others
# Largest weights for which neither squares nor the squares of errors leave float32's range.
_SENSIBLE = (2.0**-24, 2.0**24)
# float32 sums of larger weights overflow.
LARGEST = 2.0**126
_SMALLEST_SCALE = float(np.finfo(np.float32).tiny)


@dataclass(slots=True)
class SchemeSums:
    """What was added up for one scheme.

    Attributes:
        noise: sum of squared errors; cross: sum of weight x error.
        largest: largest absolute error.
        worst_channel, worst_ratio: the output channel with the largest noise per signal; None before any.
        overflow: weights that the scheme cannot hold (beyond float16); the other figures then mean nothing.
    """

    noise: float = 0.0
    cross: float = 0.0
    largest: float = 0.0
    worst_channel: int | None = None
    worst_ratio: float = 0.0
    overflow: int = 0

    def add(self, other: "SchemeSums") -> None:
        """Add another part of the same tensor."""
        self.noise += other.noise
        self.cross += other.cross
        self.largest = max(self.largest, other.largest)
        self.overflow += other.overflow
        if other.worst_channel is not None and other.worst_ratio > self.worst_ratio:
            self.worst_channel, self.worst_ratio = other.worst_channel, other.worst_ratio


@dataclass(slots=True)
class Sums:
    """What was added up over weights.

    Attributes:
        signal: sum of squared weights.
        outliers: weights beyond `OUTLIER_SIGMAS` root mean squares of their channel.
        not_finite: NaN and infinite weights, and those beyond 2^126; if any, the other figures mean nothing.
    """

    weights: int = 0
    signal: float = 0.0
    lowest: float = math.inf
    highest: float = -math.inf
    outliers: int = 0
    not_finite: int = 0
    schemes: list[SchemeSums] = field(default_factory=list)

    def add(self, other: "Sums") -> None:
        """Add another part of the same tensor, measured with the same schemes."""
        self.weights += other.weights
        self.signal += other.signal
        self.lowest = min(self.lowest, other.lowest)
        self.highest = max(self.highest, other.highest)
        self.outliers += other.outliers
        self.not_finite += other.not_finite
        if not self.schemes:
            self.schemes = [SchemeSums() for _ in other.schemes]
        for mine, theirs in zip(self.schemes, other.schemes, strict=True):
            mine.add(theirs)


class Workspace:
    """The buffers of one thread."""

    def __init__(self) -> None:
        self._memory: tuple[Float32, ...] = tuple(np.empty(0, np.float32) for _ in range(3))

    def buffers(self, shape: tuple[int, int]) -> tuple[Float32, ...]:
        """Three float32 arrays of a shape, their contents undefined; the same memory on every call.

        Fresh memory for each step would cost page faults, and threads wait for each other there.
        """
        count = shape[0] * shape[1]
        if self._memory[0].size < count:
            self._memory = tuple(np.empty(count, np.float32) for _ in range(3))
        return tuple(buffer[:count].reshape(shape) for buffer in self._memory)


def unit_for(inputs: int) -> int:
    """Return the run of weights that divides every group size of the toolkit; without groups, what divides the row."""
    if inputs % _UNIT == 0:
        return _UNIT
    return next((unit for unit in range(2 * _UNIT, 7, -1) if inputs % unit == 0), inputs)


def rows_per_block(inputs: int) -> int:
    """Return how many output channels make a block."""
    return max(1, BLOCK_WEIGHTS // max(1, inputs))


def measure_rows(
    stored: Stored, dtype: str, first_row: int, schemes: Sequence[Scheme], work: Workspace
) -> Sums:
    """Measure whole output channels.

    Args:
        stored: (rows, inputs) as the file holds them, not empty.
        dtype: of the file.
        first_row: number of the first channel in its tensor.
        schemes: whose group sizes divide `inputs`.
        work: of this thread.
    """
    rows, inputs = stored.shape
    unit = unit_for(inputs)
    weights, residual, spare = work.buffers((unit, rows * inputs // unit))
    if unit == inputs:
        widen_into(stored.T, dtype, weights)
    else:
        widen_into(stored.reshape(-1, unit).T, dtype, weights)
    lows, highs = weights.min(axis=0), weights.max(axis=0)
    sums = Sums(rows * inputs)
    lowest, highest = float(lows.min()), float(highs.max())
    # NaN compares as false either way.
    if not (lowest >= -LARGEST and highest <= LARGEST):
        sums.not_finite = int(np.count_nonzero(~(np.abs(weights) <= LARGEST)))
        sums.schemes = [SchemeSums() for _ in schemes]
        return sums
    sums.lowest, sums.highest = lowest, highest
    lift = _lift(max(-lowest, highest))
    if lift != 1:
        for array in (weights, lows, highs):
            np.multiply(array, np.float32(lift), out=array)
    power: Float64 = np.einsum("ij,ij->j", weights, weights).astype(np.float64).reshape(rows, -1).sum(axis=1)
    sums.signal = float(power.sum()) / lift**2
    sums.outliers = _outliers(weights, lows, highs, power / inputs)
    # One comparison for all schemes: a channel of zeros has no noise either.
    divisor = np.where(power > 0, power, 1.0)
    for scheme in schemes:
        noise, found = _scheme_sums(scheme, (weights, residual, spare), lows, highs, (rows, inputs), lift)
        ratio = noise / divisor
        worst = int(ratio.argmax())
        found.noise, found.worst_ratio = float(noise.sum()) / lift**2, float(ratio[worst])
        found.cross /= lift**2
        found.largest /= lift
        found.worst_channel = first_row + worst if found.worst_ratio > 0 else None
        sums.schemes.append(found)
    return sums


def _scheme_sums(
    scheme: Scheme,
    buffers: tuple[Float32, Float32, Float32],
    lows: Float32,
    highs: Float32,
    shape: tuple[int, int],
    lift: float,
) -> tuple[Float64, SchemeSums]:
    """Return the noise of each channel, and the sums but for noise and worst channel; all of lifted weights."""
    weights, residual, spare = buffers
    found = SchemeSums()
    if scheme.rounding == "integer":
        scales = _scales(scheme, lows, highs, shape, len(weights))
        np.multiply(weights, np.float32(1) / scales, out=spare)
        np.rint(spare, out=residual)
        np.subtract(residual, spare, out=residual)
    else:
        scales = np.ones(lows.shape, np.float32)
        found.overflow = _round_float(scheme, weights, residual, spare, lift)
    exact = scales.astype(np.float64)
    found.cross = float(np.einsum("ij,ij->j", weights, residual).astype(np.float64) @ exact)
    np.multiply(residual, residual, out=residual)
    found.largest = float(np.max(np.sqrt(residual.max(axis=0)) * scales))
    noise: Float64 = residual.sum(axis=0).astype(np.float64) * exact * exact
    return noise.reshape(shape[0], -1).sum(axis=1), found


def _lift(largest: float) -> float:
    """Return the power of two that keeps squares inside float32; 1 for the weights of any sensible model."""
    if largest == 0 or _SENSIBLE[0] <= largest <= _SENSIBLE[1]:
        return 1.0
    return math.ldexp(1.0, max(-126, min(126, -math.frexp(largest)[1])))


def _round_float(scheme: Scheme, weights: Float32, residual: Float32, spare: Float32, lift: float) -> int:
    """Write rounded weights minus weights; returns how many the narrower float cannot hold."""
    np.multiply(weights, np.float32(1 / lift), out=spare)
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = round_to_bfloat16(spare) if scheme.rounding == "bfloat16" else spare.astype(np.float16)
        np.subtract(rounded, spare, out=residual)
    overflow = int(np.count_nonzero(~np.isfinite(residual)))
    if overflow:
        residual[:] = 0
    np.multiply(residual, np.float32(lift), out=residual)
    return overflow


def _scales(scheme: Scheme, lows: Float32, highs: Float32, shape: tuple[int, int], unit: int) -> Float32:
    """Return S of each unit, by the rule of `core.quantization.affine`; one group's units share their S."""
    rows, inputs = shape
    blocks = rows if scheme.group_size is None else rows * (inputs // scheme.group_size)
    units = rows * inputs // unit // blocks
    low = np.minimum(_fold(lows, units, np.minimum), 0).astype(np.float64)
    high = np.maximum(_fold(highs, units, np.maximum), 0).astype(np.float64)
    top = integer_range(scheme.bits, symmetric=scheme.symmetric)[1]
    exact = (np.maximum(-low, high) if scheme.symmetric else high - low) / top
    scales = np.where(exact > 0, np.maximum(exact, _SMALLEST_SCALE), 1.0).astype(np.float32)
    return np.repeat(scales, units)


def _fold(values: Float32, count: int, extreme: np.ufunc) -> Float32:
    """Return the extreme of each `count` neighbours, halving first: numpy is slow over short rows."""
    while count % 2 == 0:
        values, count = extreme(values[0::2], values[1::2]), count // 2
    return values if count == 1 else extreme.reduce(values.reshape(-1, count), axis=1)


def _outliers(weights: Float32, lows: Float32, highs: Float32, mean_square: Float64) -> int:
    """Count weights far out in their channel; only units that hold one are looked at."""
    limits = np.repeat(OUTLIER_SIGMAS * np.sqrt(mean_square), len(lows) // len(mean_square)).astype(
        np.float32
    )
    with_outliers = np.flatnonzero(np.maximum(-lows, highs) > limits)
    if not with_outliers.size:
        return 0
    return int(np.count_nonzero(np.abs(weights[:, with_outliers]) > limits[with_outliers]))
