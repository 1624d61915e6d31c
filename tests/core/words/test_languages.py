"""A language is one folder: it is found by listing, chosen by setting or locale, and what it lacks is English."""

import json
import os
import shutil
import string
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.base.errors import RKDeckError, error_from_json
from core.base.notes import Note, because
from core.words import (
    PLAIN,
    chosen,
    counted,
    kind_name,
    known,
    label,
    languages,
    note_text,
    phase_name,
    read_words,
    tell,
    unusable_words,
    word,
)  # fmt: skip
from core.words.language import Language
from core.words.tables import own_table
from tests.support.languages import SHIPPED, forget, third_language

ROOT = Path(__file__).parents[3]


@pytest.fixture
def third(tmp_path: Path) -> Iterator[Path]:
    with third_language(tmp_path) as folder:
        yield folder


@pytest.mark.parametrize(
    ("setting", "environ", "language"),
    [
        ("", {}, "en"),
        ("", {"LANG": "C"}, "en"),
        ("", {"LANG": "C.UTF-8"}, "en"),
        ("", {"LANG": "POSIX"}, "en"),
        ("", {"LANG": "es_MX.UTF-8"}, "es"),
        ("", {"LANG": "es_ES@euro"}, "es"),
        ("", {"LANG": "fr_FR.UTF-8"}, "en"),
        ("", {"LANG": "../es"}, "en"),
        ("", {"LANG": "es_ES", "LC_MESSAGES": "en_GB.UTF-8"}, "en"),
        ("", {"LANG": "en_GB", "LC_MESSAGES": "es_AR"}, "es"),
        ("", {"LANG": "es", "LC_MESSAGES": "es", "LC_ALL": "C"}, "en"),
        ("", {"LANG": "es", "LC_ALL": ""}, "es"),
        ("es", {"LANG": "C"}, "es"),
        ("en", {"LANG": "es"}, "en"),
        ("fr", {"LANG": "es"}, "en"),
    ],
)
def test_the_setting_wins_and_then_the_locale(setting: str, environ: dict[str, str], language: str) -> None:
    assert chosen(setting, environ) == language


def test_the_shipped_languages_tell_their_names() -> None:
    shipped = {path.parent.name for path in SHIPPED.glob("*/language.toml")}
    assert set(languages()) == shipped > {PLAIN}
    assert next(iter(languages())) == PLAIN
    assert languages()[PLAIN].name == "English"
    assert all(language.name.strip() for language in languages().values())


@pytest.mark.parametrize("language", languages())
def test_every_shipped_file_can_be_used(language: str) -> None:
    read_words(language)
    assert unusable_words(language) == ()


@pytest.mark.usefixtures("third")
def test_a_third_language_is_one_folder() -> None:
    assert languages()["xx"].name == "Xxish"
    assert known("xx_YY.UTF-8") == "xx"
    error = RKDeckError("jobs.unknown", job="j")
    assert word(error, "xx", window=True) == word(error, "es", window=True) != word(error, window=True)
    assert label("Copy all", "xx") == "Copiar todo"


def test_what_a_language_lacks_is_english(third: Path) -> None:
    for file in third.joinpath("xx").glob("*.toml"):
        if file.name != "language.toml":
            file.unlink()
    (third / "xx" / "errors.toml").write_text('["jobs.unknown"]\nmessage = "Xx {job}."\nhint = "xx."\n')
    forget()
    error = RKDeckError("jobs.unknown", job="j")
    assert word(error, "xx") == ("Xx j.", "xx.")
    # Its hint may name a command: the window shows its own in English rather than that.
    assert word(error, "xx", window=True) == ("Xx j.", "The Jobs page lists them.")
    other = RKDeckError("jobs.ambiguous", job="j", jobs=["a", "b"])
    assert word(other, "xx") == word(other)


