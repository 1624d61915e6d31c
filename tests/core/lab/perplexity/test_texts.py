"""Built-in texts are what they say; a file of the user's is read or refused in clear words."""

import hashlib
import os
import re
from importlib import resources
from pathlib import Path

import pytest

from core.base.errors import RefusedError
from core.demo.corpus import load_corpus, paragraphs, read_text
from core.lab.perplexity.texts import MAX_TEXT_BYTES, builtin_text, builtin_texts, load, text_file

FOLDER = Path(str(resources.files("resources"))) / "lab" / "text"
WORDS = "It was the best of times, it was the worst of times. " * 10


def words(name: str) -> str:
    text = builtin_text(name)
    assert text is not None
    return load(text.name, None, text.sha256)


def test_texts_are_the_stated_ones_in_both_languages() -> None:
    known = builtin_texts()
    assert [(text.name, text.language) for text in known] == [("en", "en"), ("en-long", "en"), ("es", "es")]
    files = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in FOLDER.glob("*.txt")}
    assert set(files) == {text.sha256 for text in known}
    for text in known:
        assert text.size_bytes == files[text.sha256].stat().st_size
        assert 10_000 < text.size_bytes < 60_000
        assert len(words(text.name)) > 10_000


def test_english_comes_from_the_texts_in_the_house() -> None:
    assert words("en") == load_corpus().held_out
    source = " ".join(" ".join(paragraphs(read_text("lcet10.txt"))).split())
    for paragraph in words("en-long").strip().split("\n\n"):
        assert paragraph in source


def test_spanish_is_spanish_without_markup() -> None:
    text = words("es")
    assert text.startswith("Rut\n\nY ACONTECIÓ en los días que gobernaban los jueces")
    assert re.findall(r"^(?:Rut|Ester|Jonás)$", text, re.MULTILINE) == ["Rut", "Ester", "Jonás"]
    assert not re.search(r"[<>\[\]{}0-9]|strong", text)
    assert {"á", "é", "í", "ó", "ú", "ñ", "¿"} <= set(text)


def test_a_file_is_known_by_its_digest(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_bytes(b"\xef\xbb\xbf" + WORDS.replace(". ", ".\r\n").encode())
    text = text_file(path)
    assert (text.name, text.path, text.language) == ("mine.txt", path, None)
    assert load(text.name, text.path, text.sha256) == WORDS.replace(". ", ".\n")
    path.write_text(WORDS + "changed")
    with pytest.raises(RefusedError) as caught:
        load(text.name, text.path, text.sha256)
    assert caught.value.code == "perplexity.text_changed"


@pytest.mark.parametrize(
    ("data", "code", "facts"),
    [
        (b"", "perplexity.text_too_short", {"found": 0}),
        (b" \n" * 5000, "perplexity.text_too_short", {"found": 0}),
        (b"Hello, world", "perplexity.text_too_short", {"found": 12}),
        (b"abc\xff" * 100, "perplexity.text_not_utf8", {"position": 3}),
        ("años ".encode("latin-1") * 100, "perplexity.text_not_utf8", {"position": 1}),
        (b"%PDF-1.4 \0" * 100, "perplexity.text_not_utf8", {"position": 9}),
        (b"a " * (MAX_TEXT_BYTES // 2 + 1), "perplexity.text_too_large", {"limit_bytes": MAX_TEXT_BYTES}),
    ],
)
def test_what_is_no_text_is_refused(tmp_path: Path, data: bytes, code: str, facts: dict[str, object]) -> None:
    path = tmp_path / "odd.txt"
    path.write_bytes(data)
    with pytest.raises(RefusedError) as caught:
        text_file(path)
    assert caught.value.code == code
    assert facts.items() <= caught.value.facts.items()


def test_places_that_are_no_files_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "missing.txt", tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(RefusedError) as caught:
            text_file(path)
        assert caught.value.code == "perplexity.text_unreadable"
