"""Qt opens what markup names: text of strangers must never be markup, or the window stands still or dies."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtGui import Qt, QTextDocument
from PySide6.QtWidgets import QApplication, QMenu

from gui.widgets.card_view import shortened
from gui.widgets.plain import PlainLabel, literal, menu_entry, plain_tip, visible
from gui.widgets.plot import _template
from tests.gui.markup_victim import PLACES

ROOT = Path(__file__).parents[2]
PATIENCE_S = 100


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("source", ["zeros", "pipe", "zeros_by_url"])
def test_an_image_named_by_a_stranger_is_never_opened(place: str, source: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    named = {"zeros": "/dev/zero", "pipe": str(tmp_path / "pipe"), "zeros_by_url": "file:///dev/zero"}[source]
    done = subprocess.run(
        [sys.executable, "-m", "tests.gui.markup_victim", place, named], cwd=ROOT, capture_output=True, text=True,
        timeout=PATIENCE_S, env=os.environ | {"QT_QPA_PLATFORM": "offscreen"},
    )  # fmt: skip
    assert done.stdout == "survived\n", done.stderr


@pytest.mark.parametrize(
    "text",
    [
        "<img src='/dev/zero'>", "<h2>Verified</h2>", "a <b", "&lt;b&gt;", "Tom & Jerry", "one\n<i>two</i>\n\nthree",
        "x < y > z", "<a href='https://example.org'>safe</a>", "<!-- -->", " <i>", "plain",
    ],
)  # fmt: skip
def test_a_tip_shows_every_letter(text: str, qapp: QApplication) -> None:
    tip = plain_tip(text)
    if Qt.mightBeRichText(tip):
        read = QTextDocument()
        read.setHtml(tip)
        assert read.toPlainText().split() == text.split()
    else:
        assert tip == text


def test_a_tip_is_bounded_and_shows_what_hides() -> None:
    assert len(plain_tip("x" * 100_000)) < 1_100
    assert "\u202e" not in plain_tip("a\u202egpj.exe\x00")
    assert "\\u202e" in plain_tip("a\u202egpj.exe\x00")


def test_an_ampersand_makes_no_key_in_menus_and_buttons(qapp: QApplication) -> None:
    assert literal("&Delete & more") == "&&Delete && more"
    menu = QMenu()
    action = menu_entry(menu, "<b>&Delete</b>", "data")
    assert action.text() == "<b>&&Delete</b>"
    assert action.toolTip() != "<b>Delete</b>"
    assert not action.toolTip().startswith("<b>")
    menu.deleteLater()


def test_a_label_shows_lines_and_bounds_them(qapp: QApplication) -> None:
    label = PlainLabel("one\ntwo\x00\u202e")
    assert label.text() == "one\ntwo\\x00\\u202e"
    assert label.textFormat() is Qt.TextFormat.PlainText
    label.setText("x" * 1_000_000)
    assert len(label.text()) < 20_100
    assert len(visible("\U000e0001" * 1_000, 50)) == 51


@pytest.mark.parametrize(
    "line",
    ["- a\n", "|a" * 300 + "|\n", "[x](y) " * 30 + "\n", "a\n\n", "`a` " * 50 + "\n", "word " * 900 + "\n"],
)
def test_a_card_is_cut_before_qt_needs_seconds_for_it(line: str) -> None:
    # Qt takes 17 s for 15,000 list items or 27,000 cells.
    shown = shortened(line * 20_000)
    assert 0 < len(shown) <= 40_000
    assert shown.count("\n") <= 1_500
    assert shown.count("|") <= 1_500


def test_an_ordinary_card_is_shown_whole() -> None:
    card = "# Title\n\n" + "A sentence of a card with some words in it.\n" * 300 + "|a|b|c|\n" * 60
    assert shortened(card) == card


def test_braces_in_the_text_of_a_flag_are_no_places_to_fill() -> None:
    assert _template("serving {model.__class__}").format(value=1) == "serving {model.__class__}"