def test_a_language_counts_by_its_own_rule(third: Path) -> None:
    (third / "xx" / "labels" / "more.toml").write_text('"{n} things" = ["{n} one", "{n} few", "{n} many"]\n')
    forget()
    told = [counted("{n} thing", "{n} things", n, "xx") for n in (1, 2, 5, 11, 12, 21, 104)]
    assert told == ["1 one", "2 few", "5 many", "11 many", "12 many", "21 one", "104 few"]
    assert counted("{n} thing", "{n} things", 1, "en") == "1 thing"


@pytest.mark.expects_log
@pytest.mark.parametrize("text", ["", "name = ", 'name = "X"', 'name = "X"\nplural = [1]', "\xff"])
def test_a_half_made_language_is_left_out_and_told(third: Path, text: str) -> None:
    (third / "xx" / "language.toml").write_text(text, "latin-1")
    forget()
    assert "xx" not in languages()
    assert known("xx_YY") == PLAIN
    (error,) = unusable_words("xx_YY.UTF-8")
    assert error.code == "words.language_unusable"
    assert "xx/language.toml" in word(error)[0]
    assert unusable_words("es_ES") == unusable_words("C") == ()


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("names", '[kind]\ndownload = "x"\nconvert = \n', "not valid TOML (line 3)"),
        ("names", '[kind]\ndownload = "x', "it ends in the middle"),
        ("names", 'kind = "x"\n', "kind is no section (line 1)"),
        ("names", "[kind]\n\ndownload = 5\n", "download is no text (line 3)"),
        ("names", '[phase]\nwait_hub = "{seconds:d}"\n', "wait_hub has a place that nothing fills (line 2)"),
        ("names", '[phase]\nwait_hub = "{"\n', "wait_hub has a place that nothing fills (line 2)"),
        ("names", "\xff", "not UTF-8"),
        ("names", "a = " + "[" * 5000, "names.toml"),
        ("notes", '["no_tokenizer"]\nx = "y"\n', "no_tokenizer is no text (line 1)"),
        ("values", 'reason = "x"\n', "reason is no section (line 1)"),
        ("errors", '"jobs.unknown" = "x"\n', "jobs.unknown is no section (line 1)"),
        ("errors", '["jobs.nobody"]\nmessage = "{}"\n', "message has a place that nothing fills (line 2)"),
        ("errors", '"nobody.knows" = "x"\n', "nobody.knows is no section (line 1)"),
        ("errors", '["a.b"]\nhint = "x"\n["a.c"]\nhint = "{"\n', "hint has a place that nothing fills (line 4)"),
        ("errors_in_window", '["jobs.unknown"]\nhint = []\n', "hint is no text (line 2)"),
        ("help", "[estimate]\nmodel = true\n", "model is no text (line 2)"),
        ("labels/cli", '"Run this?" = "{strange}"\n', "Run this? has a place that nothing fills (line 1)"),
        ("labels/cli", '"Run this?" = []\n', "Run this? is no text (line 1)"),
        ("labels/argparse", '"unrecognized arguments: %s" = "x"\n', "has a place that nothing fills (line 1)"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_told_and_english_stands_in(
    third: Path, name: str, text: str, told: str
) -> None:
    (third / "xx" / f"{name}.toml").write_text(text, "latin-1")
    forget()
    read_words("xx")
    (error,) = unusable_words("xx_YY")
    assert error.code == "words.file_unusable"
    assert f"xx/{name}.toml" in word(error)[0]
    assert told in word(error)[0]
    assert "xx" in languages()
    unknown = RKDeckError("jobs.unknown", job="j")
    if name == "errors":
        assert word(unknown, "xx") == word(unknown)
    else:
        assert word(unknown, "xx") == word(unknown, "es")
    language = PLAIN if name == "names" else "es"
    assert kind_name("download", "xx") == kind_name("download", language)
    assert phase_name("wait_hub", {"seconds": 3}, "xx") == phase_name("wait_hub", {"seconds": 3}, language)


def test_a_language_without_plural_forms_has_one() -> None:
    assert {Language("zh", "中文", ({},)).form(count) for count in range(30)} == {0}


def test_a_line_of_a_log_is_english_text_and_code_with_facts() -> None:
    told: list[tuple[str, str, RKDeckError | None]] = []

    def log(text: str, level: str = "info", *, error: RKDeckError | None = None) -> None:
        told.append((text, level, error))

    cause = RKDeckError("remote.closed", host="h", port=22, reason=because("connection_ended"))
    tell(log, RKDeckError("deploy.not_tidied", cause=cause.to_json()), "warning")
    ((text, level, error),) = told
    assert level == "warning"
    assert "remote.closed" not in text
    assert text.startswith("Older versions could not be removed: ")
    assert error is not None
    spanish = word(error, "es")[0]
    assert "remote.closed" not in spanish
    assert "terminó la conexión" in spanish


def rkdeck(
    home: Path, *arguments: str, tree: Path = ROOT, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own, with the data files of another tree."""
    script = (
        "import sys; sys.path[:0] = sys.argv[1:3]; del sys.argv[1:3]\n"
        "from gui.main import main; sys.exit(main())"
    )
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "LANG"))}
    return subprocess.run(
        [sys.executable, "-c", script, str(tree), str(ROOT), *arguments, "--home", str(home)],
        capture_output=True, text=True, cwd=home, env={**clean, "PYTHONUTF8": "1", **environ},
    )  # fmt: skip


def test_the_command_line_speaks_the_language_of_setting_or_locale(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(ROOT / "resources", tree / "resources")
    shutil.copytree(SHIPPED / "es", tree / "resources" / "translations" / "xx")
    home = tmp_path / "home"
    home.mkdir()
    assert "No boards yet." in rkdeck(home, "board", LANG="C").stdout
    assert "Aún no hay placas." in rkdeck(home, "board", LANG="es_MX.UTF-8").stdout
    assert "Aún no hay placas." in rkdeck(home, "board", tree=tree, LANG="xx_XX.UTF-8").stdout
    failed = rkdeck(home, "jobs", "show", "nothing", LC_ALL="es_ES.UTF-8", LANG="C")
    assert "No existe la tarea nothing." in failed.stderr
    assert "`rkdeck jobs` las muestra." in failed.stderr
    program = rkdeck(home, "jobs", "show", "nothing", "--json", LANG="es_ES.UTF-8")
    assert json.loads(program.stdout)["error"]["message"] == "There is no job nothing."
    (tree / "resources" / "translations" / "xx" / "labels" / "cli.toml").write_text('"a" = \n')
    broken_words = rkdeck(home, "board", tree=tree, LANG="xx_XX.UTF-8")
    assert "No boards yet." in broken_words.stdout
    assert "labels/cli.toml" in broken_words.stderr
    assert "(línea 1)" in broken_words.stderr
    assert (broken_words.returncode, "Traceback" in broken_words.stderr) == (0, False)
    assert rkdeck(home, "board", "--json", tree=tree, LANG="xx_XX.UTF-8").stderr == ""
    (home / "settings.toml").write_text('language = "es"\n')
    assert "Aún no hay placas." in rkdeck(home, "board", LANG="C").stdout
    (home / "settings.toml").write_text("language = [\n")
    broken = rkdeck(home, "board", LANG="es_ES.UTF-8")
    assert broken.returncode == 1
    assert broken.stderr.startswith(
        "rkdeck: El archivo de ajustes"
    )  # what it says of a language, nobody knows
    assert rkdeck(home, "board", LANG="C").stderr.startswith("rkdeck: The settings")


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize("code", sorted(own_table(PLAIN, "notes")))
def test_a_note_told_as_a_reason_is_worded_in_every_language(code: str, language: str) -> None:
    places = [name for _, name, _, _ in string.Formatter().parse(own_table(PLAIN, "notes")[code]) if name]
    note = Note(code, tuple((name, f"7.{number}") for number, name in enumerate(places)))
    error = RKDeckError("convert.unsupported", dtype="d", platform="p", reason=note.to_json())
    told = word(error_from_json(json.loads(json.dumps(error.to_json()))), language)[0]
    assert note_text(note, language).rstrip(".") in told
    assert language == PLAIN or note_text(note) not in told
