"""Every level of the toolkit, and every group size of the sliders: the bound, and others' implementations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from core.lab.scheme import Scheme
from core.quantization.affine import Float32, dequantize, pack_int4, quantize, quantize_linear, unpack_int4
from core.vendor.levels import Level, group_sizes, load_levels

INTEGER_LEVELS = [level for level in load_levels() if level.bits < 16]
SCHEMES = [Scheme(bits, group) for bits in (8, 4) for group in (None, *group_sizes())]


def steps(weights: Float32, bits: int, group: int | None) -> tuple[Float32, Float32]:
    """The restored weights and the step S of each weight."""
    quantized = quantize_linear(weights, bits, group)
    width = group or weights.shape[1]
    return dequantize(quantized), np.repeat(quantized.scale.reshape(len(weights), -1), width, axis=1)


@settings(max_examples=25)
@given(
    weights=hnp.arrays(
        np.float32, (2, 512), elements=st.floats(-1e3, 1e3, width=32), fill=st.floats(-1, 1, width=32)
    )
)
@pytest.mark.parametrize("level", INTEGER_LEVELS, ids=lambda level: level.name)
def test_no_weight_is_off_by_more_than_half_a_step(weights: Float32, level: Level) -> None:
    restored, step = steps(weights, level.bits, level.group_size)
    error = np.abs(weights.astype(np.float64) - restored)
    assert np.all(error <= step.astype(np.float64) * (0.5 + 1e-4))


@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
def test_packing_loses_nothing(scheme: Scheme) -> None:
    weights = np.random.default_rng(2).standard_normal((3, 1024)).astype(np.float32)
    quantized = quantize_linear(weights, scheme.bits, scheme.group_size)
    assert quantized.scale.size == 3 * (1024 // (scheme.group_size or 1024))
    if scheme.bits == 4:
        back = unpack_int4(pack_int4(quantized.values), weights.size)
        assert np.array_equal(back, quantized.values.reshape(-1))


@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
def test_torch_rounds_alike(scheme: Scheme) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed (pip install --group model)")
    weights = np.random.default_rng(3).standard_t(4, (8, 1024)).astype(np.float32)
    quantized = quantize_linear(weights, scheme.bits, scheme.group_size)
    low, high = (-127, 127) if scheme.symmetric else (0, 15)
    # torch knows channels only: a group becomes one.
    rows = torch.from_numpy(weights.reshape(-1, scheme.group_size or 1024))
    theirs = torch.fake_quantize_per_channel_affine(
        rows,
        torch.from_numpy(quantized.scale.reshape(-1)),
        torch.from_numpy(quantized.zero_point.reshape(-1).astype(np.int32)),
        0, low, high,
    )  # fmt: skip
    # torch multiplies by 1 / S, we divide by S: on a tie they may take either neighbour.
    ours = dequantize(quantized).reshape(theirs.shape)
    apart = np.abs(ours - theirs.numpy())
    step = quantized.scale.reshape(-1, 1)
    assert np.all((apart <= 1e-6 * step) | (np.abs(apart - step) <= 1e-3 * step))
    assert np.mean(apart > 1e-6 * step) < 1e-3


@pytest.mark.parametrize(("bits", "symmetric"), [(8, True), (4, False), (8, False), (4, True)])
def test_torch_rounds_alike_with_one_scale(bits: int, symmetric: bool) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed (pip install --group model)")
    weights = np.random.default_rng(4).standard_normal((16, 64)).astype(np.float32)
    quantized = quantize(weights, bits, granularity="tensor", symmetric=symmetric)
    top = 2 ** (bits - 1) - 1
    low, high = (-top, top) if symmetric else (0, 2**bits - 1)
    theirs = torch.fake_quantize_per_tensor_affine(
        torch.from_numpy(weights), float(quantized.scale), int(quantized.zero_point), low, high
    )
    apart = np.abs(dequantize(quantized) - theirs.numpy())
    step = float(quantized.scale)
    assert np.mean(apart > 1e-6 * step) < 1e-3
    assert np.all(apart <= 1.001 * step)


def test_q8_0_of_gguf_is_our_symmetric_group_of_32() -> None:
    gguf = pytest.importorskip("gguf", reason="gguf is not installed (pip install --group dev)")
    weights = np.random.default_rng(6).standard_t(5, (16, 256)).astype(np.float32)
    kind = gguf.GGMLQuantizationType.Q8_0
    theirs = gguf.quants.dequantize(gguf.quants.quantize(weights, kind), kind)
    ours, step = steps(weights, 8, 32)
    # Q8_0 keeps its scale in float16: up to 2^-11 of each value more, and halves are rounded away from zero.
    assert np.all(np.abs(theirs - ours) <= np.abs(ours) * 2.0**-11 + 1e-6)
    assert np.all(np.abs(theirs - weights) <= step * 0.5 + np.abs(weights) * 2.0**-10)


def test_q4_0_of_gguf_has_our_error_in_groups_of_32() -> None:
    gguf = pytest.importorskip("gguf", reason="gguf is not installed (pip install --group dev)")
    weights = np.random.default_rng(7).standard_normal((64, 256)).astype(np.float32)
    kind = gguf.GGMLQuantizationType.Q4_0
    theirs = gguf.quants.dequantize(gguf.quants.quantize(weights, kind), kind)
    # Q4_0 has no zero point: -8..7 steps of the extreme weight / 8. The same 16 values by our mapping:
    groups = weights.reshape(-1, 32)
    extreme = groups[np.arange(len(groups)), np.abs(groups).argmax(axis=1)][:, None]
    scale = (extreme / -8).astype(np.float16).astype(np.float32)
    integers = np.clip(np.rint(groups / scale), -8, 7)
    # A tie (8.5 of gguf's own rounding) may go to either neighbour.
    apart = np.abs(theirs.reshape(groups.shape) - integers * scale) / np.abs(scale)
    assert np.mean(apart > 1e-3) < 0.01
    assert apart.max() <= 1.001
    ours, _ = steps(weights, 4, 32)
    noise = [float(np.mean(np.square(x - weights))) for x in (ours, theirs)]
    assert noise[0] < noise[1] < 2 * noise[0]
