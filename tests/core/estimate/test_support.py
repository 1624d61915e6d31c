"""A cell of the support table without facts prints no number, whatever model is asked about."""

import pytest

from core.estimate.known_models import benchmark_rows, known_models
from core.estimate.records import LevelEstimate
from core.estimate.support import support
from core.estimate.table import estimate_model
from core.vendor.levels import load_levels
from core.vendor.platforms import Platform, load_platforms

MODELS = ("Qwen3-1.7B", "Gemma3n-E2B", "DeepSeekOCR-3B", "RWKV7-1.5B", "MiniCPM3-4B")
CELLS = [
    (platform, cores)
    for platform in load_platforms().values()
    for cores in range(1, platform.npu_cores_max + 1)
]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("platform", "cores"), CELLS, ids=lambda value: getattr(value, "name", str(value)))
def test_no_facts_no_number(platform: Platform, cores: int, model: str) -> None:
    found = estimate_model(known_models()[model].facts(), platform, context=512, cores=cores)
    for level in found.rows:
        if level.kind == "reference":
            assert (level.npu_bytes, level.tokens_per_s, level.ttft_ms) == (None, None, None)
            continue
        cell = support(platform.name, cores, level.dtype)
        for known, value in (
            (cell.ram, level.ram), (cell.npu, level.npu_bytes), (cell.tokens_per_s, level.tokens_per_s),
            (cell.ttft, level.ttft_ms),
        ):  # fmt: skip
            assert (value is not None) == (known is not None), (level.dtype, known, value)
        _check_bases(level, cell.ram, cell.tokens_per_s, cell.ttft)


def _check_bases(level: LevelEstimate, *cells: str | None) -> None:
    for known, number in zip(cells, (level.ram, level.tokens_per_s, level.ttft_ms), strict=True):
        if number is not None and known == "extrapolated":
            assert number.basis == "extrapolated"


def test_what_is_called_calibrated_has_rows_and_what_has_rows_is_called_so() -> None:
    with_rows = {(row.platform, row.dtype) for row in benchmark_rows()}
    called = {
        (platform.name, level.name)
        for platform, cores in CELLS
        for level in load_levels()
        if support(platform.name, cores, level.name).ram == "calibrated"
    }
    assert called == with_rows


@pytest.mark.parametrize(
    ("platform", "cores", "level"),
    [("rk3588", 1, "w8a8"), ("rk3588", 2, "w8a8"), ("rk3588", 3, "w4a16")],
)
def test_speeds_nobody_measured_are_unknown(platform: str, cores: int, level: str) -> None:
    cell = support(platform, cores, level)
    assert (cell.tokens_per_s, cell.ttft) == (None, None)


def test_ttft_of_w8a8_in_groups_is_unknown() -> None:
    for group in (128, 256, 512):
        assert support("rk3588", 3, f"w8a8_g{group}").ttft is None
