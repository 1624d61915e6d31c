"""The constants in the data file are those the fit gives, and the fit's formulas are the estimate's."""

import tomllib
from importlib import resources

import pytest

from core.estimate import calibrate
from core.estimate.known_models import known_models
from core.estimate.table import estimate_model

pytest.importorskip("scipy", reason="scipy is not installed (dependency group `test`)")


@pytest.fixture(scope="module")
def fitted() -> tuple[calibrate.Constants, calibrate.Constants]:
    found = calibrate.samples()
    return calibrate.fit_ram(found), calibrate.fit_speed(found)


def test_the_data_file_holds_what_the_fit_gives(
    fitted: tuple[calibrate.Constants, calibrate.Constants],
) -> None:
    text = (resources.files("resources") / "estimator.toml").read_text("utf-8")
    kept, anew = tomllib.loads(text), tomllib.loads(calibrate.put_constants(text, *fitted))
    for section in ("memory", "decode", "ttft"):
        assert _flat(anew[section]) == pytest.approx(_flat(kept[section]), rel=0.01)


def test_the_fits_formulas_are_the_estimates(fitted: tuple[calibrate.Constants, calibrate.Constants]) -> None:
    errors = calibrate.errors(calibrate.samples(), *fitted)
    for sample, ram, speed, first in zip(
        calibrate.samples(), errors.ram, errors.decode, errors.ttft, strict=True
    ):
        row = sample.row
        level = estimate_model(
            known_models()[row.model].facts(), sample.platform, context=calibrate.CONTEXT
        ).row(row.dtype)
        assert level is not None
        assert level.ram is not None
        assert level.tokens_per_s is not None
        assert level.ttft_ms is not None
        assert level.ram.value / 2**20 == pytest.approx((1 + ram) * row.memory_mib, rel=0.005)
        assert level.tokens_per_s.value == pytest.approx((1 + speed) * row.tokens_per_s, rel=0.01)
        assert level.ttft_ms.value == pytest.approx((1 + first) * row.ttft_ms, rel=0.01)


def test_models_the_fit_has_not_seen_are_met(fitted: tuple[calibrate.Constants, calibrate.Constants]) -> None:
    errors = calibrate.leave_one_model_out(calibrate.samples())
    for values, mean in ((errors.ram, 0.013), (errors.decode, 0.055), (errors.ttft, 0.065)):
        assert sum(map(abs, values)) / len(values) < mean


def test_a_constant_that_is_not_in_the_file_is_an_error() -> None:
    with pytest.raises(LookupError, match=r"memory\.nothing"):
        calibrate.put_constants("[memory]\nvocab_kib = 1\n", {"nothing": 1.0}, {"group_ms.one_core": 1.0})


def _flat(table: dict[str, object], prefix: str = "") -> dict[str, float]:
    found: dict[str, float] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{key}.")
        elif isinstance(value, int | float):
            found[prefix + key] = value
    return found
