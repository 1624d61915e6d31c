"""Affine and symmetric integer quantization of linear weights, self-contained (standard library and numpy).

Weights are two-dimensional (outputs, inputs), as `torch.nn.Linear` stores them. The parameters S (scale) and
Z (zero point) belong to the whole tensor, to each output row ("channel"), or to each run of `group_size`
weights along the input axis, which is the last one. Conventions:

    W_int = clip(round_half_even(W / S) + Z, qmin, qmax)        W ~ (W_int - Z) * S

    affine      qmin = 0, qmax = 2^bits - 1; S = (high - low) / qmax with low = min(W, 0), high = max(W, 0);
                Z = round_half_even(-low / S): zero is represented exactly
    symmetric   qmax = 2^(bits-1) - 1, qmin = -qmax, S = max|W| / qmax, Z = 0

Every weight is inside the represented range, so |W - (W_int - Z) * S| <= S / 2 up to float32 rounding. A
channel or group of zeros gets S = 1 and comes back as zeros.
"""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Granularity = Literal["tensor", "channel", "group"]
Float32 = npt.NDArray[np.float32]
Nibbles = npt.NDArray[np.uint8]
Bytes: TypeAlias = npt.NDArray[np.uint8] | npt.NDArray[np.int8]

_LARGEST = float(2.0**126)
_SMALLEST_SCALE = float(np.finfo(np.float32).tiny)


class QuantizationError(ValueError):
    """Input that cannot be quantized; `code` names the reason, `facts` the numbers behind it."""

    def __init__(self, code: str, **facts: int | str) -> None:
        super().__init__(code, facts)
        self.code = code
        self.facts = facts


@dataclass(frozen=True, slots=True)
class Quantized:
    """A quantized weight matrix.

    Attributes:
        values: integers of shape `shape`, one byte each; uint8 when affine, int8 when symmetric.
        scale: float32; () per tensor, (outputs,) per channel, (outputs, inputs / group_size) per group.
        zero_point: same shape as `scale`, same type as `values`; all zero when symmetric.
        bits: 4 or 8.
        group_size: weights in a group along the input axis, None per tensor and per channel.
        shape: (outputs, inputs).
    """

    values: Bytes
    scale: Float32
    zero_point: Bytes
    bits: int
    group_size: int | None
    shape: tuple[int, int]


def quantize(
    weights: npt.NDArray[np.floating[Any]],
    bits: int,
    *,
    granularity: Granularity = "channel",
    group_size: int | None = None,
    symmetric: bool = False,
) -> Quantized:
    """Quantize a matrix (outputs, inputs) to 4 or 8 bits.

    Raises:
        QuantizationError: `quantization.bits`, `quantization.shape` (not a filled matrix),
            `quantization.group_size` (missing, not wanted, or not a divisor of the inputs),
            `quantization.not_finite`, `quantization.too_large` (above 2^126, where float32 sums overflow).
    """
    _check_bits(bits)
    checked = _checked(weights)
    outputs, inputs = checked.shape
    blocks = _blocks(checked, granularity, group_size)
    scale, zero = _symmetric_mapping(blocks, bits) if symmetric else _affine_mapping(blocks, bits)
    low, high = integer_range(bits, symmetric=symmetric)
    integers = np.rint(blocks / scale[..., None])
    integers += zero[..., None].astype(np.float32)
    np.clip(integers, low, high, out=integers)
    form: dict[Granularity, tuple[int, ...]] = {"tensor": (), "channel": (outputs,), "group": scale.shape}
    return Quantized(
        values=_as_bytes(integers, symmetric=symmetric).reshape(outputs, inputs),
        scale=scale.reshape(form[granularity]),
        zero_point=_as_bytes(zero, symmetric=symmetric).reshape(form[granularity]),
        bits=bits,
        group_size=group_size,
        shape=(outputs, inputs),
    )


def dequantize(quantized: Quantized) -> Float32:
    """Return (W_int - Z) * S as float32 of shape (outputs, inputs)."""
    outputs, inputs = quantized.shape
    if quantized.scale.ndim == 0:
        blocks = quantized.values.reshape(1, 1, outputs * inputs)
    else:
        blocks = quantized.values.reshape(outputs, -1, quantized.group_size or inputs)
    form = blocks.shape[:2]
    real = blocks.astype(np.float32)
    real -= quantized.zero_point.astype(np.float32).reshape(form)[..., None]
    real *= quantized.scale.reshape(form)[..., None]
    return real.reshape(outputs, inputs)


def quantize_linear(
    weights: npt.NDArray[np.floating[Any]], bits: int, group_size: int | None = None
) -> Quantized:
    """Quantize a linear layer as RKDeck does everywhere: per channel, or per group if a group size is given.

    Symmetric or affine as `is_symmetric` says of the width.
    """
    granularity: Granularity = "channel" if group_size is None else "group"
    return quantize(
        weights, bits, granularity=granularity, group_size=group_size, symmetric=is_symmetric(bits)
    )


