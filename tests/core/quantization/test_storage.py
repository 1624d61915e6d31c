"""Weights as files store them: every 8- and 16-bit pattern against the definition of its type."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.quantization.affine import QuantizationError
from core.quantization.storage import FLOAT_BYTES, as_stored, bytes_per_weight, to_float32, widen_into

ALL_16 = np.arange(1 << 16, dtype="<u2")
ALL_8 = np.arange(256, dtype=np.uint8)


def value_of(code: int, exponent_bits: int, mantissa_bits: int, bias: int, *, infinities: bool) -> float:
    """An IEEE-like code by its definition, in exact arithmetic."""
    sign = -1.0 if code >> (exponent_bits + mantissa_bits) else 1.0
    exponent = (code >> mantissa_bits) & ((1 << exponent_bits) - 1)
    mantissa = code & ((1 << mantissa_bits) - 1)
    top = (1 << exponent_bits) - 1
    if exponent == top and infinities:
        return math.nan if mantissa else sign * math.inf
    if exponent == top and not infinities and mantissa == (1 << mantissa_bits) - 1:
        return math.nan
    if exponent == 0:
        return sign * math.ldexp(mantissa, 1 - bias - mantissa_bits)
    return sign * math.ldexp((1 << mantissa_bits) + mantissa, exponent - bias - mantissa_bits)


@pytest.mark.parametrize(
    ("dtype", "form"),
    [
        ("F8_E4M3", (4, 3, 7, False)),
        ("F8_E5M2", (5, 2, 15, True)),
        ("F16", (5, 10, 15, True)),
        ("BF16", (8, 7, 127, True)),
    ],
)
def test_every_code_is_what_its_type_says(dtype: str, form: tuple[int, int, int, bool]) -> None:
    exponent, mantissa, bias, infinities = form
    codes = ALL_8 if FLOAT_BYTES[dtype] == 1 else ALL_16
    expected = np.array(
        [value_of(int(code), exponent, mantissa, bias, infinities=infinities) for code in codes], np.float32
    )
    found = to_float32(codes.tobytes(), dtype)
    assert np.array_equal(found, expected, equal_nan=True)
    assert np.array_equal(np.signbit(found), np.signbit(expected) | (np.signbit(found) & np.isnan(found)))


@given(values=st.lists(st.floats(width=32), max_size=20))
def test_float32_comes_back_bit_by_bit(values: list[float]) -> None:
    array = np.array(values, "<f4")
    assert to_float32(array.tobytes(), "F32").tobytes() == array.tobytes()


def test_float64_is_rounded_and_overflows_to_infinity() -> None:
    raw = np.array([0.1, 1e300, -1e300, np.nan], "<f8").tobytes()
    assert np.array_equal(
        to_float32(raw, "F64"), np.array([0.1, np.inf, -np.inf, np.nan], np.float32), equal_nan=True
    )


@pytest.mark.parametrize("dtype", FLOAT_BYTES)
def test_a_transposed_target_gets_the_transposed_weights(dtype: str) -> None:
    raw = np.random.default_rng(5).integers(0, 60, 12 * FLOAT_BYTES[dtype], np.uint8)
    stored = as_stored(raw, dtype).reshape(3, 4)
    turned = np.empty((4, 3), np.float32)
    widen_into(stored.T, dtype, turned)
    assert np.array_equal(turned.T, to_float32(raw, dtype).reshape(3, 4), equal_nan=True)


@pytest.mark.parametrize("dtype", ["I8", "U8", "BOOL", "F4", "", "F8_E8M0"])
def test_integers_are_no_weights(dtype: str) -> None:
    with pytest.raises(QuantizationError) as caught:
        bytes_per_weight(dtype)
    assert caught.value.code == "quantization.stored_dtype"


def test_half_a_weight_is_refused() -> None:
    with pytest.raises(QuantizationError) as caught:
        as_stored(b"123", "BF16")
    assert caught.value.code == "quantization.stored_length"
    assert as_stored(b"", "BF16").size == 0
