"""Fits at a glance: verdicts with what is free now, advice, badges guessed and exact, ready-made files by size."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.estimate.advice import advise
from core.estimate.fit import BoardNow, fit_board
from core.estimate.known_models import known_models
from core.estimate.ready import guess_ram, need_of
from core.estimate.records import Estimate, LevelEstimate
from core.estimate.table import estimate_model
from core.fitness.badge import Badge, estimate_badge, guess_badge
from core.model.need import ServedNeed
from core.vendor.platforms import get_platform, load_platforms
from core.words import note_text

GIB = 1 << 30
USUAL = {size: int(size * 0.95 * GIB) for size in (4, 8, 16, 32)}


def table(
    model: str, platform: str = "rk3588", gib: int = 8, context: int = 4096, now: BoardNow | None = None
) -> Estimate:
    return estimate_model(
        known_models()[model].facts(),
        get_platform(platform),
        context=context,
        board_ram_bytes=USUAL[gib],
        now=now,
    )


def row(estimate: Estimate, dtype: str) -> LevelEstimate:
    found = estimate.row(dtype)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("free_gib", "served", "held_gib", "verdict", "code"),
    [
        (7.0, None, None, "yes", "fits_now"),
        (2.2, None, None, "tight", "tight_now"),
        (1.0, None, None, "tight", "busy"),
        (1.0, "Qwen", None, "tight", "busy_serving"),
        (1.0, "Qwen", 5.0, "tight", "busy_serving_holds"),
    ],
)
def test_what_is_free_now_decides_between_yes_and_tight(
    free_gib: float, served: str | None, held_gib: float | None, verdict: str, code: str
) -> None:
    held = None if held_gib is None else int(held_gib * GIB)
    now = BoardNow(int(free_gib * GIB), served, held)
    fit = fit_board(2 * GIB, int(2.3 * GIB), 8 * GIB, lambda context: 2 * GIB + context, now)
    assert (fit.verdict, fit.reason.code) == (verdict, code)
    assert "{" not in note_text(fit.reason)
    if served:
        assert f"stop {served} first" in note_text(fit.reason)


def test_a_board_that_is_too_small_stays_too_small_whatever_is_free() -> None:
    fit = fit_board(9 * GIB, 10 * GIB, 8 * GIB, lambda _context: 9 * GIB, BoardNow(8 * GIB))
    assert (fit.verdict, fit.reason.code, fit.largest_context) == ("no", "does_not_fit", None)


def test_the_largest_context_is_of_what_is_free_unless_something_stands_in_the_way() -> None:
    def ram_at(context: int) -> int:
        return GIB + context * (1 << 18)

    at = ram_at(512)
    roomy = fit_board(at, at, 8 * GIB, ram_at, BoardNow(2 * GIB))
    assert roomy.largest_context == 4096
    blocked = fit_board(at, at, 8 * GIB, ram_at, BoardNow(1 * GIB))
    assert blocked.reason.code == "busy"
    assert blocked.largest_context is not None
    assert blocked.largest_context > 16000


def test_a_hostile_name_of_a_served_model_is_made_printable() -> None:
    fit = fit_board(2 * GIB, 2 * GIB, 8 * GIB, lambda _context: 1, BoardNow(GIB, "x\x1b[31m\u202e{need}"))
    assert "\x1b" not in note_text(fit.reason)
    assert "\u202e" not in note_text(fit.reason)


def test_advice_names_what_would_make_it_fit() -> None:
    large = table("Llama3-8B", gib=8)
    codes = {note.code: dict(note.facts) for note in advise(large, row(large, "w8a8"))}
    assert codes["larger_board"]["gib"] == 16
    long = table("MiniCPM3-4B", gib=8, context=16384)
    codes = {note.code: dict(note.facts) for note in advise(long, row(long, "w8a8"))}
    shorter = codes["shorter_context"]["context"]
    again = table("MiniCPM3-4B", gib=8, context=int(shorter))
    fit = row(again, "w8a8").fit
    assert fit is not None
    assert fit.verdict != "no"
    other = table("MiniCPM-V-2_6", "rk3576", gib=8, context=512)
    codes = {note.code: dict(note.facts) for note in advise(other, row(other, "w8a8"))}
    assert str(codes["other_level"]["dtype"]).startswith("w4a16")


def test_what_fits_or_cannot_be_helped_gets_no_advice() -> None:
    small = table("Qwen2-0.5B", gib=16)
    assert advise(small, row(small, "w8a8")) == ()
    assert advise(small, row(small, "fp16")) == ()
    refused = advise(small, row(small, "w4a16"))
    assert [note.code for note in refused] == ["other_level"]
    assert dict(refused[0].facts)["dtype"] == "w8a8"


@pytest.mark.parametrize(
    ("model", "platform", "gib", "verdict", "dtype"),
    [
        ("Qwen3-1.7B", "rk3588", 8, "yes", "w8a8"),
        ("Llama3-8B", "rk3588", 8, "no", "w8a8"),
        ("Llama3-8B", "rk3588", 16, "yes", "w8a8"),
        ("Llama3-8B", "rk3576", 8, "yes", "w4a16"),
        ("Qwen3-4B", "rk3588", 8, "yes", "w8a8"),
        ("Qwen3-4B", "rk3576", 4, "tight", "w4a16"),
    ],
)
def test_the_badge_shows_the_best_level(
    model: str, platform: str, gib: int, verdict: str, dtype: str
) -> None:
    badge = estimate_badge(table(model, platform, gib))
    assert (badge.fits, badge.dtype, badge.exact) == (verdict, dtype, True)
    assert badge.ram_bytes == int(row(table(model, platform, gib), dtype).ram.value)  # type: ignore[union-attr]


def test_a_model_no_level_of_which_is_possible_says_why() -> None:
    facts = known_models()["Qwen3-1.7B"].facts()
    facts.config["architectures"] = ["NobodysForCausalLM"]
    badge = estimate_badge(estimate_model(facts, get_platform("rk3588"), board_ram_bytes=8 * GIB))
    assert (badge.fits, badge.dtype) == ("no", None)
    assert badge.reason is not None
    assert badge.reason.code == "architecture"


def test_a_guess_decides_only_what_its_bounds_agree_on() -> None:
    """For every known model, platform and board a guessed verdict is never the opposite of the exact one."""
    decided = 0
    for name, model in known_models().items():
        facts = model.facts()
        total = sum(tensor.size_bytes // 2 for tensor in facts.tensors)
        classes = [str(found) for found in facts.config["architectures"]]  # type: ignore[union-attr]
        for platform in load_platforms().values():
            for gib, usable in USUAL.items():
                guess = guess_badge(total, classes, platform, context=4096, board_ram_bytes=usable)
                exact = estimate_badge(table(name, platform.name, gib))
                decided += guess.fits is not None
                assert {guess.fits, exact.fits} != {"yes", "no"}, (name, platform.name, gib)
                assert not guess.exact
    assert decided > 200


@pytest.mark.parametrize("parameters", [None, 0, -5])
def test_nothing_is_guessed_from_nothing(parameters: int | None) -> None:
    badge = guess_badge(parameters, (), get_platform("rk3588"), context=4096, board_ram_bytes=8 * GIB)
    assert (badge.fits, badge.dtype, badge.ram_bytes) == (None, None, None)


def test_an_architecture_the_toolkit_does_not_list_is_told_before_anything_is_read() -> None:
    badge = guess_badge(10**9, ["BertModel"], get_platform("rk3588"), context=512, board_ram_bytes=8 * GIB)
    assert badge.fits == "no"
    assert badge.reason is not None
    assert badge.reason.code == "architecture"


def _badge(classes: tuple[str, ...] = (), **told: Any) -> Badge:  # noqa: ANN401  # the guess's own arguments
    return guess_badge(10**9, classes, get_platform("rk3588"), context=512, board_ram_bytes=8 * GIB, **told)


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ({"weights": "gguf"}, "weights_gguf"), ({"weights": "pickle"}, "weights_pickle"),
        ({"weights": "adapter"}, "weights_adapter"), ({"weights": "onnx"}, "weights_onnx"),
        ({"quantization": "mlx"}, "quantized"), ({"model_type": "bert"}, "architecture"),
    ],
)  # fmt: skip
def test_what_the_toolkit_is_not_given_is_told_before_anything_is_read(
    told: dict[str, Any], code: str
) -> None:
    badge = _badge(**told)
    assert badge.fits == "no"
    assert badge.reason is not None
    assert badge.reason.code == code


def test_a_model_type_is_asked_where_no_class_is_named() -> None:
    assert _badge(model_type="qwen2") == _badge(("Qwen2ForCausalLM",))
    assert _badge(("Qwen2ForCausalLM",), model_type="bert").fits == "yes"


@given(st.integers(1, 10**13), st.sampled_from([512, 4096, 16384]))
def test_a_guess_has_ordered_bounds(parameters: int, context: int) -> None:
    badge = guess_badge(parameters, (), get_platform("rk3576"), context=context, board_ram_bytes=8 * GIB)
    low, middle, high = badge.ram_low_bytes, badge.ram_bytes, badge.ram_high_bytes
    assert low is not None
    assert middle is not None
    assert high is not None
    assert 0 < low <= middle <= high


def need(size_bytes: int, dtype: str, *, cores: int | None = None) -> ServedNeed | None:
    facts = known_models()["Qwen3-1.7B"].facts()
    return need_of(facts, get_platform("rk3588"), dtype, context=4096, size_bytes=size_bytes, cores=cores)


def test_a_file_of_a_known_base_is_as_exact_as_the_base() -> None:
    base = row(table("Qwen3-1.7B"), "w8a8")
    assert base.file_bytes is not None
    assert base.ram is not None
    found = need(base.file_bytes, "w8a8")
    assert found is not None
    assert (found.ram_bytes, found.ram_low_bytes, found.ram_high_bytes) == (
        int(base.ram.value), int(base.ram.low), int(base.ram.high),
    )  # fmt: skip
    assert (found.npu_bytes, found.context, found.calibrated) == (base.npu_bytes, 4096, True)
    assert need(base.file_bytes, "w8a8", cores=99) == found
    fewer = need(base.file_bytes, "w8a8", cores=1)
    assert fewer is None or not fewer.calibrated


@pytest.mark.parametrize(("factor", "dtype"), [(2.0, "w8a8"), (0.5, "w8a8"), (1.0, "w9a9"), (1.0, "w4a16")])
def test_a_base_that_cannot_be_right_tells_nothing(factor: float, dtype: str) -> None:
    base = row(table("Qwen3-1.7B"), "w8a8")
    assert base.file_bytes is not None
    assert need(int(base.file_bytes * factor), dtype) is None


def test_the_guess_by_size_holds_for_most_known_models() -> None:
    inside = outside = 0
    for name in known_models():
        for platform, dtype in (("rk3588", "w8a8"), ("rk3576", "w4a16")):
            exact = row(table(name, platform, 16), dtype)
            if exact.ram is None or exact.file_bytes is None:
                continue
            guess = guess_ram(exact.file_bytes, 4096)
            assert guess.low < guess.value < guess.high
            inside += guess.low <= exact.ram.value <= guess.high
            outside += not guess.low <= exact.ram.value <= guess.high
    assert inside >= 0.85 * (inside + outside)
