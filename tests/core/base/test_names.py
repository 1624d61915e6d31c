from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base.errors import RefusedError
from core.base.names import leaves_folder, printable, refusal, safe_component, safe_relative_path


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/etc/passwd",
        "../x",
        "a/../b",
        "a//b",
        ".",
        "a/.",
        "a\x00b",
        "a\nb",
        "\x1b[2J",
        "a\\..\\b",
        "x" * 300,
        "\u6a21" * 86,
        "a/" * 600 + "b",
        "a\x85b",
        "a\u2029b",
        "a\u202eb",
        "a\u2066b",
        "a\udcffb",
    ],
)
def test_unsafe_paths_are_refused(text: str) -> None:
    with pytest.raises(RefusedError) as caught:
        safe_relative_path(text)
    assert caught.value.code == "names.unsafe_path"


@pytest.mark.parametrize(
    "text",
    [
        "config.json", "onnx/model.onnx", "модель.safetensors", "a b.txt", "$(reboot)", "9.41\u202fAM.png", " a ",
        "\U0001f468\u200d\U0001f469", "\U0001fae8", "cafe\u0301", "\ue000", "\u6a21" * 85, "-rf", "...",
    ],
)  # fmt: skip
def test_ordinary_and_merely_strange_paths_pass(text: str) -> None:
    assert safe_relative_path(text) == PurePosixPath(text)


@given(st.text(max_size=400))
def test_an_accepted_name_is_text_of_one_line_and_what_leaves_is_never_accepted(text: str) -> None:
    if refusal(text) is None:
        assert text.encode()
        assert text.splitlines() == [text]
        assert leaves_folder(text) is None


@given(st.text(max_size=400))
def test_accepted_path_stays_inside(text: str) -> None:
    try:
        path = safe_relative_path(text)
    except RefusedError:
        return
    folder = Path("/some/folder")
    assert (folder / path).resolve().is_relative_to(folder)


@given(st.text(max_size=400))
def test_component_is_one_plain_name(text: str) -> None:
    name = safe_component(text)
    assert name
    assert len(name) <= 100
    assert not name.startswith((".", "-"))
    assert all(character.isascii() and (character.isalnum() or character in "._-") for character in name)


def test_printable_shows_what_would_have_acted() -> None:
    assert printable("a\x1b[31mb\u202ec\n") == "a\\x1b[31mb\\u202ec\\n"
    assert printable("x" * 10, limit=4) == "xxxx…"


def test_printable_shows_letters_that_look_like_nothing() -> None:
    assert printable("a\u3164b\u2800") == "a\\u3164b\\u2800"


def test_printable_stops_a_tower_of_combining_marks() -> None:
    assert printable("Vie\u0323\u0302t") == "Vie\u0323\u0302t"
    assert printable("Z" + "\u0301" * 50).count("\u0301") == 4


@given(st.text(max_size=400))
def test_printable_is_never_longer_than_its_limit_and_a_dot_more(text: str) -> None:
    assert len(printable(text, 50)) <= 51
