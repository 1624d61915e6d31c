"""What a linear weight becomes at a level, and how far that is from the original."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from core.quantization.affine import Float32, QuantizationError, dequantize, quantize_linear
from core.vendor.levels import Level


@dataclass(frozen=True, slots=True)
class ErrorMeasures:
    """Distance between a tensor and its approximation.

    Attributes:
        mse: mean squared error.
        sqnr_db: signal to noise, 10 log10(mean square / mse); None when the error or the signal is 0.
        cosine: cosine of the angle between both; None when one of them is all zero.
        max_abs_error: largest absolute difference.
    """

    mse: float
    sqnr_db: float | None
    cosine: float | None
    max_abs_error: float


def approximate(weights: npt.NDArray[np.floating[Any]], level: Level) -> Float32:
    """Return a matrix (outputs, inputs) as the level represents it, in float32.

    Raises:
        QuantizationError: as `core.quantization.affine.quantize`; `quantization.not_finite` also where a
        weight
            is beyond float16.
    """
    if level.rounding == "none":
        return np.asarray(weights, np.float32)
    if level.rounding == "integer":
        return dequantize(quantize_linear(weights, level.bits, level.group_size))
    return round_to_bfloat16(weights) if level.rounding == "bfloat16" else _round_to_float16(weights)


def measure(
    original: npt.NDArray[np.floating[Any]], approximation: npt.NDArray[np.floating[Any]]
) -> ErrorMeasures:
    """Compare two arrays of the same shape, summing in float64."""
    first = np.asarray(original, np.float32)
    second = np.asarray(approximation, np.float32)
    error = first - second
    signal, noise, power = (float(np.sum(np.square(x, dtype=np.float64))) for x in (first, error, second))
    product = float(np.sum(np.multiply(first, second, dtype=np.float64)))
    return ErrorMeasures(
        mse=noise / error.size,
        sqnr_db=10 * math.log10(signal / noise) if signal and noise else None,
        cosine=product / math.sqrt(signal * power) if signal and power else None,
        max_abs_error=float(np.max(np.abs(error))),
    )


def bfloat16_to_float32(raw: npt.NDArray[np.uint16]) -> Float32:
    """Widen the 16 stored bits of bfloat16 (numpy has no such type); exact."""
    return (raw.astype(np.uint32) << 16).view(np.float32)


def round_to_bfloat16(values: npt.NDArray[np.floating[Any]]) -> Float32:
    """Round to the nearest bfloat16, ties to even, and return it as float32; NaN stays NaN."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> 16) & np.uint32(1))) & np.uint32(0xFFFF0000)
    return np.where(np.isnan(values), np.float32(np.nan), rounded.view(np.float32))


def _round_to_float16(values: npt.NDArray[np.floating[Any]]) -> Float32:
    with np.errstate(over="ignore"):
        rounded = np.asarray(values).astype(np.float16).astype(np.float32)
    if not np.isfinite(rounded).all():
        raise QuantizationError("quantization.not_finite", count=int(np.sum(~np.isfinite(rounded))))
    return rounded
