"""Words for errors: over the same facts in every language, in a window's terms where it shows them, harmless."""

import ast
import errno
import os
import re
import socket
import ssl
import string
import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from core.base.errors import JsonValue, RKDeckError, UsageError, error_from_json
from core.base.notes import because, note
from core.base.trouble import reason_of
from core.jobs.model import JobState
from core.words import PLAIN, known, languages, messages, note_text, word

ROOT = Path(__file__).parents[3]
LANGUAGES = tuple(languages())
# A command of ours, also alone in backticks (`rkdeck.log` and `rkdeck-store` are files), or an option.
_COMMAND = re.compile(
    r"`rkdeck`|\brkdeck (?=[a-z-])|(?<![\w-])--[a-z]|`(?:retry|resume|jobs|library|board|toolkit) ?"
)
_FAMILIAR = re.compile(r"\b(?:usted|ustedes|tú|tu|tus|vos|su token|por favor)\b", re.IGNORECASE)
_WORDED_FACTS = frozenset({"why", "problem", "what", "reason", "missing"})
_FILE_NAMES = {"config.json", "*.safetensors"}
_HELPERS = {"_strange": "what", "_bad": "problem"}
_ERRORS = {"RKDeckError", "UsageError", "RefusedError", "CancelledError"}


def _document(language: str, name: str) -> dict[str, Any]:
    return tomllib.loads((resources.files("resources") / "translations" / language / name).read_text("utf-8"))


def word_error(error: RKDeckError, language: str) -> tuple[str, str]:
    """What the window shows."""
    return word(error, known(language), window=True)


