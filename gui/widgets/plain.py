"""Foreign text on the screen: the one place where text is made safe to give to Qt.

Qt decides by itself (`Qt.mightBeRichText`) whether the text of a tooltip, a label or a message is HTML, and then opens
what it names: a file called `<img src='/dev/zero'>` ate all memory as soon as the mouse rested on it. Names come from
the Hub, from boards, from logs and from other programs, so nothing in `gui` gives text to those places but through
here; `tests/contracts/test_plain_text.py` holds the house to it.
"""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPoint
from PySide6.QtGui import QAction, QStandardItem, Qt
from PySide6.QtWidgets import QInputDialog, QLabel, QMenu, QMessageBox, QPushButton, QToolTip, QWidget

from core.base.names import printable

_LABEL_CHARACTERS = 20_000
_TIP_CHARACTERS = 1_000
_LINE_CHARACTERS = 300
# What a label may hold besides printable text: lines, columns, and the places to break that `breakable` puts in.
_LAYOUT = re.compile("([\n\t\u200b])")


def visible(text: str, limit: int = _LABEL_CHARACTERS) -> str:
    """Text of several lines with all that is not seen written out, cut at `limit` characters."""
    parts = _LAYOUT.split(text[: limit + 1])
    shown = "".join(part if _LAYOUT.fullmatch(part) else printable(part, limit) for part in parts)
    return shown if len(text) <= limit else shown[:limit] + "…"


def plain_tip(text: str) -> str:
    """Text for a tooltip, a status tip or "What's this": shown letter by letter, whatever it looks like.

    Qt has no plain text format for these; what it may take for markup is given to it as markup for that very text.
    """
    shown = visible(text, _TIP_CHARACTERS)
    if "<" in shown or Qt.mightBeRichText(shown):
        return Qt.convertFromPlainText(shown, Qt.WhiteSpaceMode.WhiteSpaceNormal)
    return shown


def set_tip(target: QWidget | QAction | QStandardItem, text: str) -> None:
    """Give a widget, an action or an item its tooltip."""
    target.setToolTip(plain_tip(text))


def show_tip(place: QPoint, text: str, widget: QWidget) -> None:
    """Show a tip now, at a place of the screen; an empty text hides it."""
    QToolTip.showText(place, plain_tip(text), widget)


def literal(text: str) -> str:
    """One line for buttons, menus and tabs, where `&` would else be swallowed and make a key of the next letter."""
    return printable(text, _LINE_CHARACTERS).replace("&", "&&")


def menu_entry(menu: QMenu, text: str, data: object = None) -> QAction:
    """Add an entry to a menu. Qt makes an action's tooltip of its text, so it has one of its own."""
    made = QAction(literal(text), menu)
    set_tip(made, text)
    made.setData(data)
    menu.addAction(made)
    return made


class PlainLabel(QLabel):
    """The house's label: text is text, all of it seen, and never without end."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setText(text)

    def setText(self, text: str) -> None:  # Qt's name
        """Show a text."""
        super().setText(visible(text))

    def setAccessibleName(self, name: str) -> None:  # Qt's name
        """What a screen reader says."""
        super().setAccessibleName(visible(name, _TIP_CHARACTERS))


class PlainButton(QPushButton):
    """The house's button: no letter of its text is a key, and a stranger's text is one line."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setText(text)

    def setText(self, text: str) -> None:  # Qt's name
        """Show a text."""
        super().setText(literal(text))

    def setAccessibleName(self, name: str) -> None:  # Qt's name
        """What a screen reader says."""
        super().setAccessibleName(printable(name, _LINE_CHARACTERS))


@dataclass(frozen=True, slots=True)
class Tinted:
    """A part of a tinted line: a mark, a name and a value in one colour (`#rrggbb`)."""

    colour: str
    mark: str
    name: str
    value: str


class TintedLabel(QLabel):
    """A line whose parts have colours: the only markup of the window, made here of plain parts."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setWordWrap(True)
        self._parts: tuple[Tinted, ...] = ()

    def show_parts(self, parts: Sequence[Tinted]) -> bool:
        """Show these parts; returns whether they are others than before."""
        if tuple(parts) == self._parts:
            return False
        self._parts = tuple(parts)
        self.setText("&nbsp;&nbsp; ".join(_span(part) for part in parts))
        return True


def _span(part: Tinted) -> str:
    colour, mark, name, value = (
        html.escape(printable(text, _LINE_CHARACTERS))
        for text in (part.colour, part.mark, part.name, part.value)
    )
    return f'<span style="color:{colour}; white-space:nowrap">{mark}&nbsp;{name}&nbsp;<b>{value}</b></span>'


class MessageBox(QMessageBox):
    """A message or a question in plain text."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(
            Qt.TextFormat.PlainText
        )  # before any text: the second label takes it over when it is made

    def setText(self, text: str) -> None:  # Qt's name
        """What is asked or told."""
        super().setText(visible(text, _TIP_CHARACTERS))

    def setInformativeText(self, text: str) -> None:  # Qt's name
        """What it means."""
        super().setInformativeText(visible(text, _TIP_CHARACTERS))


class InputDialog(QInputDialog):
    """A question for one line, in plain text."""

    def setLabelText(self, text: str) -> None:  # Qt's name
        """What is asked for."""
        super().setLabelText(visible(text, _TIP_CHARACTERS))
        for made in self.findChildren(QLabel):
            made.setTextFormat(Qt.TextFormat.PlainText)


def set_title(window: QWidget, title: str) -> None:
    """Give a window, a dialog or a drawer's panel its title; Qt would make a mark of `[*]`."""
    window.setWindowTitle(printable(title, _LINE_CHARACTERS).replace("[*]", "[*][*]"))
