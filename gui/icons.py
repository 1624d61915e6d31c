"""Monochrome icons of resources/icons, tinted for the theme and kept per theme, state and name."""

from functools import cache
from importlib import resources

from PySide6.QtCore import QByteArray, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from gui.theme import current_theme, tokens

_SIZES = (16, 20, 32, 40)


def icon(name: str, tint: str = "text") -> QIcon:
    """The icon in a colour of the theme in use."""
    return _tinted(name, tokens(current_theme())[tint], tokens(current_theme())["disabled"])


def pixmap(name: str, tint: str, size_px: int) -> QPixmap:
    """One picture of an icon, for widgets that paint themselves."""
    return icon(name, tint).pixmap(QSize(size_px, size_px))


def application_icon() -> QIcon:
    """The program's own icon, in its own colours."""
    made = QIcon()
    drawing = _svg("rkdeck")
    for size in (16, 32, 64, 128, 256):
        made.addPixmap(_render(drawing, size))
    return made


@cache
def _tinted(name: str, colour: str, disabled: str) -> QIcon:
    made = QIcon()
    normal, grey = _svg(name, colour), _svg(name, disabled)
    for size in _SIZES:
        made.addPixmap(_render(normal, size))
        made.addPixmap(_render(grey, size), QIcon.Mode.Disabled)
    return made


def _svg(name: str, colour: str | None = None) -> QSvgRenderer:
    text = _drawing(name).replace("currentColor", QColor(colour).name() if colour else "currentColor")
    return QSvgRenderer(QByteArray(text.encode()))


@cache
def _drawing(name: str) -> str:
    return (resources.files("resources") / "icons" / f"{name}.svg").read_text("utf-8")


def _render(drawing: QSvgRenderer, size_px: int) -> QPixmap:
    picture = QPixmap(size_px, size_px)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    drawing.render(painter)
    painter.end()
    return picture
