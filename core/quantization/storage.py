"""Weights as safetensors files store them, widened to float32.

Types are the format's own names. What they hold: F64, F32, F16 are IEEE 754; BF16 is the upper half of a
float32; F8_E4M3 (bias 7, no infinities, NaN is S.1111.111) and F8_E5M2 (the upper byte of a float16) are those
of Micikevicius et al., "FP8 Formats for Deep Learning", arXiv 2209.05433. All bytes are little-endian.
"""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from core.quantization.affine import Float32, QuantizationError

FLOAT_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1}
_STORED = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "F8_E4M3": "u1", "F8_E5M2": "u1"}

Stored = npt.NDArray[Any]


def bytes_per_weight(dtype: str) -> int:
    """Return the bytes one stored weight takes.

    Raises:
        QuantizationError: `quantization.stored_dtype` for a type that holds no real numbers, or that is not
            known.
    """
    if dtype not in FLOAT_BYTES:
        raise QuantizationError("quantization.stored_dtype", dtype=dtype[:20])
    return FLOAT_BYTES[dtype]


def as_stored(raw: bytes | bytearray | memoryview | npt.NDArray[np.uint8], dtype: str) -> Stored:
    """View raw bytes as an array of stored weights, flat and without a copy.

    Raises:
        QuantizationError: `quantization.stored_dtype`, `quantization.stored_length` when the bytes are no
            whole number of weights.
    """
    size = bytes_per_weight(dtype)
    flat = np.frombuffer(raw, np.uint8)
    if flat.size % size:
        raise QuantizationError("quantization.stored_length", bytes=int(flat.size), dtype=dtype)
    return flat.view(_STORED[dtype])


def widen_into(stored: Stored, dtype: str, out: Float32) -> None:
    """Write stored weights as float32 into `out` of the same shape; either may be strided.

    Exact for every type but F64, which is rounded (and overflows to infinity beyond float32).
    """
    if dtype == "BF16":
        bits = out.view(np.uint32)
        np.copyto(bits, stored)
        np.left_shift(bits, 16, out=bits)
    elif dtype in {"F8_E4M3", "F8_E5M2"}:
        np.copyto(out, _eight_bit_values(dtype)[stored])
    else:
        with np.errstate(over="ignore", invalid="ignore"):
            np.copyto(out, stored, casting="same_kind")


def to_float32(raw: bytes | bytearray | memoryview | npt.NDArray[np.uint8], dtype: str) -> Float32:
    """Return raw bytes as a flat float32 array of its own.

    Raises:
        QuantizationError: as `as_stored`.
    """
    stored = as_stored(raw, dtype)
    out = np.empty(stored.shape, np.float32)
    widen_into(stored, dtype, out)
    return out


@cache
def _eight_bit_values(dtype: str) -> Float32:
    codes = np.arange(256, dtype=np.uint16)
    if dtype == "F8_E5M2":
        with np.errstate(invalid="ignore"):
            return (codes << 8).view(np.float16).astype(np.float32)
    exponent, mantissa = (codes >> 3) & 0x0F, (codes & 0x07).astype(np.float32)
    powers = np.exp2(np.maximum(exponent, 1).astype(np.float32) - 7)
    values = np.where(exponent > 0, 1 + mantissa / 8, mantissa / 8).astype(np.float32) * powers
    values[(codes & 0x7F) == 0x7F] = np.nan
    signed: Float32 = np.where(codes & 0x80, -values, values).astype(np.float32)
    return signed