def _fields(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def _texts(language: str) -> Iterator[tuple[str, str, str]]:
    """All messages and hints of a language, those of the command line and the window's."""
    for window in (False, True):
        for code, (message, hint) in messages(language, window=window).items():
            yield code, message, hint


def _window_texts(language: str) -> Iterator[tuple[str, str, str]]:
    for code, (message, hint) in messages(language, window=True).items():
        yield code, message, hint


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_window_says_only_what_differs(language: str) -> None:
    everywhere = _document(language, "errors.toml")
    for code, texts in _document(language, "errors_in_window.toml").items():
        assert texts, code
        assert set(texts) <= {"message", "hint"}, code
        assert [name for name, text in texts.items() if text == everywhere[code][name]] == [], code


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_fact_is_added_or_lost(language: str) -> None:
    for code, message, hint in _texts(language):
        english = messages()[code]
        assert _fields(message) == _fields(english[0]), code
        # An advice may name again, or no longer, what its message has already told.
        assert _fields(message) | _fields(hint) == _fields(english[0]) | _fields(english[1]), code
        assert bool(hint) == bool(english[1]), code


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_window_speaks_of_no_command_of_ours(language: str) -> None:
    for code, message, hint in _window_texts(language):
        assert not _COMMAND.search(message), f"{code}: {message}"
        assert not _COMMAND.search(hint), f"{code}: {hint}"


@pytest.mark.parametrize(
    "text", ["`rkdeck jobs` lists", "add --force.", "(--store DIR)", "run rkdeck board", "`rkdeck`"]
)
def test_the_search_for_commands_finds_them(text: str) -> None:
    assert _COMMAND.search(text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_are_sentences(language: str) -> None:
    for code, message, hint in _texts(language):
        for text in filter(None, (message, hint)):
            assert text[0].isupper() or text[0] in "`{¿", code
            assert text == text.strip(), code
            assert "  " not in text, code


def test_spanish_addresses_nobody() -> None:
    for code, message, hint in _texts("es"):
        assert not _FAMILIAR.search(f"{message} {hint}"), code


def test_spanish_was_translated() -> None:
    same = [code for code, message, hint in _texts("es") if message == messages()[code][0]]
    assert same == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_values_keep_their_places(language: str) -> None:
    for name, table in _document(language, "values.toml").items():
        for value, text in table.items() if isinstance(table, dict) else ():
            # An error's code among the values is not told again: no bare code is shown.
            assert _fields(value) - {"code"} <= _fields(text) <= _fields(value), f"{name}: {value}"


def _literals(node: ast.expr) -> Iterator[str]:
    for part in node.values if isinstance(node, ast.BoolOp) else [node]:
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value:
            yield part.value


def _literal_facts() -> Iterator[tuple[str, str, str]]:
    for path in sorted((ROOT / "core").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
                continue
            where = f"{path.relative_to(ROOT)}:{node.lineno}"
            if node.func.id in _ERRORS:
                for keyword in node.keywords:
                    if keyword.arg in _WORDED_FACTS:
                        yield from ((where, keyword.arg, text) for text in _literals(keyword.value))
            elif node.func.id in _HELPERS and node.args:
                yield from ((where, _HELPERS[node.func.id], text) for text in _literals(node.args[0]))


def test_spanish_words_the_causes_that_core_writes_out() -> None:
    tables = _document("es", "values.toml")
    found = [(where, fact, text) for where, fact, text in _literal_facts() if text not in _FILE_NAMES]
    assert len(found) > 20
    assert [item for item in found if item[2] not in tables[item[1]]] == []


def test_states_and_causes_are_spanish() -> None:
    states = _document("es", "values.toml")["state"]
    assert set(states) == {str(state) for state in JobState}
    error = RKDeckError("jobs.not_resumable_now", job="j", state="queued")
    assert "en espera" in word_error(error, "es")[0]
    failed = RKDeckError("boards.no_answer", host="h", status=1, reason=because("exit_status", status=7))
    assert "código de salida 7" in word_error(failed, "es")[0]


def test_a_reason_of_the_estimate_is_spanish_inside_an_error() -> None:
    reason = note("group", group=512, size=640, dimension="outputs", tensor="o_proj{x}")
    error = RKDeckError("convert.unsupported", dtype="w8a8_g512", platform="RK3588", reason=reason.to_json())
    assert "512 no es divisor de 640 (salidas de o_proj{x}" in word_error(error, "es")[0]
    assert word_error(error_from_json(error.to_json()), "es") == word_error(error, "es")


def test_no_reason_is_found_again_by_the_sentence_it_makes() -> None:
    sentence = note_text(note("no_tokenizer"))
    error = RKDeckError("convert.unsupported", dtype="w8a8", platform="RK3588", reason=sentence)
    assert sentence.rstrip(".") in word_error(error, "es")[0]


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_the_system_says_is_a_reason_in_every_language(language: str) -> None:
    said: list[BaseException] = [OSError(number, os.strerror(number), "/x") for number in errno.errorcode]
    # What the system says by no number, what a library says, and what it hides behind its own error.
    said += [
        socket.gaierror(-2, "Name or service not known"),
        TimeoutError("timed out"),
        ssl.SSLError(1, "[SSL] no"),
    ]
    hiding = RuntimeError("All connection attempts failed")
    hiding.__cause__ = ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
    for error in (*said, hiding):
        told = word_error(
            RKDeckError("hub.unreachable", endpoint="http://h", reason=reason_of(error)), language
        )[0]
        english = getattr(error, "strerror", None) or str(error)
        assert "Errno" not in told
        assert language == PLAIN or english not in told
    unknown = reason_of(ValueError("strange words"))
    assert (
        "strange words"
        in word_error(RKDeckError("hub.unreachable", endpoint="h", reason=unknown), language)[0]
    )


def test_only_one_place_takes_the_words_of_the_system() -> None:
    takers = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "core").rglob("*.py"))
        if "strerror" in path.read_text("utf-8") and "demo" not in path.parts
    ]
    # The second makes such an error itself; the third writes a line of the log, which is English.
    assert takers == ["core/base/opening.py", "core/base/trouble.py", "core/hub/facts_cache.py"]


def test_sizes_are_told_in_the_unit_that_fits_and_exactly_where_they_would_look_alike() -> None:
    def told(needed: int, free: int) -> str:
        return word(RKDeckError("convert.disk_short", folder="/x", needed_bytes=needed, free_bytes=free))[0]

    assert told(3 << 30, 40 << 20) == "The file will have 3.00 GiB; /x has 40.0 MiB free."
    assert told(50 << 10, 0) == "The file will have 50.0 KiB; /x has 0 B free."
    assert told(1 << 30, (1 << 30) - 1) == "The file will have 1073741824 B; /x has 1073741823 B free."


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_names_a_unit_behind_a_size(language: str) -> None:
    for code, message, hint in _texts(language):
        assert not re.search(r"_(?:bytes|gib)\} (?:bytes|[KMGT]iB)", message + hint), code


