"""The help of every verb is in the reader's language, and says something of every argument."""

import argparse
import ast
import tomllib
from pathlib import Path

import pytest

from core.cli.main import VERBS, _load
from core.cli.main import run as rkdeck
from core.cli.parsing import arguments, build, speaking
from core.words import PLAIN, languages

ROOT = Path(__file__).parents[3]
OTHERS = [code for code in languages() if code != PLAIN]
COMMANDS = sorted((ROOT / "core" / "cli").rglob("*.py"))


def _table(language: str) -> dict[str, dict[str, str]]:
    return tomllib.loads((ROOT / "resources" / "translations" / language / "help.toml").read_text("utf-8"))


def _arguments(verb: str) -> dict[str, argparse.Action]:
    parser = argparse.ArgumentParser()
    _load(verb).configure(parser)
    return {action.dest: action for action in arguments(parser)}


def test_every_argument_has_its_text_and_no_text_is_left_over() -> None:
    table = _table(PLAIN)
    common = {"description", "home", "json", "help"}
    wanted = {verb: set(_arguments(verb)) - {"help"} for verb in VERBS}
    told = {section: set(entries) for section, entries in table.items()}
    assert told.pop("rkdeck") == common
    assert told.pop("verbs") == set(VERBS)
    assert told == {verb: names for verb, names in wanted.items() if names}


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path.name)
def test_no_help_is_written_in_the_code(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        for keyword in node.keywords:
            written = isinstance(keyword.value, ast.Constant | ast.JoinedStr)
            assert not (keyword.arg in {"help", "description", "epilog", "title"} and written), (
                f"{path.name}:{node.lineno} writes {keyword.arg}=...: its text lies in translations/*/help.toml"
            )


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("verb", [None, *VERBS])
def test_a_help_has_no_sentence_of_english(
    language: str,
    verb: str | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("LC_ALL", f"{language}.UTF-8")
    monkeypatch.setenv("COLUMNS", "10000")
    with pytest.raises(SystemExit) as ended:
        rkdeck([*([verb] if verb else []), "--help", "--home", str(tmp_path)])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    english = [text for section in _table(PLAIN).values() for text in section.values() if " " in text]
    own = {text for section in _table(language).values() for text in section.values()}
    parts = {part for text in english for part in text.replace("{listed}", "{default}").split("{default}")}
    assert [part for part in parts if len(part.split()) > 1 and part in told and part not in own] == []
    for words in ("usage:", "options:", "positional arguments", "show this help"):
        assert words not in told


def test_the_help_of_a_program_and_of_english_is_english(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LC_ALL", "es_ES.UTF-8")
    for arguments_given in (["estimate", "--help", "--json"], ["estimate", "--json", "--help"]):
        with pytest.raises(SystemExit):
            rkdeck(arguments_given)
        assert "usage: rkdeck estimate" in capsys.readouterr().out
    with speaking("es"):
        assert build(None, VERBS, "es").format_usage().startswith("uso: ")
    assert argparse.ArgumentParser(prog="x").format_usage().startswith("usage: ")


def test_the_home_that_is_named_tells_the_language_of_the_help(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    (tmp_path / "settings.toml").write_text('language = "es"\n')
    for home in (["--home", str(tmp_path)], [f"--home={tmp_path}"]):
        with pytest.raises(SystemExit):
            rkdeck(["jobs", *home, "--help"])
        assert "mostrar, seguir" in capsys.readouterr().out


def test_an_argument_that_only_the_program_knows_stays_hidden(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        rkdeck(["board", "--help", "--json"])
    assert "--sysroot" not in capsys.readouterr().out
