"""Levels are data: complete, in order, and found whatever their case."""

import numpy as np
import pytest

from core.base.errors import UsageError
from core.quantization.approximate import (
    approximate,
    bfloat16_to_float32,
    measure,
    round_to_bfloat16,
)
from core.vendor.levels import (
    algorithms,
    coarsest_of_each_width,
    comparable_levels,
    get_level,
    group_sizes,
    load_levels,
    usual_levels,
)
from core.vendor.platforms import load_platforms

ORDER = [
    "fp32", "fp16", "bf16", "int8", "int4", "fp16_rkllm", "w8a8", "w8a8_g128", "w8a8_g256", "w8a8_g512",
    "w4a16", "w4a16_g32", "w4a16_g64", "w4a16_g128", "w4a8_g32",
]  # fmt: skip


def test_levels_come_in_the_order_of_the_command_line() -> None:
    assert [level.name for level in load_levels()] == ORDER
    assert [level.kind for level in load_levels()] == ["reference"] * 5 + ["rkllm"] * (len(ORDER) - 5)
    assert all(level.source for level in load_levels())


def test_names_of_the_toolkit_say_what_the_fields_say() -> None:
    for level in load_levels():
        if level.name.startswith("w"):
            head, _, group = level.name.partition("_g")
            assert head == f"w{level.bits}a{level.activation_bits}"
            assert level.group_size == (int(group) if group else None)


def test_rules_of_thumb() -> None:
    rules = {level.name: level.rule_of_thumb_bytes_per_parameter for level in load_levels()}
    assert [rules[name] for name in ORDER[:5]] == [4, 2, 2, 1, 0.7]
    by_head = {"fp": 2, "w8": 1, "w4": 0.7}
    assert all(rules[name] == by_head[name[:2]] for name in ORDER[5:])


def test_lookup_ignores_case_and_refuses_unknown_names() -> None:
    assert get_level(" W8A8_G128 ").group_size == 128
    with pytest.raises(UsageError) as caught:
        get_level("w2a16")
    assert caught.value.code == "quantization.unknown_level"
    assert "w8a8" in str(caught.value.facts["known"])


def test_fewer_bits_err_more_on_a_matrix() -> None:
    weights = np.random.default_rng(1).normal(size=(128, 512)).astype(np.float32)
    names = ("fp32", "fp16", "bf16", "w8a8_g128", "w8a8", "int4", "w4a16_g64", "w4a16")
    noise = [measure(weights, approximate(weights, get_level(name))).mse for name in names]
    assert noise == sorted(noise)
    assert noise[0] == 0


def test_measures_of_a_worked_example() -> None:
    result = measure(np.array([[3.0, 4.0]]), np.array([[3.0, 3.0]]))
    assert result.mse == 0.5
    assert result.sqnr_db == pytest.approx(10 * np.log10(25))
    assert result.cosine == pytest.approx(21 / (5 * np.sqrt(18)))
    assert result.max_abs_error == 1


def test_measures_without_meaning_are_unknown() -> None:
    zeros = np.zeros((2, 2), np.float32)
    assert (measure(zeros, zeros).sqnr_db, measure(zeros, zeros).cosine) == (None, None)
    assert measure(zeros + 1, zeros + 1).sqnr_db is None


def test_bfloat16_rounds_half_to_even() -> None:
    step = 2.0**-7
    values = np.array(
        [1 + step / 2, 1 + 3 * step / 2, 1 + step * 0.6, -1 - step / 2, 0.0, np.nan], np.float32
    )
    expected = [1, 1 + 2 * step, 1 + step, -1, 0, np.nan]
    assert round_to_bfloat16(values) == pytest.approx(np.array(expected), nan_ok=True)
    raw = np.array([0x3F80, 0xC000, 0x7F80], np.uint16)
    assert bfloat16_to_float32(raw).tolist() == [1.0, -2.0, np.inf]


def test_weights_beyond_float16_are_refused_not_made_infinite() -> None:
    with pytest.raises(ValueError, match="not_finite"):
        approximate(np.array([[7e4, 1.0]], np.float32), get_level("fp16"))
    assert approximate(np.array([[7e4, 1.0]], np.float32), get_level("bf16"))[0, 0] == pytest.approx(
        7e4, rel=0.01
    )


def test_what_is_done_with_a_level_is_told_by_its_properties() -> None:
    quantized = [level.name for level in load_levels() if level.quantized]
    assert quantized == ORDER[6:]
    assert [level.name for level in comparable_levels()] == ["fp16", *ORDER[6:]]
    assert [level.name for level in usual_levels()] == ["fp16", "w8a8", "w4a16_g32", "w4a16"]
    assert group_sizes() == (32, 64, 128, 256, 512)
    assert algorithms() == ("normal", "grq", "gdq")
    assert all(level.rounding == "integer" for level in load_levels() if level.bits < 16)
    for platform in load_platforms().values():
        assert platform.usual_level.name == "w8a8"
        assert [level.name for level in platform.levels] == list(platform.dtypes)


def test_the_coarsest_level_of_each_width_has_no_groups_or_the_largest() -> None:
    def of(*names: str) -> list[str]:
        return [level.name for level in coarsest_of_each_width(map(get_level, names))]

    assert of(*ORDER[5:]) == ["w8a8", "w4a16"]
    assert of("w4a16_g32", "w4a16_g128", "w4a16_g64", "w8a8_g256", "w8a8_g512") == ["w8a8_g512", "w4a16_g128"]
    assert of("fp16", "fp32") == []