def test_why_a_connection_ended_is_spanish() -> None:
    reason = note("silence", seconds="60").to_json()
    error = RKDeckError("remote.closed", host="h", port=22, reason=reason)
    assert "no llegó nada durante 60 s" in word_error(error, "es")[0]


def test_codes_among_facts_are_words_in_english_too() -> None:
    error = UsageError("deploy.damaged_file", file="a.rkllm", problems="inspect.truncated, inspect.too_old")
    assert "cut off, made by rkllm-toolkit 1.0" in word_error(error, "en")[0]
    listed = RKDeckError("convert.bad_file", kind="html", problems=["inspect.html"])
    assert "a web page: a web page" in word_error(listed, "en")[0]


def test_names_are_never_translated() -> None:
    message, _ = word_error(RKDeckError("boards.exists", name="running"), "es")
    assert "running" in message


def test_each_language_has_its_words_and_english_is_the_rest() -> None:
    error = RKDeckError("jobs.unknown", job="j1")
    assert word_error(error, "es")[1] == "La página Tareas las muestra todas."
    assert word_error(error, "es_MX") == word_error(error, "es")
    assert word_error(error, "en")[1] == "The Jobs page lists them."
    for other in ("fr", "../en", ""):
        assert word_error(error, other) == word_error(error, "en")
    plain = RKDeckError("jobs.ambiguous", job="j", jobs=["j1", "j2"])
    assert word_error(plain, "en") == word(plain)
    assert word(error, "es")[1] == "`rkdeck jobs` las muestra."


def test_the_hint_of_another_code_is_in_the_windows_words() -> None:
    error = RKDeckError("convert.input_missing", hint="jobs.unknown", path="/x")
    assert word_error(error, "en")[1] == "The Jobs page lists them."
    assert (
        word_error(RKDeckError("convert.input_missing", hint="no.such", path="/x"), "es")[1]
        == "Comprobar la ruta."
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_unknown_code_still_speaks(language: str) -> None:
    assert "nobody.knows" in word_error(RKDeckError("nobody.knows", n=1), language)[0]
    hostile, _ = word_error(RKDeckError("no\x1b.body", text="x" * 10_240), language)
    assert hostile.isprintable()
    assert len(hostile) < 1100


def test_absent_facts_are_unknown_in_the_language() -> None:
    error = RKDeckError("remote.key_refused", host="h", port=22, user="u", tried="password", allowed=None)
    assert "acepta: desconocido." in word_error(error, "es")[0]
    assert "unknown" in word_error(RKDeckError("jobs.unknown"), "en")[0]


_HOSTILE: tuple[JsonValue, ...] = (
    "{0}{x!r}{job.__class__}",
    "{" * 5000 + "}",
    "\x1b[2J\x00\u202e\r\n\u200b",
    "x" * 10_240,
    "the group size " + "1 of " * 2000,
    " does not divide the a of" * 19,
    [["{0}\x1b" + "y" * 10_240] * 300] * 10,
    {"{a}": "\x1b"},
    float("nan"),
    True,
)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("value", _HOSTILE, ids=range(len(_HOSTILE)))
def test_hostile_facts_come_out_harmless(language: str, value: JsonValue) -> None:
    for code, (message, hint) in messages().items():
        names = _fields(message) | _fields(hint)
        told = word_error(RKDeckError(code, **dict.fromkeys(names, value)), language)
        for text in told:
            assert all(character.isprintable() for character in text), code
            assert "\u202e" not in text
            assert len(text) <= 800 + 4001 * len(names), code
            if isinstance(value, str):
                assert len(text) <= 800 + 520 * len(names), code


def test_braces_of_facts_stay_as_they_are() -> None:
    for language in LANGUAGES:
        assert "{0}{x!r}" in word_error(RKDeckError("jobs.unknown", job="{0}{x!r}"), language)[0]
