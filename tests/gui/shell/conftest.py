"""A window with plain pages."""

from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from gui.desk import Desk
from gui.shell import window as window_module
from gui.shell.window import MainWindow
from gui.theme import ThemeSwitch
from tests.gui.conftest import flush
from tests.gui.shell import pages


@pytest.fixture
def window(
    desk: Desk, themes: ThemeSwitch, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MainWindow]:
    monkeypatch.setattr(window_module, "PAGES", pages.ENTRIES)
    pages.built.clear()
    made = MainWindow(desk, themes)
    made.show()
    qtbot.waitExposed(made)
    yield made
    made._may_close = True
    made.close()
    made.deleteLater()
    flush()
