"""Colours and the style sheet from the theme's tokens (resources/themes): light, dark, or as the system has it."""

import re
import tomllib
from functools import cache
from importlib import resources

from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtGui import QColor, QFont, QPalette
from PySide6.QtWidgets import QApplication, QStyleFactory

SYSTEM, LIGHT, DARK = "system", "light", "dark"
THEMES = (SYSTEM, LIGHT, DARK)
_TOKEN = re.compile(r"@([a-z_]+)")


class _Current:
    """The tokens in use: one application has one theme, as it has one palette."""

    name = LIGHT


@cache
def tokens(name: str) -> dict[str, str]:
    """The colours of a theme by token."""
    text = (resources.files("resources") / "themes" / f"{name}.toml").read_text("utf-8")
    return {key: value for key, value in tomllib.loads(text).items() if isinstance(value, str)}


@cache
def series_colours(name: str) -> tuple[str, ...]:
    """The colours of chart lines, told apart by lightness as well as by hue."""
    text = (resources.files("resources") / "themes" / f"{name}.toml").read_text("utf-8")
    return tuple(tomllib.loads(text)["series"])


def current_theme() -> str:
    """`light` or `dark`."""
    return _Current.name


def colour(token: str) -> QColor:
    """A colour of the theme in use."""
    return QColor(tokens(_Current.name)[token])


def series_colour(index: int) -> QColor:
    """The colour of the chart line with that number."""
    colours = series_colours(_Current.name)
    return QColor(colours[index % len(colours)])


def number_font(font: QFont) -> QFont:
    """The same font with figures of equal width, so that numbers line up."""
    tabular = QFont(font)
    tabular.setFeature(QFont.Tag("tnum"), 1)
    return tabular


class ThemeSwitch(QObject):
    """Applies a theme to the application and follows the system when it is told to.

    The style sheet is worn by the window (`sheet`), never by the application: as the application's, Qt styles a
    widget and all its children anew each time one is put into a layout, so that a page of 200 widgets took 140 ms
    to build. As the window's, a page is styled once, when it is put into the window.

    Signals:
        changed: another theme was applied; self-painted widgets repaint, icons are tinted anew.
    """

    changed = Signal()

    def __init__(self, application: QApplication) -> None:
        super().__init__(application)
        self._application = application
        self._wanted = SYSTEM
        application.setStyle(QStyleFactory.create("Fusion"))
        application.styleHints().colorSchemeChanged.connect(self._on_system_changed)

    def use(self, wanted: str) -> None:
        """Apply `light`, `dark` or `system`."""
        self._wanted = wanted if wanted in THEMES else SYSTEM
        self._apply()

    @property
    def sheet(self) -> str:
        """The style sheet of the theme in use, for a window; dialogs with a parent in it have it too."""
        return style_sheet(_Current.name)

    @Slot()
    def _on_system_changed(self) -> None:
        if self._wanted == SYSTEM:
            self._apply()

    def _apply(self) -> None:
        name = self._wanted
        if name == SYSTEM:
            dark = self._application.styleHints().colorScheme() == Qt.ColorScheme.Dark
            name = DARK if dark else LIGHT
        _Current.name = name
        self._application.setPalette(_palette(tokens(name)))
        self._application.setFont(number_font(self._application.font()))
        self.changed.emit()


def style_sheet(name: str) -> str:
    """The style sheet with the theme's colours filled in."""
    colours = tokens(name)
    text = (resources.files("resources") / "themes" / "style.qss").read_text("utf-8")
    return _TOKEN.sub(lambda match: colours[match[1]], text)


def _palette(colours: dict[str, str]) -> QPalette:
    roles = {
        QPalette.ColorRole.Window: "window",
        QPalette.ColorRole.WindowText: "text",
        QPalette.ColorRole.Base: "surface",
        QPalette.ColorRole.AlternateBase: "raised",
        QPalette.ColorRole.Text: "text",
        QPalette.ColorRole.Button: "surface",
        QPalette.ColorRole.ButtonText: "text",
        QPalette.ColorRole.ToolTipBase: "surface",
        QPalette.ColorRole.ToolTipText: "text",
        QPalette.ColorRole.PlaceholderText: "muted",
        QPalette.ColorRole.Highlight: "accent_soft",
        QPalette.ColorRole.HighlightedText: "text",
        QPalette.ColorRole.Link: "accent",
        QPalette.ColorRole.Accent: "accent",
        QPalette.ColorRole.Mid: "line",
    }
    palette = QPalette()
    for role, token in roles.items():
        palette.setColor(role, QColor(colours[token]))
    for role in (QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText, QPalette.ColorRole.WindowText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(colours["disabled"]))
    return palette