def is_symmetric(bits: int) -> bool:
    """Whether RKDeck keeps integers of so many bits symmetric: its own rule, for the vendor's is not published.

    8 bits are (integer products need no correction for an offset), 4 bits are affine (with 16 levels, leaving
    none unused matters more).
    """
    return bits == 8


def integer_range(bits: int, *, symmetric: bool) -> tuple[int, int]:
    """Return (qmin, qmax)."""
    _check_bits(bits)
    if symmetric:
        return -(2 ** (bits - 1) - 1), 2 ** (bits - 1) - 1
    return 0, 2**bits - 1


def pack_int4(values: Bytes) -> Nibbles:
    """Pack 4-bit integers, in C order, two a byte, the first in the low nibble; an odd end is filled with 0.

    int8 values (-8..7) are stored as two's complement nibbles, uint8 values (0..15) as they are.

    Raises:
        QuantizationError: `quantization.nibble_range` for a value that needs more than four bits.
    """
    flat = values.reshape(-1)
    low, high = (-8, 7) if flat.dtype == np.int8 else (0, 15)
    if flat.size and (int(flat.min()) < low or int(flat.max()) > high):
        raise QuantizationError("quantization.nibble_range", lowest=int(flat.min()), highest=int(flat.max()))
    nibbles = np.zeros(flat.size + flat.size % 2, np.uint8)
    nibbles[: flat.size] = flat.view(np.uint8) & 0x0F
    packed: Nibbles = nibbles[0::2] | (nibbles[1::2] << np.uint8(4))
    return packed


def unpack_int4(packed: Nibbles, count: int, *, signed: bool = False) -> Bytes:
    """Return the first `count` integers of `pack_int4`, flat; int8 when `signed`, else uint8.

    Raises:
        QuantizationError: `quantization.packed_length` when `packed` is not exactly as long as `count` needs.
    """
    if count < 0 or packed.size != (count + 1) // 2:
        raise QuantizationError("quantization.packed_length", count=count, bytes=int(packed.size))
    nibbles = np.empty(packed.size * 2, np.uint8)
    nibbles[0::2] = packed.reshape(-1) & 0x0F
    nibbles[1::2] = packed.reshape(-1) >> 4
    if signed:
        # Shifting up and back extends the sign of a nibble.
        return _sign_extended(nibbles)[:count]
    return nibbles[:count]


def _sign_extended(nibbles: Nibbles) -> npt.NDArray[np.int8]:
    shifted: npt.NDArray[np.int8] = (nibbles << 4).view(np.int8)
    return shifted >> 4


def _as_bytes(integers: Float32, *, symmetric: bool) -> Bytes:
    return integers.astype(np.int8) if symmetric else integers.astype(np.uint8)


def _check_bits(bits: int) -> None:
    if bits not in {4, 8}:
        raise QuantizationError("quantization.bits", bits=bits)


def _checked(weights: npt.NDArray[np.floating[Any]]) -> Float32:
    if weights.ndim != 2 or weights.size == 0:
        raise QuantizationError("quantization.shape", shape=str(tuple(weights.shape)))
    largest = float(np.max(np.abs(weights)))
    if not np.isfinite(largest):
        raise QuantizationError("quantization.not_finite", count=int(np.sum(~np.isfinite(weights))))
    if largest > _LARGEST:
        raise QuantizationError("quantization.too_large", largest=f"{largest:.3g}")
    return np.ascontiguousarray(weights, np.float32)


def _blocks(weights: Float32, granularity: Granularity, group_size: int | None) -> Float32:
    """Return the weights as (rows, blocks, weights of one block); one scale belongs to each block."""
    outputs, inputs = weights.shape
    if granularity != "group":
        if group_size is not None:
            raise QuantizationError("quantization.group_size", group_size=group_size, inputs=inputs)
        return weights.reshape(1, 1, -1) if granularity == "tensor" else weights.reshape(outputs, 1, inputs)
    if group_size is None or group_size <= 0 or inputs % group_size:
        raise QuantizationError("quantization.group_size", group_size=group_size or 0, inputs=inputs)
    return weights.reshape(outputs, inputs // group_size, group_size)


def _symmetric_mapping(blocks: Float32, bits: int) -> tuple[Float32, Float32]:
    top = integer_range(bits, symmetric=True)[1]
    scale = _scale(np.max(np.abs(blocks), axis=-1).astype(np.float64) / top)
    return scale, np.zeros_like(scale)


def _affine_mapping(blocks: Float32, bits: int) -> tuple[Float32, Float32]:
    top = integer_range(bits, symmetric=False)[1]
    low = np.minimum(blocks.min(axis=-1), 0).astype(np.float64)
    high = np.maximum(blocks.max(axis=-1), 0).astype(np.float64)
    scale = _scale((high - low) / top)
    zero = np.clip(np.rint(-low / scale), 0, top)
    return scale, zero.astype(np.float32)


def _scale(exact: npt.NDArray[np.float64]) -> Float32:
    """Round to float32; 1 where everything is zero, never a subnormal, whose division would lose digits."""
    return np.where(exact > 0, np.maximum(exact, _SMALLEST_SCALE), 1.0).astype(np.float32)
