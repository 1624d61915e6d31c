"""The window around the pages."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent
from PySide6.QtWidgets import QApplication, QLabel, QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from core.base.errors import RKDeckError
from core.jobs.model import JobState, WorkerCommand
from core.services import Services
from gui.desk import Desk, Destination, Notice
from gui.shell import window as window_module
from gui.shell.window import MainWindow
from gui.theme import ThemeSwitch
from tests.gui.page_parts import SLACK_MS
from tests.gui.shell import pages
from tests.gui.shell.pages import ENTRIES
from tests.support.orders import made_up
from tests.support.waiting import wait_until

WORKER = WorkerCommand(script=str(Path(__file__).parents[2] / "support" / "bad_worker.py"))


def page(window: MainWindow, name: str) -> pages.PlainPage:
    found = window.page(name)
    assert isinstance(found, pages.PlainPage)
    return found


def wait_for_page(window: MainWindow, name: str, qtbot: QtBot) -> None:
    """Until a page that was asked for is shown: a first visit takes some turns of the loop."""
    qtbot.waitUntil(lambda: window._pages.name_of(window.current) == name, timeout=SLACK_MS)


def test_pages_are_built_on_their_first_visit(window: MainWindow, qtbot: QtBot) -> None:
    assert pages.built == ["FirstPage"]
    qtbot.keyClick(window, Qt.Key.Key_2, Qt.KeyboardModifier.ControlModifier)
    assert pages.built == ["FirstPage"]  # the event loop has its turn first
    wait_for_page(window, "library", qtbot)
    assert pages.built == ["FirstPage", "SecondPage"]
    assert page(window, "discover").left == 1
    qtbot.mouseClick(window.rail.button("discover"), Qt.MouseButton.LeftButton)
    assert page(window, "discover").entered == [None, None]
    assert len(pages.built) == 2


def test_going_somewhere_takes_the_payload_along(window: MainWindow, desk: Desk, qtbot: QtBot) -> None:
    desk.go("jobs", "job-1")
    wait_for_page(window, "jobs", qtbot)
    assert page(window, "jobs").entered == ["job-1"]
    assert window.rail.button("jobs").isChecked()
    assert page(window, "jobs").field.hasFocus()


def test_an_error_is_shown_in_words_and_stays_until_it_is_closed(
    window: MainWindow, desk: Desk, qtbot: QtBot
) -> None:
    desk.report(RKDeckError("hub.unreachable", host="huggingface.co", reason="no route", endpoint="x"))
    desk.report(RKDeckError("hub.unreachable", host="huggingface.co", reason="no route", endpoint="x"))
    assert len(window.notices.cards) == 1
    card = window.notices.cards[0]
    assert "hub.unreachable" not in card.notice.text
    assert window.rect().contains(card.geometry())
    card._close.click()
    assert window.notices.cards == []


def test_a_message_leads_somewhere(window: MainWindow, desk: Desk, qtbot: QtBot) -> None:
    desk.notice("Done.", kind="ok", action="Show", destination=Destination("library", "item"))
    action = window.notices.cards[0]._action
    assert action is not None
    action.click()
    wait_for_page(window, "library", qtbot)
    assert page(window, "library").entered == ["item"]
    assert window.notices.cards == []


def test_hostile_text_in_a_message_is_plain(window: MainWindow, desk: Desk) -> None:
    desk.noticed.emit(Notice("<b>bold</b><img src='http://x/y.png'>"))
    labels = window.notices.cards[0].findChildren(QLabel)
    assert all(label.textFormat() is Qt.TextFormat.PlainText for label in labels)


def test_the_drawer_holds_one_panel_and_escape_closes_it(
    window: MainWindow, desk: Desk, qtbot: QtBot
) -> None:
    first, second = QPushButton("one"), QPushButton("two")
    for panel in (first, second):
        panel.setWindowTitle(panel.text())
        desk.fill_drawer(panel)
    assert window.drawer.isVisible()
    assert window.drawer.panel is second
    qtbot.keyClick(second, Qt.Key.Key_Escape)
    assert not window.drawer.isVisible()
    assert window.drawer.panel is None


def test_the_theme_reaches_every_page_that_was_built(window: MainWindow, themes: ThemeSwitch) -> None:
    before = page(window, "discover").retinted
    themes.use("dark")
    assert page(window, "discover").retinted == before + 1
    assert pages.built == ["FirstPage"]


def test_a_file_dragged_over_a_pages_button_opens_the_page(window: MainWindow, qtbot: QtBot) -> None:
    button, mime = window.rail.button("boards"), QMimeData()
    mime.setUrls([QUrl.fromLocalFile("/tmp/model.rkllm")])

    def enter() -> QDragEnterEvent:
        event = QDragEnterEvent(
            button.rect().center(), Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )  # fmt: skip
        QApplication.sendEvent(button, event)
        return event

    assert enter().isAccepted()
    QApplication.sendEvent(button, QDragLeaveEvent())
    assert not button._linger.isActive()  # type: ignore[attr-defined]
    enter()
    qtbot.waitUntil(lambda: window.current is window.page("boards"), timeout=SLACK_MS)
    mime.clear()
    mime.setText("words")
    assert not enter().isAccepted()


def start_job(services: Services, mode: str, *, survives: bool) -> str:
    order = made_up(
        WORKER, {"mode": mode}, name="convert" if survives else "download", lane=f"lane-{mode}",
        title=f"made up {mode}", survives_front_end=survives, resumable=not survives, grace_s=1.0,
    )  # fmt: skip
    return services.jobs.submit(order).id


def question(window: MainWindow) -> QMessageBox:
    box = window._question
    assert isinstance(box, QMessageBox)
    return box


def press(box: QMessageBox, name: str, qtbot: QtBot) -> None:
    button = box.findChild(QPushButton, name)
    assert button is not None
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


@pytest.mark.parametrize("answer", ["stay", "keep", "stop"])
def test_closing_while_a_conversion_runs_asks(
    window: MainWindow, desk: Desk, services: Services, qtbot: QtBot, answer: str
) -> None:
    desk.jobs.start()
    job_id = start_job(services, "hang", survives=True)
    qtbot.waitUntil(lambda: bool(desk.jobs.running()), timeout=SLACK_MS)
    qtbot.waitUntil(lambda: desk.jobs.running()[0].state is JobState.RUNNING, timeout=SLACK_MS)
    assert "made up hang" in window.status._jobs.text()
    window.close()
    assert window.isVisible()
    assert "made up hang" in question(window).informativeText()
    press(question(window), answer, qtbot)
    qtbot.waitUntil(lambda: window.isVisible() is (answer == "stay"), timeout=SLACK_MS)
    assert window.stop_everything is (answer == "stop")
    services.jobs.cancel(job_id)
    services.jobs.attach(job_id).wait(30)


def test_closing_with_nothing_running_does_not_ask(window: MainWindow, qtbot: QtBot) -> None:
    with qtbot.waitSignal(window.closing_agreed, timeout=SLACK_MS):
        window.close()
    assert not window.isVisible()


def test_jobs_of_another_process_are_seen_and_a_finished_one_is_told(
    window: MainWindow, desk: Desk, services: Services, qtbot: QtBot
) -> None:
    desk.jobs.start()
    with qtbot.waitSignal(desk.jobs.ended, timeout=20_000) as ended:
        qtbot.waitUntil(lambda: desk.jobs._watcher is not None, timeout=SLACK_MS)
        start_job(services, "result", survives=True)
    assert ended.args is not None
    assert ended.args[0].state is JobState.SUCCEEDED
    qtbot.waitUntil(lambda: not desk.jobs.running(), timeout=SLACK_MS)
    wait_until(lambda: not services.jobs.attach(ended.args[0].spec.id).record().alive)


def test_the_window_remembers_where_it_stood(window: MainWindow) -> None:
    window.show_page("monitor")
    state = window.state()
    window.show_page("discover")
    window.restore(state)
    assert window.current is window.page("monitor")


def test_a_window_is_freed_when_it_is_closed(
    desk: Desk, themes: ThemeSwitch, monkeypatch: pytest.MonkeyPatch, freed_on_delete: Callable[..., None]
) -> None:
    monkeypatch.setattr(window_module, "PAGES", ENTRIES)
    freed_on_delete(lambda: MainWindow(desk, themes))


def test_the_status_bar_names_simulated_parts(window: MainWindow) -> None:
    window.status.mark_simulated()
    began = time.monotonic()
    assert "SIMULATED" in window.status._simulated.text()
    assert window.status._simulated.isVisible()
    assert time.monotonic() - began < 5
