"""What every page keeps: it is freed, fits the smallest window in each language, and can be reached by keys."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QAbstractItemModel, Qt
from PySide6.QtWidgets import QAbstractButton, QAbstractItemView, QApplication, QLabel, QWidget
from pytestqt.qtbot import QtBot

from core.services import Services
from gui.app import install_language
from gui.desk import Desk
from gui.shell.window import PAGES, MainWindow
from gui.theme import ThemeSwitch
from tests.gui.conftest import flush

NAMES = [entry.name for entry in PAGES]
SMALLEST = (960, 600)


@pytest.fixture(autouse=True)
def _no_network(services: Services) -> None:
    """Nobody is asked for models: a port where nothing listens."""
    from dataclasses import replace

    services.settings = replace(services.settings, hub_endpoint="http://127.0.0.1:9")


@pytest.fixture
def window(desk: Desk, themes: ThemeSwitch, qtbot: QtBot) -> Iterator[MainWindow]:
    made = MainWindow(desk, themes, "settings")
    made.resize(*SMALLEST)
    made.show()
    qtbot.waitExposed(made)
    yield made
    made._may_close = True
    made.close()
    made.deleteLater()
    flush()


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_freed_with_its_window(
    name: str, desk: Desk, themes: ThemeSwitch, freed_on_delete: Callable[..., None]
) -> None:
    def make() -> MainWindow:
        made = MainWindow(desk, themes, "settings")
        made.page(name)
        return made

    freed_on_delete(make)


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_cut_off_in_the_smallest_window(
    name: str, language: str, qapp: QApplication, desk: Desk, themes: ThemeSwitch, qtbot: QtBot
) -> None:
    install_language(qapp, language)
    try:
        made = MainWindow(desk, themes, "settings")
        made.resize(*SMALLEST)
        made.show()
        qtbot.waitExposed(made)
        made.show_page(name)
        flush()
        assert (made.width(), made.height()) == SMALLEST
        cut = [describe(widget) for widget in shown(made.current) if is_cut(widget)]
        assert not cut
        made._may_close = True
        made.close()
        made.deleteLater()
        flush()
    finally:
        install_language(qapp, "en")


def shown(page: QWidget) -> list[QWidget]:
    return [widget for widget in page.findChildren(QWidget) if widget.isVisible()]


def is_cut(widget: QWidget) -> bool:
    """Whether a button or a one-line label has less room than its text."""
    if (
        isinstance(widget, QAbstractButton)
        and widget.text()
        and widget.objectName() != "qt_toolbar_ext_button"
    ):
        return widget.width() < widget.minimumSizeHint().width() - 1
    if isinstance(widget, QLabel) and widget.text() and not widget.wordWrap():
        return widget.width() < widget.minimumSizeHint().width() - 1
    return False


def describe(widget: QWidget) -> str:
    text = widget.text() if isinstance(widget, QLabel | QAbstractButton) else ""
    return f"{type(widget).__name__} {widget.objectName()!r} {text!r}: {widget.width()} px"


@pytest.mark.parametrize("name", NAMES)
def test_everything_that_can_be_pressed_has_a_name_and_takes_the_keyboard(
    name: str, window: MainWindow
) -> None:
    window.show_page(name)
    for widget in shown(window.current):
        if isinstance(widget, QAbstractButton) and widget.isEnabled() and not internal(widget):
            assert widget.text() or widget.accessibleName(), describe(widget)
            assert widget.focusPolicy() & Qt.FocusPolicy.TabFocus, describe(widget)


def internal(widget: QWidget) -> bool:
    """A part of Qt's own composite widgets (clear buttons, tab scrollers, table corners)."""
    return widget.objectName().startswith("qt_") or type(widget).__name__ in {
        "QLineEditIconButton", "QTableCornerButton", "QAbstractButton", "QToolButton"
    }  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_model_holds_under_both_testers(
    name: str, window: MainWindow, check_model: Callable[[QAbstractItemModel], None]
) -> None:
    window.show_page(name)
    for view in window.current.findChildren(QAbstractItemView):
        if view.objectName() and view.model() is not None:
            check_model(view.model())


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_each_theme_reaches_each_page(
    theme: str, window: MainWindow, themes: ThemeSwitch, shots: Callable[[QWidget, str], Path]
) -> None:
    for name in NAMES:
        window.show_page(name)
    themes.use(theme)
    for name in NAMES:
        window.show_page(name)
        assert shots(window, f"empty-{name}-{theme}").stat().st_size > 5000


@pytest.mark.parametrize("name", NAMES)
def test_a_page_can_be_left_and_entered_again(name: str, window: MainWindow) -> None:
    for _ in range(3):
        window.show_page(name)
        window.show_page("settings" if name != "settings" else "jobs")
    assert window.current is not window.page(name)
