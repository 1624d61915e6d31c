"""Affine and symmetric quantization: the error bound, the mapping's edges, packing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from core.quantization.affine import (
    Float32,
    Granularity,
    QuantizationError,
    Quantized,
    dequantize,
    integer_range,
    pack_int4,
    quantize,
    quantize_linear,
    unpack_int4,
)

GROUP = 4
matrices = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 5), st.integers(1, 4).map(lambda groups: groups * GROUP)),
    elements=st.floats(-1e6, 1e6, width=32, allow_subnormal=True),
)
granularities: st.SearchStrategy[Granularity] = st.sampled_from(["tensor", "channel", "group"])


def gaussian(outputs: int = 64, inputs: int = 256, seed: int = 3) -> Float32:
    return np.random.default_rng(seed).normal(size=(outputs, inputs)).astype(np.float32)


def scale_of_each_weight(quantized: Quantized) -> Float32:
    if quantized.scale.ndim < 2:
        column = quantized.scale.reshape(-1, 1)
        return np.broadcast_to(column, quantized.shape)
    return np.repeat(quantized.scale, quantized.group_size or 1, axis=1)


@settings(deadline=None, max_examples=300)
@given(weights=matrices, bits=st.sampled_from([4, 8]), granularity=granularities, symmetric=st.booleans())
def test_every_weight_comes_back_within_half_a_step(
    weights: Float32, bits: int, granularity: Granularity, symmetric: bool
) -> None:
    group = GROUP if granularity == "group" else None
    quantized = quantize(weights, bits, granularity=granularity, group_size=group, symmetric=symmetric)
    scale = scale_of_each_weight(quantized).astype(np.float64)
    error = np.abs(weights.astype(np.float64) - dequantize(quantized))
    assert np.all(error <= scale * (0.5 + 1e-4))
    low, high = integer_range(bits, symmetric=symmetric)
    assert int(quantized.values.min()) >= low
    assert int(quantized.values.max()) <= high
    assert quantized.values.dtype == (np.int8 if symmetric else np.uint8)
    assert quantized.zero_point.shape == quantized.scale.shape


@settings(deadline=None)
@given(weights=matrices, bits=st.sampled_from([4, 8]), symmetric=st.booleans())
def test_zero_is_represented_exactly(weights: Float32, bits: int, symmetric: bool) -> None:
    weights[:, 0] = 0
    assert np.all(dequantize(quantize(weights, bits, symmetric=symmetric))[:, 0] == 0)


@settings(deadline=None)
@given(weights=matrices, granularity=granularities)
def test_quantizing_what_came_back_changes_nothing_more(weights: Float32, granularity: Granularity) -> None:
    group = GROUP if granularity == "group" else None
    once = dequantize(quantize(weights, 8, granularity=granularity, group_size=group, symmetric=True))
    twice = dequantize(quantize(once, 8, granularity=granularity, group_size=group, symmetric=True))
    assert np.allclose(once, twice, rtol=1e-5, atol=1e-30)


def test_worked_example() -> None:
    # low -1, high 2, S = 3/15 = 0.2, Z = round(5) = 5.
    quantized = quantize(np.array([[-1.0, 0.0, 0.5, 2.0]]), 4)
    assert quantized.scale == pytest.approx(np.array([0.2]))
    assert quantized.zero_point.tolist() == [5]
    assert quantized.values.tolist() == [[0, 5, 7, 15]]  # 0.5/0.2 = 2.5 rounds to the even 2
    assert dequantize(quantized) == pytest.approx(np.array([[-1.0, 0.0, 0.4, 2.0]]), abs=1e-6)


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("bits", [4, 8])
def test_channels_and_groups_of_zeros_stay_zero(bits: int, symmetric: bool) -> None:
    weights = gaussian(4, 64)
    weights[1] = 0
    weights[2, 32:] = 0
    grouped = quantize(weights, bits, granularity="group", group_size=32, symmetric=symmetric)
    assert np.all(dequantize(quantize(weights, bits, symmetric=symmetric))[1] == 0)
    assert np.all(dequantize(grouped)[1] == 0)
    assert np.all(dequantize(grouped)[2, 32:] == 0)
    assert np.all(np.isfinite(grouped.scale))


def test_finer_scales_err_less() -> None:
    weights = gaussian() * np.linspace(0.1, 3, 64, dtype=np.float32)[:, None]
    results = [
        quantize(weights, 4, granularity="tensor"),
        quantize(weights, 4, granularity="channel"),
        quantize(weights, 4, granularity="group", group_size=128),
        quantize(weights, 4, granularity="group", group_size=32),
        quantize(weights, 8, granularity="channel"),
    ]
    errors = [float(np.mean(np.square(weights - dequantize(result)))) for result in results]
    assert errors == sorted(errors, reverse=True)
    assert errors[3] < 0.8 * errors[1]


def test_groups_lie_along_the_input_axis() -> None:
    weights = np.ones((2, 64), np.float32)
    weights[:, 32:] = 100
    grouped = quantize(weights, 4, granularity="group", group_size=32)
    assert grouped.scale.shape == (2, 2)
    assert dequantize(grouped) == pytest.approx(weights)


def test_linear_layers_are_symmetric_at_8_bits_and_affine_at_4() -> None:
    weights = np.abs(gaussian(8, 128)) + 1
    assert quantize_linear(weights, 8).values.dtype == np.int8
    assert quantize_linear(weights, 4, 32).values.dtype == np.uint8
    assert quantize_linear(weights, 4, 32).scale.shape == (8, 4)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_refused(bad: float) -> None:
    weights = gaussian(4, 8)
    weights[2, 3] = bad
    with pytest.raises(QuantizationError) as caught:
        quantize(weights, 8)
    assert caught.value.code == "quantization.not_finite"
    assert caught.value.facts == {"count": 1}


@pytest.mark.parametrize(
    ("weights", "group_size", "bits", "code"),
    [
        (np.zeros((2, 3, 4), np.float32), None, 8, "quantization.shape"),
        (np.zeros((0, 4), np.float32), None, 8, "quantization.shape"),
        (np.zeros((2, 48), np.float32), 32, 4, "quantization.group_size"),
        (np.zeros((2, 48), np.float32), -1, 4, "quantization.group_size"),
        (np.zeros((2, 48), np.float32), 0, 4, "quantization.group_size"),
        (np.full((2, 4), 3e38, np.float32), None, 8, "quantization.too_large"),
        (np.zeros((2, 4), np.float32), None, 3, "quantization.bits"),
    ],
)
def test_what_cannot_be_quantized_is_refused(
    weights: Float32, group_size: int | None, bits: int, code: str
) -> None:
    with pytest.raises(QuantizationError) as caught:
        quantize_linear(weights, bits, group_size)
    assert caught.value.code == code


def test_float16_and_sliced_weights_are_taken_as_they_are() -> None:
    weights = gaussian(8, 64).astype(np.float16)
    assert np.array_equal(
        dequantize(quantize_linear(weights, 8)), dequantize(quantize_linear(weights.astype(np.float32), 8))
    )
    sliced = gaussian(64, 8).T
    assert np.array_equal(
        quantize_linear(sliced, 4).values, quantize_linear(np.ascontiguousarray(sliced), 4).values
    )


@given(values=hnp.arrays(np.uint8, st.integers(0, 65), elements=st.integers(0, 15)))
def test_unsigned_nibbles_survive_packing(values: np.ndarray[tuple[int], np.dtype[np.uint8]]) -> None:
    packed = pack_int4(values)
    assert packed.size == (values.size + 1) // 2
    assert np.array_equal(unpack_int4(packed, values.size), values)


@given(values=hnp.arrays(np.int8, st.integers(0, 65), elements=st.integers(-8, 7)))
def test_signed_nibbles_survive_packing(values: np.ndarray[tuple[int], np.dtype[np.int8]]) -> None:
    unpacked = unpack_int4(pack_int4(values), values.size, signed=True)
    assert unpacked.dtype == np.int8
    assert np.array_equal(unpacked, values)


def test_the_first_value_is_in_the_low_nibble() -> None:
    assert pack_int4(np.array([1, 2, 15], np.uint8)).tolist() == [0x21, 0x0F]
    assert pack_int4(np.array([-1, -8], np.int8)).tolist() == [0x8F]


def test_packing_refuses_what_does_not_fit() -> None:
    with pytest.raises(QuantizationError, match="nibble_range"):
        pack_int4(np.array([16], np.uint8))
    with pytest.raises(QuantizationError, match="nibble_range"):
        pack_int4(np.array([-9], np.int8))
    with pytest.raises(QuantizationError, match="packed_length"):
        unpack_int4(np.zeros(3, np.uint8), 8)
