"""The numbers behind the pictures of one tensor, against the weights themselves."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base.errors import RKDeckError
from core.lab import picture
from core.lab.picture import Grid, TensorPicture, draw, follow
from core.lab.scheme import Scheme, level_scheme
from core.lab.weights import WeightFolder, open_folder
from core.quantization.affine import quantize_linear
from core.quantization.approximate import approximate
from core.vendor.levels import get_level, group_sizes
from tests.support.checkpoints import NORM, Q_PROJ, normal, write_model

ROWS, INPUTS = 80, 1024


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> WeightFolder:
    weights = normal(ROWS, INPUTS)
    return open_folder(
        write_model(tmp_path_factory.mktemp("p") / "m", {Q_PROJ: ("F32", weights.shape, weights.tobytes())})
    )


def taken(folder: WeightFolder, scheme: Scheme, channel: int = 0, column: int = 0) -> TensorPicture:
    return draw(folder.places[Q_PROJ], folder.find(Q_PROJ), scheme, channel, column)


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("group", [None, *group_sizes()])
def test_grid_and_formula_are_those_of_the_chosen_group(
    folder: WeightFolder, bits: int, group: int | None
) -> None:
    weights, channel, column = normal(ROWS, INPUTS), 7, 700
    found = taken(folder, Scheme(bits, group), channel, column)
    quantized = quantize_linear(weights[channel : channel + 1], bits, group)
    number = column // (group or INPUTS)
    assert found.grid is not None
    assert found.walk is not None
    assert found.grid.scale == pytest.approx(float(quantized.scale.reshape(-1)[number]))
    assert found.grid.zero_point == int(quantized.zero_point.reshape(-1)[number])
    assert len(found.grid.positions) == (16 if bits == 4 else 255)
    assert (found.group, found.first_column) == (number, number * (group or INPUTS))
    assert found.first_column <= column <= found.last_column
    assert found.walk.weight == float(weights[channel, column])
    assert found.walk.integer == int(quantized.values[0, column])
    assert found.walk.restored in found.grid.positions or found.walk.restored == pytest.approx(
        found.grid.positions[found.walk.integer - found.grid.qmin]
    )
    assert abs(found.walk.error) <= found.grid.scale * 0.5001
    assert min(found.grid.positions) - found.grid.scale <= min(found.originals)


@pytest.mark.parametrize("name", ["fp16", "bf16", "w8a8", "w4a16_g32"])
def test_histograms_count_every_weight_once_and_agree_with_the_level(folder: WeightFolder, name: str) -> None:
    weights = normal(ROWS, INPUTS)
    found = taken(folder, level_scheme(name), 3, 40)
    noise = approximate(weights, get_level(name)) - weights
    assert (
        found.weights
        == found.sampled
        == sum(found.histogram.counts)
        == sum(found.errors.counts)
        == weights.size
    )
    assert len(found.histogram.edges) == len(found.histogram.counts) + 1
    assert found.histogram.edges[0] == pytest.approx(float(weights.min()))
    assert found.errors.edges[-1] == pytest.approx(float(noise.max()))
    assert found.bell == pytest.approx(float(np.sqrt(np.mean(np.square(weights)))), rel=1e-5)
    ratio = float(np.sum(np.square(weights, dtype=np.float64)) / np.sum(np.square(noise, dtype=np.float64)))
    assert found.sqnr_db == pytest.approx(10 * np.log10(ratio), abs=1e-3)
    assert sum(found.group_histogram.counts) == found.last_column - found.first_column + 1
    part = slice(found.first_column, found.last_column + 1)
    shown = list(weights[3, part])
    assert set(found.originals) <= {float(weight) for weight in shown}
    assert float(weights[3, 40]) in found.originals
    assert (found.grid is None) == (found.walk is None) == name.endswith("f16") or name == "fp16"
    for original, back in zip(found.originals, found.restored, strict=True):
        place = shown.index(np.float32(original))
        assert back == pytest.approx(float(original + noise[3, part][place]), abs=1e-6)


def test_large_tensors_are_sampled_and_say_so(folder: WeightFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture, "SAMPLED_WEIGHTS", 10 * INPUTS)
    found = taken(folder, Scheme(8))
    assert (found.weights, found.sampled) == (ROWS * INPUTS, 10 * INPUTS)
    assert sum(found.histogram.counts) == 10 * INPUTS
    # The last channel is not among the first ten.
    assert taken(folder, Scheme(8), channel=ROWS - 1).channel == ROWS - 1


@pytest.mark.parametrize(
    ("scheme", "channel", "column", "code"),
    [
        (Scheme(4), ROWS, 0, "lab.no_channel"),
        (Scheme(4), -1, 0, "lab.no_channel"),
        (Scheme(4), 0, INPUTS, "lab.no_input"),
        (Scheme(4, 384), 0, 0, "lab.group_does_not_fit"),
    ],
)
def test_choices_outside_of_the_tensor_are_refused(
    folder: WeightFolder, scheme: Scheme, channel: int, column: int, code: str
) -> None:
    with pytest.raises(RKDeckError) as caught:
        taken(folder, scheme, channel, column)
    assert caught.value.code == code


@pytest.mark.parametrize(("bad", "scheme", "code"), [
    (np.nan, Scheme(8), "lab.not_finite"), (3e38, Scheme(4, 32), "lab.not_finite"),
    (1e6, level_scheme("fp16"), "lab.beyond_float16"),
])  # fmt: skip
def test_weights_that_cannot_be_drawn_are_told(tmp_path: Path, bad: float, scheme: Scheme, code: str) -> None:
    weights = normal(4, 64)
    weights[2, 2] = bad
    made = open_folder(write_model(tmp_path / "m", {Q_PROJ: ("F32", weights.shape, weights.tobytes())}))
    with pytest.raises(RKDeckError) as caught:
        draw(made.places[Q_PROJ], made.find(Q_PROJ), scheme)
    assert caught.value.code == code
    with pytest.raises(RKDeckError) as caught:
        draw(made.places[NORM], made.find(NORM), scheme)
    assert caught.value.code == "lab.not_linear"


def test_zeros_have_a_picture(tmp_path: Path) -> None:
    made = open_folder(write_model(tmp_path / "m", {Q_PROJ: ("F32", (4, 64), None)}))
    found = draw(made.places[Q_PROJ], made.find(Q_PROJ), Scheme(4))
    assert (found.sqnr_db, found.bell) == (None, 0.0)
    assert found.walk is not None
    assert (found.walk.restored, found.walk.error) == (0.0, 0.0)


@given(
    weight=st.floats(-100, 100, width=32),
    scale=st.floats(0.015625, 8, width=32),
    zero=st.integers(0, 15),
)
def test_one_weight_is_followed_as_the_formula_says(weight: float, scale: float, zero: int) -> None:
    grid = Grid(scale, zero, 0, 15, tuple((integer - zero) * scale for integer in range(16)))
    walk = follow(weight, grid, 1, 2)
    assert abs(walk.rounded - walk.quotient) <= 0.5
    assert walk.shifted == walk.rounded + zero
    assert walk.integer == min(15, max(0, walk.shifted))
    assert walk.restored == pytest.approx((walk.integer - zero) * scale)
    assert walk.error == pytest.approx(walk.restored - weight)
    if walk.integer == walk.shifted:
        assert abs(walk.error) <= scale * 0.5001


def test_halves_go_to_the_even_neighbour() -> None:
    grid = Grid(1.0, 8, 0, 15, ())
    assert [follow(weight, grid, 0, 0).rounded for weight in (0.5, 1.5, 2.5, -0.5, -1.5)] == [0, 2, 2, 0, -2]
    clipped = follow(100.0, grid, 0, 0)
    assert (clipped.shifted, clipped.integer, clipped.restored) == (108, 15, 7.0)
