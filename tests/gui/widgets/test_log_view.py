"""A job's log: the tail first, then what comes; bounded and findable."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from core.jobs.model import WorkerCommand
from core.services import Services
from gui.desk import Desk
from gui.widgets.log_view import MAX_LINES, LogView
from tests.gui.conftest import flush
from tests.gui.page_parts import SLACK_MS
from tests.support.orders import made_up

SUPPORT = Path(__file__).parents[2] / "support"


@pytest.fixture
def view(desk: Desk, qtbot: QtBot) -> Iterator[LogView]:
    desk.jobs.start()
    made = LogView(desk)
    made.resize(600, 300)
    made.show()
    yield made
    made.close()
    made.deleteLater()
    flush()


def start_noise(services: Services, lines: int) -> str:
    worker = WorkerCommand(script=str(SUPPORT / "noisy_worker.py"))
    return services.jobs.submit(made_up(worker, {"lines": lines}, lane="noise", title="noise")).id


def last_line(view: LogView) -> str:
    return view.text.document().lastBlock().text()


def follows(view: LogView) -> bool:
    return view._follows


def test_a_running_job_is_followed_to_its_last_line(view: LogView, services: Services, qtbot: QtBot) -> None:
    view.show_job(start_noise(services, 500))
    qtbot.waitUntil(lambda: "line 499" in last_line(view), timeout=20_000)
    text = view.text.toPlainText()
    assert text.count("line 0\n") == 1
    assert text.splitlines()[-500:] == [f"line {number}" for number in range(500)]


def test_a_long_log_shows_its_end_and_says_what_is_left_out(
    view: LogView, services: Services, qtbot: QtBot
) -> None:
    job_id = start_noise(services, 300_000)
    services.jobs.attach(job_id).wait(60)
    view.show_job(job_id)
    qtbot.waitUntil(lambda: "line 299999" in last_line(view), timeout=30_000)
    assert view.text.blockCount() <= MAX_LINES
    assert view._left_out.isVisible()
    assert "MiB" in view._left_out.text() or "KiB" in view._left_out.text()


def test_scrolling_up_stops_following_and_the_button_goes_on(
    view: LogView, services: Services, qtbot: QtBot
) -> None:
    job_id = start_noise(services, 2000)
    view.show_job(job_id)
    qtbot.waitUntil(lambda: "line 1999" in last_line(view), timeout=20_000)
    qtbot.waitUntil(lambda: not view._drain.isActive(), timeout=SLACK_MS)
    view.text.verticalScrollBar().setValue(0)
    assert follows(view) is False
    assert view._follow.isEnabled()
    view._follow.click()
    assert follows(view) is True
    assert view.text.verticalScrollBar().value() == view.text.verticalScrollBar().maximum()


def test_find_goes_round(view: LogView, services: Services, qtbot: QtBot) -> None:
    job_id = start_noise(services, 300)
    view.show_job(job_id)
    qtbot.waitUntil(lambda: "line 299" in last_line(view), timeout=20_000)
    view._find.setText("line 250")
    for _ in range(2):
        view.find_next()
        assert view.text.textCursor().selectedText() == "line 250"


def test_another_job_takes_the_place_of_the_first(view: LogView, services: Services, qtbot: QtBot) -> None:
    first, second = start_noise(services, 50), start_noise(services, 60)
    for job_id in (first, second):
        services.jobs.attach(job_id).wait(30)
    view.show_job(first)
    view.show_job(second)
    qtbot.waitUntil(lambda: "line 59" in last_line(view), timeout=20_000)
    assert view.text.toPlainText().count("line 0\n") == 1
    view.show_job(None)
    assert view.text.toPlainText() == ""


def test_it_is_freed(desk: Desk, freed_on_delete: Callable[[Callable[[], QWidget]], None]) -> None:
    freed_on_delete(lambda: LogView(desk))
