"""Records whose every text is a stranger's, and eyes for what of it reaches Qt unmade safe."""

import dataclasses
import enum
import re
import types
import typing
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from PySide6.QtCore import QAbstractItemModel, QAbstractListModel, Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QComboBox,
    QGroupBox,
    QLabel,
    QLineEdit,
    QMenu,
    QMessageBox,
    QPlainTextEdit,
    QTabBar,
    QWidget,
)

from core.base.notes import Note

Made = TypeVar("Made")
TEXTS = {
    "markup": "<img src='/dev/zero'><h2>Verified</h2><a href='file:///etc/passwd'>x</a> &Delete {0} {x} %s",
    "unseen": "a\u202egpj.exe\x00\n\x1b[2J\u200b\u2066b\u3164 <b>&lt;Z" + "\u0301" * 3_000,
    "long": "<i>" + "x" * 100_000,
}
# A label may hold 20,000 characters, each written out as up to ten.
_MOST_CHARACTERS = 20_001
_MOST_IN_A_LINE = 4_000
_LAYOUT = "\n\t\u200b"
_RAW_MARKUP = re.compile(r"<(img|h2|a |i>|b>)")
_MNEMONIC = re.compile(r"(?<!&)(?:&&)*&Delete")
_TIP_ROLES = (
    Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.WhatsThisRole, Qt.ItemDataRole.StatusTipRole,
)  # fmt: skip
_DISPLAY = Qt.ItemDataRole.DisplayRole


def made(cls: type[Made], text: str, **known: object) -> Made:
    """A record of a class, every text of which, at any depth, is `text`; `known` members are as given."""
    hints = typing.get_type_hints(cls)
    return cls(
        **{
            field.name: known[field.name] if field.name in known else _value(hints[field.name], text)
            for field in dataclasses.fields(cls)  # type: ignore[arg-type]  # a dataclass
            if field.init
        }
    )


def _value(hint: Any, text: str) -> Any:  # noqa: ANN401  # a type's hint, and a value of it
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in {typing.Union, types.UnionType}:
        return _value(next(part for part in arguments if part is not type(None)), text)
    if origin is typing.Literal:
        return arguments[0]
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return (_value(arguments[0], text),)
        return tuple(_value(part, text) for part in arguments)
    if origin in {dict, Mapping}:
        return {_value(arguments[0], text): text if arguments[1] is Any else _value(arguments[1], text)}
    if hint is Note:  # its words are the house's own, its facts are not
        return Note("architecture", (("architecture", text),))
    if dataclasses.is_dataclass(hint):
        return made(hint, text)  # type: ignore[arg-type]  # a class
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return next(iter(hint))
    plain: dict[Any, Any] = {
        str: text,
        int: 7,
        float: 7.0,
        bool: True,
        Path: Path("/") / text.replace("/", "_"),
    }
    return plain.get(hint, text)


def complaints(*roots: QWidget) -> list[str]:
    """What in these widgets, and in all within them, Qt could take for markup, or a person could not see or bear."""
    return [
        f"{type(widget).__name__} {widget.objectName()!r}: {what}"
        for root in roots
        for widget in (root, *root.findChildren(QWidget))
        if not _is_pyqtgraphs(widget)
        for what in _of_widget(widget)
    ]


def _is_pyqtgraphs(widget: QWidget) -> bool:
    """Whether it is part of the menu that pyqtgraph makes for each plot: its own words, and switched off."""
    above: object = widget
    while isinstance(above, QWidget):
        if isinstance(above, QMenu) and above.title() == "Plot Options":
            return True
        above = above.parent()
    return False


def _of_widget(widget: QWidget) -> Iterator[str]:
    for name, text in (
        ("tool tip", widget.toolTip()), ("what's this", widget.whatsThis()), ("status tip", widget.statusTip()),
    ):  # fmt: skip
        yield from _of_tip(name, text)
    yield from _of_line("accessible name", widget.accessibleName())
    yield from _of_line("title", widget.windowTitle())
    if isinstance(widget, QLabel):
        yield from _of_label(widget)
    elif isinstance(widget, QAbstractButton):
        yield from _of_line("button", widget.text(), key=True)
    elif isinstance(widget, QGroupBox):
        yield from _of_line("group", widget.title(), key=True)
    elif isinstance(widget, QTabBar):
        for place in range(widget.count()):
            yield from _of_line("tab", widget.tabText(place), key=True)
            yield from _of_tip("tab's tip", widget.tabToolTip(place))
    elif isinstance(widget, QMenu):
        for action in widget.actions():
            yield from _of_line("entry", action.text(), key=True)
            yield from _of_tip("entry's tip", action.toolTip())
    elif isinstance(widget, QComboBox):
        yield from _of_model(widget.model())
    elif isinstance(widget, QLineEdit | QPlainTextEdit):
        yield from _of_line("placeholder", widget.placeholderText())
    elif isinstance(widget, QMessageBox):
        if widget.textFormat() is not Qt.TextFormat.PlainText:
            yield "a message that may be markup"
    elif isinstance(widget, QAbstractItemView) and widget.model() is not None:
        yield from _of_model(widget.model())


def _of_label(label: QLabel) -> Iterator[str]:
    text = label.text()
    if label.textFormat() is Qt.TextFormat.RichText:
        if _RAW_MARKUP.search(text.replace("<b>", "").replace("<span", "")) or (
            "&lt;b&gt;" in text and "<img" in text
        ):
            yield f"markup in a tinted label: {text[:80]!r}"
    elif text and label.textFormat() is not Qt.TextFormat.PlainText:
        yield f"a label that may be markup: {text[:80]!r}"
    else:
        yield from _unbearable("label", text, _MOST_CHARACTERS, _LAYOUT)


def _of_model(model: QAbstractItemModel) -> Iterator[str]:
    rows = model.rowCount()
    columns = 1 if isinstance(model, QAbstractListModel) else model.columnCount()
    for row in range(rows):
        for column in range(columns):
            index = model.index(row, column)
            yield from _of_line("cell", str(index.data() or ""))
            for role in _TIP_ROLES:
                yield from _of_tip("cell's tip", str(index.data(role) or ""))
    for orientation, count in ((Qt.Orientation.Horizontal, columns), (Qt.Orientation.Vertical, rows)):
        for section in range(count):
            yield from _of_line("header", str(model.headerData(section, orientation, _DISPLAY) or ""))
            for role in _TIP_ROLES:
                yield from _of_tip("header's tip", str(model.headerData(section, orientation, role) or ""))


def _of_tip(name: str, text: str) -> Iterator[str]:
    if _RAW_MARKUP.search(text):
        yield f"{name} with markup: {text[:80]!r}"
    yield from _unbearable(name, text, 10 * _MOST_IN_A_LINE, _LAYOUT)


def _of_line(name: str, text: str, *, key: bool = False) -> Iterator[str]:
    if key and _MNEMONIC.search(text):
        yield f"{name} with a key of a stranger's: {text[:80]!r}"
    yield from _unbearable(name, text, _MOST_IN_A_LINE, _LAYOUT)


def _unbearable(name: str, text: str, most: int, layout: str) -> Iterator[str]:
    if len(text) > most:
        yield f"{name} of {len(text)} characters: {text[:60]!r}"
    hidden = {
        character
        for character in text
        if character not in layout and unicodedata.category(character) in {"Cc", "Cf", "Co", "Cs"}
    }
    if hidden:
        yield f"{name} with hidden characters {sorted(hidden)!r}: {text[:60]!r}"
    if re.search("\u0301{5}", text):
        yield f"{name} with a tower of marks"
