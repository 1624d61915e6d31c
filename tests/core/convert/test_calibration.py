"""Calibration data is looked at before a conversion, entry by entry."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base.errors import RefusedError
from core.cli.main import run as rkdeck
from core.convert.calibration import check_calibration
from core.convert.order import ConvertOrder
from core.convert.plan import plan_conversion
from core.convert.recipe import Recipe, validate
from core.convert.toolkits import ToolkitRegistry
from core.words import known, word
from tests.support.models import write_random_model

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
        (b"[" + b"[]," * 2_200_000 + b"1]", "dataset_odd_json"),
        (b'[{"input": "a", "target": null}]', "dataset_entry_no_text"),
        (b'[{"input": "a", "target": 7}]', "dataset_entry_no_text"),
        (b'[{"input": " ", "target": "b"}]', "dataset_entry_blank"),
        (b'["a", "b"]', "dataset_entry_no_object"),
        (b'[{"input": "a \\ud800", "target": "b"}]', "dataset_entry_half"),
        (b'[{"input": "a", "target": "\\udc00\\ud800"}]', "dataset_entry_half"),
        (b'{"input": "a", "target": "b"}\r\n\r\n{"input": "c", target\r\n', "dataset_json_lines"),
        (
            b'{"input": "%s", "target": "b"}\n{"input": "c", "target": "d"}' % (b"x" * (1 << 20)),
            "dataset_json_lines",
        ),
        (
            '{"input": "a\u2028b", "target": "b"}\n{"input": "c", "target": "d"}'.encode(),
            "dataset_json_lines",
        ),
        (b'{"input": "a",\n "target": "b"}\n{"input": "c"}', "dataset_not_json"),
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


def test_samples_longer_than_the_context_are_counted_in_the_models_own_tokens(tmp_path: Path) -> None:
    folder = write_random_model(tmp_path / "model")  # its tokens are bytes
    path = tmp_path / "data.json"
    path.write_text(
        json.dumps([GOOD, {"input": "x" * 40, "target": "y" * 24}, {"input": "x" * 41, "target": "y" * 24}])
    )
    found = check_calibration(path, 64, folder)
    assert found.errors == ()
    assert [(error.code, error.facts) for error in found.long] == [
        ("convert.dataset_entry_long", {"entries": "3", "count": 1, "context": 64, "longest": 65})
    ]
    assert check_calibration(path, 65, folder).long == ()


@pytest.mark.parametrize("folder", [None, "empty", "damaged"])
def test_without_a_tokenizer_characters_are_a_bound_and_it_says_so(
    tmp_path: Path, folder: str | None
) -> None:
    path = tmp_path / "data.json"
    path.write_text(json.dumps([{"input": "x" * 64, "target": "y" * 64}, GOOD]))
    model = None if folder is None else tmp_path / folder
    if model is not None:
        model.mkdir()
    if folder == "damaged":
        (tmp_path / folder / "tokenizer.json").write_text("{")
    found = check_calibration(path, 64, model)
    assert (found.errors, found.long) == ((), ())
    assert [(error.code, error.facts["entries"]) for error in found.warnings] == [
        ("convert.dataset_maybe_long", "1")
    ]


def test_half_a_character_is_told_and_fails_no_tokenizer(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text(json.dumps([{"input": "\ud800" * 200, "target": "y"}]))
    found = check_calibration(path, 64, write_random_model(tmp_path / "model"))
    assert [error.code for error in found.errors] == ["convert.dataset_entry_half"]


def test_who_insists_may_convert_with_long_samples_but_not_with_unreadable_ones(
    tmp_path: Path, toolkit_python: Path, registry: ToolkitRegistry
) -> None:
    folder, path = write_random_model(tmp_path / "model"), tmp_path / "data.json"
    toolkit = registry.add(toolkit_python)

    def plan(*, force: bool) -> ConvertOrder:
        recipe = Recipe(platform="rk3588", dtype="w8a8", context=64, dataset=path)
        return plan_conversion(folder, recipe, toolkit, library_folder=tmp_path, force=force)

    path.write_text(json.dumps([{"input": "x" * 65, "target": "y"}]))
    with pytest.raises(RefusedError) as caught:
        plan(force=False)
    assert caught.value.code == "convert.dataset_entry_long"
    assert plan(force=True).calls[1]["arguments"]["dataset"] == str(path)  # type: ignore[index, call-overload]
    path.write_text("[]")
    with pytest.raises(RefusedError) as caught:
        plan(force=True)
    assert caught.value.code == "convert.dataset_empty"


@pytest.mark.parametrize(
    ("data", "code"),
    [("[]", "convert.dataset_empty"), ('[{"prompt": "a"}]', "convert.dataset_entry_keys"),
     (json.dumps([{"input": "x" * 9999, "target": "y"}]), "convert.dataset_entry_long")],
)  # fmt: skip
def test_the_command_line_refuses_bad_data_before_anything_starts_and_exits_with_3(
    tmp_path: Path, toolkit_python: Path, capsys: pytest.CaptureFixture[str], data: str, code: str
) -> None:
    folder, path, home = write_random_model(tmp_path / "model"), tmp_path / "data.json", tmp_path / "home"
    path.write_text(data)
    assert rkdeck(["toolkit", "add", str(toolkit_python), "--home", str(home)]) == 0
    capsys.readouterr()
    usual = ["--json", "--home", str(home), "--dataset", str(path)]
    convert = ["convert", str(folder), "--platform", "rk3588", "--dtype", "w8a8", "--context", "64", *usual]
    perplexity = ["perplexity", str(folder), "--engine", "toolkit", "--level", "w8a8", *usual]
    for arguments in (convert, perplexity):
        assert rkdeck(arguments) == 3, arguments
        assert json.loads(capsys.readouterr().out.splitlines()[-1])["error"]["code"] == code
    assert not list((home / "jobs").glob("*"))


def test_a_recipe_tells_it_before_anything_starts_and_nobody_may_insist(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text("[]")
    problems = validate(Recipe(platform="rk3588", dtype="w8a8", dataset=path), None, None)
    assert [(problem.error.code, problem.severity, problem.final) for problem in problems] == [
        ("convert.dataset_empty", "error", True)
    ]


def test_both_halves_of_a_character_are_text(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text(json.dumps([{"input": "a \U0001f600", "target": "b"}]))
    assert "\\ud83d\\ude00" in path.read_text()
    assert codes(path) == []


def test_the_advice_for_json_lines_makes_them_a_list(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    for count in (1, 3):
        lines = [json.dumps(GOOD | {"input": f"{number}?"}) for number in range(count)]
        path.write_text("\n".join(lines) + "\n")
        assert codes(path) == ["dataset_json_lines"]
        path.write_text("[" + ",\n".join(lines) + "]")  # as the hint says
        assert codes(path) == []


_PIECES = st.sampled_from(
    ["{", "}", "[", "]", ",", ":", '"input"', '"target"', '"x"', '"\\ud800"', '"\\udc00"', "\n", "\r\n", "\u2028", " ",
     "\ufeff", "NaN", "1e999", "9" * 5000, "-", "null", "true", '"\\u0000"', '"', "\\", "\x00", "[" * 3000]
)  # fmt: skip


@given(pieces=st.lists(_PIECES, max_size=30), context=st.none() | st.integers(1, 64))
def test_pieces_of_json_in_any_order_are_a_record_or_a_typed_error(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[str], context: int | None
) -> None:
    path = tmp_path_factory.mktemp("calibration") / "data.json"
    path.write_bytes("".join(pieces).encode())
    found = check_calibration(path, context)
    assert (found.samples is None) <= bool(found.errors)
    for error in (*found.errors, *found.long, *found.warnings):
        json.dumps(error.to_json()).encode()  # goes into events and logs
        assert word(error, known("en"))[0].encode()


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
