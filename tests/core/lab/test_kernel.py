"""The fused pass beside the plain way: quantize, restore, compare."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from core.lab.kernel import OUTLIER_SIGMAS, Sums, Workspace, measure_rows, rows_per_block, unit_for
from core.lab.scheme import Scheme, analysed_levels, level_scheme, scheme
from core.quantization.affine import Float32
from core.quantization.approximate import approximate, measure
from core.vendor.levels import get_level

LEVELS = analysed_levels()
SCHEMES = [level_scheme(level.name) for level in LEVELS]


def gaussian(rows: int, inputs: int, seed: int = 1) -> Float32:
    return (np.random.default_rng(seed).standard_t(5, (rows, inputs)) * 0.02).astype(np.float32)


def test_the_levels_are_fp16_and_the_toolkits_without_doubles() -> None:
    names = [level.name for level in LEVELS]
    assert names == [
        "fp16", "w8a8", "w8a8_g128", "w8a8_g256", "w8a8_g512", "w4a16", "w4a16_g32", "w4a16_g64", "w4a16_g128",
    ]  # fmt: skip


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.name)
@pytest.mark.parametrize("rows", [1, 7, 300])
def test_the_figures_are_those_of_the_plain_way(level: object, rows: int) -> None:
    weights, name = gaussian(rows, 1024), level.name  # type: ignore[attr-defined]
    sums = measure_rows(weights, "F32", 0, [level_scheme(name)], Workspace())
    plain = measure(weights, approximate(weights, get_level(name)))
    found = sums.schemes[0]
    assert found.noise / sums.weights == pytest.approx(plain.mse, rel=1e-4)
    assert found.largest == pytest.approx(plain.max_abs_error, rel=1e-4)
    restored = sums.signal + 2 * found.cross + found.noise
    assert (sums.signal + found.cross) / np.sqrt(sums.signal * restored) == pytest.approx(
        plain.cosine, abs=1e-6
    )


@settings(max_examples=60)
@given(
    weights=hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 4), st.sampled_from([1, 3, 31, 32, 50, 64, 96])),
        elements=st.floats(-1e4, 1e4, width=32, allow_subnormal=False),
    ),
    bits=st.sampled_from([4, 8]),
)
def test_any_weights_any_width(weights: Float32, bits: int) -> None:
    sums = measure_rows(weights, "F32", 0, [Scheme(bits)], Workspace())
    level = get_level("w8a8" if bits == 8 else "w4a16")
    plain = measure(weights, approximate(weights, level))
    # Half a step of the widest channel bounds what two float32 ways may differ by.
    span = float(np.abs(weights).max()) if weights.size else 0.0
    assert sums.schemes[0].noise / sums.weights == pytest.approx(plain.mse, rel=2e-3, abs=1e-10 * span * span)
    assert sums.schemes[0].largest == pytest.approx(plain.max_abs_error, rel=1e-3, abs=1e-5 * span)


def test_ties_at_the_end_of_the_range_are_half_a_step_off_and_no_more() -> None:
    # S = 1 and both ends at .5: the plain way clips one end, the fused pass rounds past it.
    weights = np.array([[-7.5, 7.5, 0.5, 1.5] * 8], np.float32)
    found = measure_rows(weights, "F32", 0, [Scheme(4, 32)], Workspace()).schemes[0]
    assert found.largest == 0.5
    assert found.noise == pytest.approx(32 * 0.25)


def test_the_worst_channel_is_named_with_its_number_in_the_tensor() -> None:
    weights = gaussian(20, 256)
    # S = 1: all but one weight lie half way between two steps.
    weights[13] = 0.5
    weights[13, 5] = 15
    found = measure_rows(weights, "F32", 100, [Scheme(4)], Workspace()).schemes[0]
    assert found.worst_channel == 113
    assert found.worst_ratio == pytest.approx(255 * 0.25 / (225 + 255 * 0.25))


def test_outliers_are_counted_by_channel() -> None:
    weights = np.full((4, 256), 0.01, np.float32)
    weights[0, :3] = 1.0
    weights[2] *= 1000
    sums = measure_rows(weights, "F32", 0, [], Workspace())
    limit = OUTLIER_SIGMAS * np.sqrt(np.mean(np.square(weights), axis=1, keepdims=True))
    assert sums.outliers == int(np.count_nonzero(np.abs(weights) > limit)) == 3


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, np.float32(2.0**127)])
def test_weights_that_are_no_numbers_are_counted(bad: float) -> None:
    weights = gaussian(5, 64)
    weights[3, 7:9] = bad
    assert measure_rows(weights, "F32", 0, SCHEMES[:2], Workspace()).not_finite == 2


def test_what_float16_cannot_hold_is_counted_and_spoils_no_other_level() -> None:
    weights = gaussian(5, 64)
    weights[3, 7] = 1e6
    sums = measure_rows(weights, "F32", 0, [level_scheme("fp16"), Scheme(8)], Workspace())
    assert [found.overflow for found in sums.schemes] == [1, 0]
    assert sums.schemes[1].noise > 0
    assert sums.not_finite == 0


def test_zeros_lose_nothing() -> None:
    sums = measure_rows(np.zeros((3, 64), np.float32), "F32", 0, SCHEMES[:2], Workspace())
    assert (sums.signal, sums.outliers, sums.not_finite) == (0.0, 0, 0)
    assert [(found.noise, found.worst_channel) for found in sums.schemes] == [(0.0, None)] * 2


@pytest.mark.parametrize("size", [1e-25, 1e-12, 1e9, 1e35])
def test_tiny_and_huge_weights_are_measured_as_well(size: float) -> None:
    weights = gaussian(4, 64) * np.float32(size)
    sums = measure_rows(weights, "F32", 0, [Scheme(8), level_scheme("bf16")], Workspace())
    for found, name in zip(sums.schemes, ("w8a8", "bf16"), strict=True):
        plain = measure(weights, approximate(weights, get_level(name)))
        assert plain.mse > 0
        assert found.noise / sums.weights == pytest.approx(plain.mse, rel=1e-3)
        assert found.largest == pytest.approx(plain.max_abs_error, rel=1e-3)
    assert sums.signal == pytest.approx(float(np.sum(np.square(weights, dtype=np.float64))))
    assert sums.highest == float(weights.max())


def test_parts_add_up_to_the_whole() -> None:
    weights, whole, work = gaussian(50, 128), Sums(), Workspace()
    for first in range(0, 50, 8):
        whole.add(measure_rows(weights[first : first + 8], "F32", first, SCHEMES[:2], work))
    once = measure_rows(weights, "F32", 0, SCHEMES[:2], work)
    assert whole.weights == once.weights
    assert whole.signal == pytest.approx(once.signal)
    assert (whole.lowest, whole.highest, whole.outliers) == (once.lowest, once.highest, once.outliers)
    for mine, theirs in zip(whole.schemes, once.schemes, strict=True):
        assert mine.noise == pytest.approx(theirs.noise)
        assert (mine.largest, mine.worst_channel) == (theirs.largest, theirs.worst_channel)


@pytest.mark.parametrize(("inputs", "unit"), [(4096, 32), (96, 32), (1000, 50), (1002, 1002), (7, 7), (9, 9)])
def test_units_divide_the_row(inputs: int, unit: int) -> None:
    assert unit_for(inputs) == unit
    assert inputs % unit == 0


def test_blocks_are_bounded_and_never_empty() -> None:
    assert rows_per_block(1 << 30) == 1
    assert rows_per_block(1) * 4 <= 4 << 20


@pytest.mark.parametrize(("bits", "group", "code"), [(3, None, "lab.bits"), (8, 48, "lab.group_size")])
def test_sliders_stay_on_their_marks(bits: int, group: int | None, code: str) -> None:
    from core.base.errors import UsageError

    with pytest.raises(UsageError) as caught:
        scheme(bits, group)
    assert caught.value.code == code


def test_float32_rounds_nothing() -> None:
    from core.base.errors import UsageError

    with pytest.raises(UsageError) as caught:
        level_scheme("fp32")
    assert caught.value.code == "lab.no_rounding"
