"""What is named and not there is a mistake in the command (2), what is there and is something else a refusal (3)."""

import json
from pathlib import Path

import pytest

from core.base.opening import is_missing
from core.cli.main import run as rkdeck
from core.convert.recipe import Recipe, _option_problems
from tests.support.every_verb import NOWHERE
from tests.support.odd_shells import House, build_house

MODEL, NONE, FOLDER = "@model", "@none", "@folder"
CONVERT = ("convert", MODEL, "--platform", "rk3588", "--dtype", "w8a8")
# Each place where a verb takes a file of this computer.
PLACES = [
    ("estimate",), ("inspect",), ("analyze",), ("perplexity",), ("library", "add"), ("toolkit", "add"),
    ("deploy", "@", "desk"), ("convert", "@", "--platform", "rk3588", "--dtype", "w8a8"),
    ("doctor", "desk", "--model"), ("perplexity", MODEL, "--text"),
    ("board", "add", "other", f"me@{NOWHERE}", "--identity"),
]  # fmt: skip
# Those that take a file, and no folder.
FILES = [("inspect",), ("toolkit", "add"), ("deploy", "@", "desk"), ("perplexity", MODEL, "--text")]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    return build_house(tmp_path_factory.mktemp("house"))


def asked(
    house: House, capsys: pytest.CaptureFixture[str], place: tuple[str, ...], given: Path
) -> tuple[int, dict[str, object]]:
    words = place if "@" in place else (*place, "@")
    known = {"@": str(given), MODEL: str(house.model)}
    code = rkdeck([*(known.get(word, word) for word in words), "--json", "--home", str(house.home)])
    return code, json.loads(capsys.readouterr().out.splitlines()[-1])["error"]


@pytest.mark.parametrize("place", PLACES, ids=" ".join)
def test_what_is_not_there_is_a_mistake_in_the_command(
    place: tuple[str, ...], house: House, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    missing = tmp_path / "nothing"
    code, error = asked(house, capsys, place, missing)
    assert code == 2, error
    assert str(missing) in str(error["message"])


@pytest.mark.parametrize("place", FILES, ids=" ".join)
def test_a_folder_where_a_file_belongs_is_refused(
    place: tuple[str, ...], house: House, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, error = asked(house, capsys, place, tmp_path)
    assert code == 3, error
    assert "Drop" not in str(error["hint"])


def test_only_what_certainly_is_not_there_is_missing(tmp_path: Path) -> None:
    for path in (tmp_path / "x", tmp_path / ("x" * 300), tmp_path / "a\0b"):
        assert is_missing(path)
    (tmp_path / "link").symlink_to("nowhere")
    assert is_missing(tmp_path / "link")
    assert not is_missing(tmp_path)


@pytest.mark.parametrize("option", ["dataset", "lora"])
def test_a_conversions_inputs_that_are_missing_are_no_matter_of_force(option: str, tmp_path: Path) -> None:
    recipe = Recipe("rk3588", "w8a8", **{option: tmp_path / "nothing"})  # type: ignore[arg-type]
    (found,) = [problem for problem in _option_problems(recipe) if problem.severity == "error"]
    assert (found.error.code, found.error.exit_code, found.final) == ("convert.input_missing", 2, True)
