"""The table of the benchmark's models: counted as their model classes count them, and the rows they explain."""

import statistics

import pytest

from core.estimate.known_models import BenchmarkRow, benchmark_rows, known_models
from core.estimate.table import estimate_model
from core.model.shape import build_shape
from core.vendor.platforms import get_platform
from core.words import note_text


@pytest.mark.parametrize("name", known_models())
def test_every_model_has_a_shape_and_its_parameters(name: str) -> None:
    model = known_models()[name]
    shape = build_shape(model.facts())
    assert shape.modelled, [note_text(note) for note in shape.notes]
    # The table leaves out norms and biases: at most a thousandth of a model.
    assert 0.998 < shape.parameters / model.parameters <= 1


def test_every_row_has_its_model() -> None:
    assert len(benchmark_rows()) >= 51
    for row in benchmark_rows():
        assert row.model in known_models()
        assert row.dtype in get_platform(row.platform).dtypes


def error_of(row: BenchmarkRow) -> tuple[float, float, float]:
    found = estimate_model(known_models()[row.model].facts(), get_platform(row.platform), context=256)
    level = found.row(row.dtype)
    assert level is not None
    assert level.ram is not None
    assert level.tokens_per_s is not None
    assert level.ttft_ms is not None
    return (
        level.ram.value / 2**20 / row.memory_mib - 1,
        level.tokens_per_s.value / row.tokens_per_s - 1,
        level.ttft_ms.value / row.ttft_ms - 1,
    )


def test_the_rows_are_met() -> None:
    ram, speed, first = zip(*map(error_of, benchmark_rows()), strict=True)
    assert statistics.mean(map(abs, ram)) < 0.010
    assert max(map(abs, ram)) < 0.055
    assert statistics.mean(map(abs, speed)) < 0.045
    assert statistics.mean(map(abs, first)) < 0.055
