"""Numbers on the command line: 0 is what was asked for and no missing answer; what is no number is told in words."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.cli.main import run as rkdeck
from core.demo.hub.server import DemoHub
from core.demo.toolkit_env import create_toolkit_env
from tests.support.models import write_random_model


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[DemoHub]:
    with DemoHub({}, catalogue=50) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Exit code and error code of a call."""
    exit_code = rkdeck([*arguments, "--json", "--home", str(tmp_path / "home")])
    return exit_code, json.loads(capsys.readouterr().out)["error"]["code"]


@pytest.mark.parametrize("verb", ["estimate", "convert"])
def test_a_context_of_nothing_is_not_the_usual_one(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(write_random_model(tmp_path / "tiny"))
    more: tuple[str, ...] = ()
    if verb == "convert":
        python = str(create_toolkit_env(tmp_path / "env"))
        assert rkdeck(["toolkit", "add", python, "--home", str(tmp_path / "home")]) == 0
        capsys.readouterr()
        more = ("--dtype", "w8a8")
    answer = refused(tmp_path, capsys, verb, model, "--platform", "rk3588", "--context", "0", *more)
    assert answer == (3, "estimate.bad_context")


@pytest.mark.parametrize("number", ["0", "-3", "8GB", "nan", "inf"])
@pytest.mark.parametrize(
    "call",
    [("search", "some", "--max-ram"), ("board", "discover", "--seconds"), ("monitor", "desk", "--samples")],
)
def test_memory_time_and_samples_are_more_than_nothing_and_have_an_end(
    call: tuple[str, ...], number: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    *verb, option = call
    assert refused(tmp_path, capsys, *verb, f"{option}={number}") == (2, "cli.usage")


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize(("query", "says"), [("catalogue", "--max-ram"), ("zzz", "fewer words")])
def test_a_search_tells_whether_the_words_or_the_memory_left_nothing(
    query: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rkdeck(["search", query, "--max-ram", "0.001", "--home", str(tmp_path / "home")]) == 0
    assert says in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("estimate", "some/tiny", "--context", "4k"), "4k is not a whole number"),
        (("monitor", "desk", "--interval", "fast"), "fast is not a number"),
    ],
)
def test_what_is_no_number_is_told_without_names_of_types(
    arguments: tuple[str, ...], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rkdeck([*arguments, "--home", str(tmp_path / "home")]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("number", ["\u0664\u0660\u0669\u0666", "1_000", "\uff14\uff10"])
@pytest.mark.parametrize(
    "call",
    [
        ("estimate", "./none", "--context"),
        ("convert", "some/tiny", "--context"),
        ("doctor", "desk", "--context"),
        ("monitor", "desk", "--interval"),
        ("monitor", "desk", "--samples"),
        ("search", "some", "--max-ram"),
        ("search", "some", "--limit"),
        ("board", "discover", "--seconds"),
        ("prune", "desk", "--keep"),
        ("prune", "desk", "--budget"),
        ("deploy", "./none", "desk", "--limit"),
    ],
)
def test_a_number_is_written_in_ascii_digits_alone(
    call: tuple[str, ...], number: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    *verb, option = call
    home = str(tmp_path / "home")
    assert rkdeck([*verb, f"{option}={number}", "--home", home]) == 2
    error = capsys.readouterr().err
    assert option in error
    assert "is not a" in error


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (("serch", "qwen"), "search"),
        (("library", "verfy"), "verify"),
        (("search", "qwen", "--max-rm=8"), "--max-ram"),
        (("jobs", "--jsn"), "--json"),
    ],
)
def test_of_a_mistyped_word_the_nearest_is_named(
    arguments: tuple[str, ...],
    meant: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for language, asks in (("C", "did you mean {}?"), ("es_ES.UTF-8", "¿quería decir {}?")):
        monkeypatch.setenv("LC_ALL", language)
        assert rkdeck([*arguments, "--home", str(tmp_path / "home")]) == 2
        assert asks.format(meant) in capsys.readouterr().err


def test_of_a_word_like_no_other_nothing_is_guessed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rkdeck(["xyzzy" * 1000, "--home", str(tmp_path / "home")]) == 2
    assert "did you mean" not in capsys.readouterr().err
