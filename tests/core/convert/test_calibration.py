"""Calibration data is looked at before a conversion, entry by entry."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.convert.calibration import check_calibration
from core.convert.recipe import Recipe, validate

GOOD = {"input": "What is a rock?", "target": "A stone."}


def codes(path: Path) -> list[str]:
    return [error.code.removeprefix("convert.") for error in check_calibration(path).errors]


def test_what_the_manual_asks_for_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text(json.dumps([GOOD, {"input": "今天天气怎么样", "target": "晴。", "source": "mine"}]))
    found = check_calibration(path)
    assert (found.samples, found.errors, found.warnings) == (2, (), ())


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "dataset_not_json"),
        (b"[]", "dataset_empty"),
        (json.dumps(GOOD).encode(), "dataset_not_list"),
        (b'{"input": "a", "target": "b"}\n{"input": "c", "target": "d"}\n', "dataset_json_lines"),
        (json.dumps([GOOD]).encode("utf-8-sig"), "dataset_encoding"),
        (json.dumps([GOOD]).encode("utf-16"), "dataset_encoding"),
        ('[{"input": "año", "target": "b"}]'.encode("latin-1"), "dataset_not_utf8"),
        (b'[{"input": NaN, "target": "b"}]', "dataset_odd_json"),
        (b"[" * 100_000, "dataset_odd_json"),
        (b'[{"input": "a", "target": null}]', "dataset_entry_no_text"),
        (b'[{"input": "a", "target": 7}]', "dataset_entry_no_text"),
        (b'[{"input": " ", "target": "b"}]', "dataset_entry_blank"),
        (b'["a", "b"]', "dataset_entry_no_object"),
        (b'[{"prompt": "a", "response": "b"}]', "dataset_entry_keys"),
        (b'[{"messages": []}]', "dataset_entry_keys"),
    ],
)
def test_what_the_toolkit_would_stumble_over_is_told(tmp_path: Path, data: bytes, code: str) -> None:
    path = tmp_path / "data.json"
    path.write_bytes(data)
    assert codes(path) == [code]


def test_every_entry_with_a_fault_is_counted_and_the_keys_are_named(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text(
        json.dumps([GOOD, *[{"prompt": str(number), "response": "b"} for number in range(20)], GOOD])
    )
    found = check_calibration(path)
    assert found.errors[0].facts == {
        "entries": "2, 3, 4, 5, 6, 7, 8, 9, …", "count": 20, "found": "prompt, response",
    }  # fmt: skip
    assert [(warning.code, warning.facts["entries"]) for warning in found.warnings] == [
        ("convert.dataset_repeats", "22")
    ]


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text('[\n{"input": "a", "target": "b"},\n{"input" "c"}\n]')
    assert check_calibration(path).errors[0].facts["line"] == 3


def test_a_folder_or_a_pipe_is_no_calibration_data(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert codes(tmp_path) == codes(tmp_path / "pipe") == ["dataset_no_file"]


def test_a_recipe_tells_it_before_anything_starts_and_nobody_may_insist(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text("[]")
    problems = validate(Recipe(platform="rk3588", dtype="w8a8", dataset=path), None, None)
    assert [(problem.error.code, problem.severity, problem.final) for problem in problems] == [
        ("convert.dataset_empty", "error", True)
    ]


@given(data=st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["input", "target", "x"]), inner),
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_whatever_the_file_holds_it_is_only_told(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.mktemp("calibration") / "data.json"
    path.write_bytes(data)
    found = check_calibration(path)
    assert (found.samples is None) <= bool(found.errors)
