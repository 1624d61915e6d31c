"""A page's first visit: nothing is loaded by the event loop, nothing is styled twice, input has its turn."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QStackedWidget
from pytestqt.qtbot import QtBot

from core.base.errors import RKDeckError
from gui.desk import Desk, Destination
from gui.shell.pages import Pages
from gui.shell.rail import PageEntry
from gui.shell.window import PAGES, MainWindow
from gui.theme import ThemeSwitch
from tests.gui.conftest import flush
from tests.gui.page_parts import SLACK_MS, Ear
from tests.gui.shell import pages

ROOT = Path(__file__).parents[3]
MODULE = "tests.gui.shell.pages"


@pytest.fixture(scope="module")
def cost(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What the first visits of all pages cost in a program of its own, where nothing was loaded before."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.gui.shell.visits_victim", str(tmp_path_factory.mktemp("home"))],
        cwd=ROOT, capture_output=True, text=True, env={**os.environ, "QT_QPA_PLATFORM": "offscreen"}, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return told


def test_no_first_visit_has_the_event_loop_load_a_module(cost: dict[str, object]) -> None:
    assert cost["imported_by_the_loop"] == []


def test_building_a_page_styles_each_widget_about_once(cost: dict[str, object]) -> None:
    # As the application's, the style sheet had Qt style each widget five times on its way into the window.
    styled = cost["styled"]
    assert isinstance(styled, float)
    assert styled < 2


def test_loading_all_pages_on_another_thread_makes_no_object_of_qt() -> None:
    # A QObject made there would live there, where no event loop runs and where it must not die either.
    script = """
import importlib, sys, threading
import shiboken6
from PySide6.QtCore import QObject
thread = threading.Thread(target=lambda: [importlib.import_module(name) for name in sys.argv[1:]])
thread.start()
thread.join()
print([type(one).__name__ for one in shiboken6.getAllValidWrappers() if isinstance(one, QObject)])
"""
    done = subprocess.run(
        [sys.executable, "-c", script, *(entry.module for entry in PAGES)],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


@pytest.fixture
def stack(qtbot: QtBot) -> Iterator[QStackedWidget]:
    made = QStackedWidget()
    pages.built.clear()
    yield made
    made.close()
    made.deleteLater()
    flush()


def test_making_a_page_and_putting_it_into_the_window_are_two_turns(
    desk: Desk, stack: QStackedWidget, qtbot: QtBot
) -> None:
    made = Pages(desk, stack, [PageEntry("jobs", "Jobs", MODULE, "FirstPage")])
    seen: list[tuple[int, int]] = []

    def look() -> None:
        seen.append((len(pages.built), stack.count()))

    clock = QTimer(stack)
    clock.timeout.connect(look)
    clock.start(0)
    with qtbot.waitSignal(made.built, timeout=SLACK_MS):
        made.begin("jobs")
    clock.stop()
    assert (1, 0) in seen  # made, not yet styled: the loop had a turn
    assert (1, 1) in seen
    assert made.has("jobs")


def test_the_last_page_asked_for_is_the_one_that_is_shown(
    desk: Desk, themes: ThemeSwitch, qtbot: QtBot
) -> None:
    window = MainWindow(desk, themes, "settings")
    window.visit(Destination("jobs"))
    window.visit(Destination("library"))
    qtbot.waitUntil(lambda: window._pages.has("jobs") and window._pages.has("library"), timeout=SLACK_MS)
    qtbot.waitUntil(lambda: window._pages.name_of(window.current) == "library", timeout=SLACK_MS)
    window.visit(Destination("settings"))
    assert window._pages.name_of(window.current) == "settings"
    assert window.rail.button("settings").isChecked()
    window.deleteLater()
    flush()


def test_a_page_that_cannot_be_loaded_is_told_and_the_old_one_stays(
    desk: Desk, themes: ThemeSwitch, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    ear = Ear(desk)
    window = MainWindow(desk, themes, "settings")

    def broken(*_modules: str) -> str:
        raise RKDeckError("window.fault", fault="ImportError", text="no module")

    monkeypatch.setattr("gui.shell.pages._load", broken)
    window.visit(Destination("jobs"))
    qtbot.waitUntil(lambda: bool(ear.noticed), timeout=SLACK_MS)
    assert window.rail.button("settings").isChecked()
    assert window._pages.name_of(window.current) == "settings"
    monkeypatch.undo()
    window.visit(Destination("jobs"))
    qtbot.waitUntil(lambda: window._pages.name_of(window.current) == "jobs", timeout=SLACK_MS)
    window.deleteLater()
    flush()
