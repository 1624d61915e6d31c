"""A whole model: sums, maps, what groups buy, and what is suggested for which platform."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from core.base.errors import RKDeckError
from core.estimate.table import estimate_model
from core.lab.analysis import Analysis, analyse
from core.lab.energy import energy_per_bit, token_energy
from core.lab.errors import LevelError, TensorErrors
from core.lab.store import AnalysisStore, TensorJournal, folder_key, item_key, stamp_of
from core.lab.suggest import suggest
from core.lab.summary import by_layer, group_gains, heat_map, suffering
from core.lab.weights import open_folder
from core.model.facts import load_local_facts
from core.model.shape import build_shape
from core.quantization.approximate import approximate, measure
from core.vendor.levels import get_level
from core.vendor.platforms import get_platform
from core.words import note_text, word
from tests.support.checkpoints import Q_PROJ, normal, write_model

DEMO = Path(__file__).parents[3] / "resources" / "demo" / "wonderland-1m"


@pytest.fixture(scope="module")
def demo() -> Analysis:
    return analyse(open_folder(DEMO))


def test_the_trained_model_loses_more_with_fewer_bits_and_larger_groups(demo: Analysis) -> None:
    found = {level.dtype: level.sqnr_db for level in demo.levels}
    assert found.pop("fp16") is None  # its file is float16: nothing is lost
    order = ["w8a8_g128", "w8a8", "w4a16_g32", "w4a16_g64", "w4a16_g128", "w4a16"]
    assert sorted(found, key=lambda dtype: -(found[dtype] or 0)) == order
    assert demo.problems == ()


def test_the_whole_is_the_sum_over_all_linear_weights(demo: Analysis) -> None:
    files = [load_file(path) for path in DEMO.glob("*.safetensors")]
    arrays = [file[tensor.name] for tensor in demo.tensors for file in files if tensor.name in file]
    level = get_level("w4a16_g128")
    pairs = [(array.astype(np.float32), approximate(array, level)) for array in arrays]
    flat = [np.concatenate([pair[side].reshape(-1) for pair in pairs]) for side in (0, 1)]
    plain, found = measure(*flat), demo.level("w4a16_g128")
    assert found is not None
    assert found.mse == pytest.approx(plain.mse, rel=1e-4)
    assert found.sqnr_db == pytest.approx(plain.sqnr_db, abs=1e-3)
    assert found.cosine == pytest.approx(plain.cosine, abs=1e-6)
    assert found.max_abs_error == pytest.approx(plain.max_abs_error, rel=1e-4)
    assert demo.weights == flat[0].size


def test_levels_whose_groups_do_not_fit_are_left_out_with_the_tensor(demo: Analysis) -> None:
    assert [left.dtype for left in demo.left_out] == ["w8a8_g256", "w8a8_g512"]
    assert all("mlp.down_proj.weight" in word(left.problem)[0] for left in demo.left_out)


def test_a_level_that_the_toolkit_refuses_is_refused_with_the_reason_of_the_estimate(demo: Analysis) -> None:
    estimate = estimate_model(load_local_facts(DEMO), get_platform("rk3588"), context=512)
    for left in demo.left_out:
        row = estimate.row(left.dtype)
        assert row is not None
        assert row.reason is not None
        assert note_text(row.reason) in word(left.problem)[0]


def test_what_groups_buy_grows_as_they_shrink(demo: Analysis) -> None:
    gains = group_gains(demo)
    assert [gain.group_size for gain in gains] == [32, 64, 128]
    found = [gain.gain_db for gain in gains]
    assert all(gain is not None and gain > 0 for gain in found)
    assert found == sorted(found, key=lambda gain: -(gain or 0))
    assert [gain.extra_bits for gain in gains] == [1.0, 0.5, 0.25]
    assert gains[0].extra_bytes == demo.weights // 8


def test_the_map_has_a_cell_for_every_layer_and_kind(demo: Analysis) -> None:
    found = heat_map(demo, "w4a16_g32")
    assert found.layers == (0, 1, 2, 3, None)
    assert len(found.kinds) == 8
    row, column = found.layers.index(2), found.kinds.index("down_proj")
    name = found.names[row][column]
    assert name == "model.layers.2.mlp.down_proj.weight"
    tensor = next(tensor for tensor in demo.tensors if tensor.name == name)
    error = tensor.level("w4a16_g32")
    assert error is not None
    assert found.cells[row][column] == pytest.approx(error.sqnr_db)
    # The head is a kind of its own and belongs to no layer.
    assert [cell is None for cell in found.cells[-1]] == [kind != "lm_head" for kind in found.kinds]
    assert found.lowest is not None
    assert found.highest is not None
    assert found.lowest < found.highest


def test_the_worst_come_first(demo: Analysis) -> None:
    worst = suffering(demo, "w4a16", 3)
    found = [tensor.level("w4a16") for tensor in worst]
    decibels = [error.sqnr_db for error in found if error is not None and error.sqnr_db is not None]
    assert decibels == sorted(decibels)
    assert len(decibels) == 3


def test_layers_are_compared_by_all_their_weights(demo: Analysis) -> None:
    found = by_layer(demo)
    assert {layer for layer, _ in found} == {0, 1, 2, 3, None}
    decibels = [error.sqnr_db for _, error in found if error.sqnr_db is not None]
    assert decibels == sorted(decibels)
    assert sum(error.weights for _, error in found) == demo.weights
    whole = demo.level("w4a16")
    assert whole is not None
    assert sum(error.noise for _, error in found) == pytest.approx(whole.noise)


# Suggestions: figures by hand, on the demo model's shape.

FOUR = {"w4a16": 21.0, "w4a16_g32": 25.0, "w4a16_g64": 24.0, "w4a16_g128": 23.0}
EIGHT = {"w8a8": 41.0, "w8a8_g128": 44.0}


def made(*tensors: dict[str, float]) -> Analysis:
    """An analysis with tensors of equal size and these SQNR."""

    def level(dtype: str, sqnr_db: float) -> LevelError:
        return LevelError(dtype, 1000, 1.0, 10 ** (-sqnr_db / 10), 0.0, 0.1)

    found = tuple(
        TensorErrors(f"t{place}", "q_proj", place, (10, 100), "F32", 1000, 1.0, -1.0, 1.0, 0.0,
                     tuple(level(dtype, sqnr_db) for dtype, sqnr_db in tensor.items()))
        for place, tensor in enumerate(tensors)
    )  # fmt: skip
    from core.lab.analysis import summarise

    levels = summarise(found, [get_level(dtype) for dtype in tensors[0]])
    return Analysis("m", found, levels, (), (), 1000 * len(found), 0, 0.0)


@pytest.mark.parametrize(
    ("platform", "analysis", "dtype", "code"),
    [
        ("rk3588", made(FOUR | EIGHT), "w8a8", "lab.advice_plain_8"),
        ("rk3588", made(FOUR | EIGHT | {"w8a8": 30.0}), "w8a8_g128", "lab.advice_groups_8"),
        ("rk3588", made(FOUR | {"w8a8": 30.0, "w8a8_g128": 30.5}), "w8a8", "lab.advice_groups_not_worth"),
        ("rk3576", made(FOUR | EIGHT), "w4a16", "lab.advice_plain_4"),
        ("rk3576", made(FOUR | EIGHT | {"w4a16": 17.0}), "w4a16_g128", "lab.advice_groups_4"),
        ("rk3576", made(dict.fromkeys(FOUR, 17.0) | EIGHT), "w4a16_g32", "lab.advice_finest_4"),
        ("rk3576", made(dict.fromkeys(FOUR, 12.0) | EIGHT), "w8a8", "lab.advice_8_not_4"),
    ],
)
def test_what_is_suggested(platform: str, analysis: Analysis, dtype: str, code: str) -> None:
    found = suggest(analysis, load_local_facts(DEMO), get_platform(platform))
    assert found is not None
    assert (found.dtype, found.reason.code, found.hybrid_rate, found.partner) == (dtype, code, 0.0, None)
    assert found.price.dtype == dtype
    assert "unknown" not in word(found.reason)[0]
    assert {price.dtype for price in found.prices} <= set(get_platform(platform).dtypes)


def test_few_bad_tensors_make_a_mixture() -> None:
    bad, good = EIGHT | {"w8a8": 22.0}, EIGHT | {"w8a8": 42.0}
    found = suggest(made(bad, *[good] * 9), load_local_facts(DEMO), get_platform("rk3588"))
    assert found is not None
    assert (found.dtype, found.partner, found.hybrid_rate) == ("w8a8", "w8a8_g128", 0.1)
    assert found.reason.code == "lab.advice_mixed"
    assert found.price.sqnr_db is not None
    assert found.price.sqnr_db > 41
    prices = {price.dtype: price for price in found.prices}
    low, high = prices["w8a8_g128"].tokens_per_s, prices["w8a8"].tokens_per_s
    assert low is not None
    assert high is not None
    assert found.price.tokens_per_s is not None
    assert low < found.price.tokens_per_s < high


def test_nothing_measured_is_nothing_suggested() -> None:
    assert suggest(made(FOUR), load_local_facts(DEMO), get_platform("rk3588")) is None


def test_energy_is_the_bytes_of_a_token_times_the_published_figure() -> None:
    shape = build_shape(load_local_facts(DEMO))
    plain = token_energy(shape, get_level("w8a8"), 0)
    assert plain is not None
    assert plain.bytes_moved == shape.w_active
    assert plain.joules == pytest.approx(shape.w_active * 8 * energy_per_bit().pj * 1e-12)
    assert plain.joules_low < plain.joules < plain.joules_high
    longer, half = token_energy(shape, get_level("w8a8"), 100), token_energy(shape, get_level("w4a16"), 0)
    assert longer is not None
    assert shape.kv_elements_per_token is not None
    assert longer.bytes_moved == plain.bytes_moved + 200 * shape.kv_elements_per_token
    assert half is not None
    assert half.joules == pytest.approx(plain.joules / 2)
    assert "pJ/bit" in energy_per_bit().source


# Keeping analyses.


def test_what_was_kept_comes_back_as_it_was(tmp_path: Path, demo: Analysis) -> None:
    store, key = AnalysisStore(tmp_path / "a"), item_key("abc", "f" * 40)
    assert store.load(key, "s") is None
    store.save(key, "s", demo)
    back = store.load(key, "s")
    assert back is not None
    # Errors compare by identity.
    assert replace(back, left_out=()) == replace(demo, left_out=())
    assert [left.to_json() for left in back.left_out] == [left.to_json() for left in demo.left_out]
    assert store.load(key, "other files") is None
    assert store.load(item_key("abc", "e" * 40), "s") is None


def test_problems_are_kept_too(tmp_path: Path) -> None:
    model = write_model(tmp_path / "m", {Q_PROJ: ("F32", (2, 32), np.full(64, np.nan, "<f4").tobytes())})
    found, store = analyse(open_folder(model)), AnalysisStore(tmp_path / "a")
    store.save(folder_key(model), stamp_of(model), found)
    back = store.load(folder_key(model), stamp_of(model))
    assert back is not None
    assert [(problem.code, problem.facts) for problem in back.problems] == [
        (problem.code, problem.facts) for problem in found.problems
    ]


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'{"schema": 1, "stamp": "s"}', b'{"schema": 1}', b"\xff" * 9]
)
def test_a_damaged_result_is_told(tmp_path: Path, data: bytes) -> None:
    store = AnalysisStore(tmp_path)
    store.file("k").write_bytes(data)
    with pytest.raises(RKDeckError) as caught:
        store.load("k", "s")
    assert caught.value.code == "lab.bad_result"


def test_the_stamp_follows_the_files(tmp_path: Path) -> None:
    model = write_model(tmp_path / "m", {Q_PROJ: ("F32", (64, 64), None)})
    before = stamp_of(model)
    (model / "README.md").write_text("no part of it")
    assert stamp_of(model) == before
    with (model / "model.safetensors").open("ab") as file:
        file.write(b"x")
    assert stamp_of(model) != before


def test_a_journal_survives_a_torn_line(tmp_path: Path, demo: Analysis) -> None:
    path = tmp_path / "j"
    journal = TensorJournal(path, "s")
    assert list(journal.read()) == []
    journal.add(demo.tensors[0])
    with path.open("ab") as file:
        file.write(b'{"schema": 1, "stamp": "s", "tens')
    TensorJournal(path, "s").add(demo.tensors[1])
    assert list(TensorJournal(path, "s").read()) == list(demo.tensors[:2])
    assert list(TensorJournal(path, "other").read()) == []


def test_known_tensors_are_not_read_again(demo: Analysis) -> None:
    read: list[str] = []
    told: list[tuple[int, int]] = []
    again = analyse(
        open_folder(DEMO),
        known=demo.tensors[:20],
        done=lambda tensor: read.append(tensor.name),
        progress=lambda done, total, _name: told.append((done, total)),
    )
    assert read == [tensor.name for tensor in demo.tensors[20:]]
    assert again.tensors == demo.tensors
    assert again.bytes_read < demo.bytes_read
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1][0] == told[-1][1] == demo.bytes_read


def test_what_float16_cannot_hold_is_left_out_and_said(tmp_path: Path) -> None:
    weights = normal(64, 64)
    weights[3, 3] = 1e6
    found = analyse(open_folder(write_model(tmp_path / "m", {Q_PROJ: ("F32", (64, 64), weights.tobytes())})))
    assert found.level("fp16") is None
    left = next(left for left in found.left_out if left.dtype == "fp16")
    assert left.problem.code == "lab.beyond_float16"
