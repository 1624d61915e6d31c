"""Conversions by the stand-in toolkit from the Convert page: started, stopped, failed, led on."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication, QMenu, QPlainTextEdit, QWidget
from pytestqt.qtbot import QtBot

from core.convert.order import ConvertOrder, UsedToolkit
from core.jobs.model import JobRecord, JobSpec, JobState, Progress, WorkerCommand
from core.library.records import LibraryItem
from core.services import Services
from core.usecases import conversion as use
from gui.desk import Desk, Destination
from gui.pages.boards.page import DeployWish
from gui.pages.convert.page import ConvertPage
from tests.gui.page_parts import SLACK_MS, Ear, answer_files, child

STEP_VARIABLE = "RKLLM_SIMULATED_SECONDS_PER_STEP"
pytestmark = pytest.mark.qt_log_ignore("This plugin does not support grabbing the keyboard")


def wait_state(page: ConvertPage, state: JobState, qtbot: QtBot) -> JobRecord:
    qtbot.waitUntil(
        lambda: page.queue.selected is not None and page.queue.selected.state is state, timeout=SLACK_MS
    )
    assert page.queue.selected is not None
    return page.queue.selected


def test_a_conversion_started_by_clicks_ends_in_the_library(
    ready_page: ConvertPage, desk: Desk, ear: Ear, qtbot: QtBot, check_model: Callable[..., None]
) -> None:
    ready = ready_page
    check_model(ready.queue.view.model())
    qtbot.mouseClick(child(ready, "convertButton"), Qt.MouseButton.LeftButton)
    record = wait_state(ready, JobState.SUCCEEDED, qtbot)
    assert record.spec.params["recipe"]["context"] == 256  # type: ignore[index,call-overload]  # JSON
    model = ready.queue.view.model()
    assert str(model.index(0, 0).data()) == "Tiny_W8A8_RK3588"
    assert str(model.index(0, 1).data()) == "Done"
    log = ready.findChild(QPlainTextEdit, "logView")
    assert log is not None
    qtbot.waitUntil(lambda: "Converting model" in log.toPlainText(), timeout=SLACK_MS)
    qtbot.waitUntil(ready.queue.show_result.isEnabled, timeout=SLACK_MS)
    made = next(item for item in desk.library.items if item.kind == "rkllm")
    qtbot.mouseClick(ready.queue.show_result, Qt.MouseButton.LeftButton)
    assert ear.went[-1] == Destination("library", made.id)
    qtbot.mouseClick(ready.queue.deploy, Qt.MouseButton.LeftButton)
    assert ear.went[-1] == Destination("boards", DeployWish(made.path))
    qtbot.keyClick(ready.queue.view, Qt.Key.Key_Return)
    assert ear.went[-1] == Destination("library", made.id)
    assert not ready.queue.cancel.isVisible()
    qtbot.waitUntil(ready.start.isEnabled, timeout=SLACK_MS)  # and once more, if wanted


def test_a_running_conversion_shows_its_stage_and_can_be_stopped_and_run_again(
    ready_page: ConvertPage, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch,
    shots: Callable[[QWidget, str], Path],
) -> None:  # fmt: skip
    ready = ready_page
    monkeypatch.setenv(STEP_VARIABLE, "0.3")
    queue = ready.queue
    ready.start.click()
    wait_state(ready, JobState.RUNNING, qtbot)
    qtbot.waitUntil(
        lambda: queue.selected is not None and queue.selected.progress is not None, timeout=SLACK_MS
    )
    words = str(queue.view.model().index(0, 1).data())
    assert words.startswith("Running · ")
    assert shots(ready, "convert-running").stat().st_size > 5000
    assert not queue.retry.isVisible()
    qtbot.mouseClick(queue.cancel, Qt.MouseButton.LeftButton)
    wait_state(ready, JobState.CANCELLED, qtbot)
    assert str(queue.view.model().index(0, 1).data()) == "Stopped"
    qtbot.mouseClick(queue.retry, Qt.MouseButton.LeftButton)
    wait_state(ready, JobState.RUNNING, qtbot)
    ready.activateWindow()
    queue.view.setFocus()
    qtbot.waitUntil(queue.view.hasFocus, timeout=SLACK_MS)
    qtbot.keyClick(queue.view, Qt.Key.Key_Delete)
    wait_state(ready, JobState.CANCELLED, qtbot)
    queue._on_menu(QPoint(4, 4))
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    assert [action.text() for action in menu.actions()] == ["Run again", "Show on the Jobs page"]
    menu.close()


def test_calibration_data_that_cannot_work_is_told_before_the_start(
    ready_page: ConvertPage, ear: Ear, qtbot: QtBot, tmp_path: Path
) -> None:
    ready = ready_page
    data = tmp_path / "samples.json"
    data.write_text('{"not": "a list"}')
    note = child(ready.notes, "helpButton")
    assert note.text() == "Choose calibration data"
    qtbot.mouseClick(note, Qt.MouseButton.LeftButton)
    answer_files(ready, data)
    assert ready.form.dataset.choose.text() == "samples.json"
    qtbot.waitUntil(lambda: bool(ready.problems.problems), timeout=SLACK_MS)
    assert [problem.error.code for problem in ready.problems.problems] == ["convert.dataset_not_list"]
    assert not ready.start.isEnabled()
    qtbot.mouseClick(ready.form.dataset.clear, Qt.MouseButton.LeftButton)
    assert ready.form.recipe().dataset is None
    assert not ready.form.dataset.clear.isVisible()
    qtbot.waitUntil(ready.start.isEnabled, timeout=SLACK_MS)
    assert [problem.error.code for problem in ready.notes.problems] == ["convert.no_dataset"]


def test_a_failure_is_told_in_words(
    ready_page: ConvertPage, source_item: LibraryItem, qtbot: QtBot, shots: Callable[[QWidget, str], Path]
) -> None:
    ready = ready_page
    (source_item.path / "generation_config.json").write_text('{"eos_token_id": "the last"}')
    ready.start.click()
    wait_state(ready, JobState.FAILED, qtbot)
    told = ready.queue.message.text().replace("\u200b", "")
    assert "The toolkit gave up in load" in told
    assert "the last" in told
    assert ready.queue.retry.isEnabled()
    assert shots(ready, "convert-failed").stat().st_size > 5000


def test_what_the_core_refuses_at_the_start_is_reported(
    ready_page: ConvertPage, services: Services, toolkit: Path, ear: Ear, qtbot: QtBot
) -> None:
    ready = ready_page
    use.remove_toolkit(services, toolkit)
    ready.start.click()
    assert not ready.start.isEnabled()
    qtbot.waitUntil(lambda: any(notice.kind == "bad" for notice in ear.noticed), timeout=SLACK_MS)
    qtbot.waitUntil(lambda: bool(ready.problems.problems), timeout=SLACK_MS)
    assert not ready.start.isEnabled()


def job(number: int, state: JobState, progress: Progress | None = None) -> JobRecord:
    order = ConvertOrder(
        Path("/m"), None, None, None, "m", {}, "rk3588", "w8a8", UsedToolkit(Path("/python"), "1.3.0", False),
        ({"method": "export_rkllm", "arguments": {}},), Path(f"/x/m{number}.rkllm"), None, (),
    )  # fmt: skip
    spec = JobSpec(
        id=f"convert-{number}", kind="convert", lane="convert", title=order.job_title,
        params=order.to_json(), worker=WorkerCommand(module="x"), created_unix_s=1000.0 + number,
    )  # fmt: skip
    return JobRecord(spec, state, not state.is_terminal, progress=progress)


def test_the_queue_runs_first_then_waits_in_order_then_the_last_twenty(
    convert_page: ConvertPage, desk: Desk, check_model: Callable[..., None]
) -> None:
    page = convert_page
    check_model(page.queue.view.model())
    ended = [job(number, JobState.SUCCEEDED) for number in range(30)]
    live = [job(40, JobState.RUNNING, Progress("Optimizing model", 3, 12, "steps", None))]
    live += [job(42, JobState.QUEUED), job(41, JobState.QUEUED)]
    other = replace(job(50, JobState.RUNNING), spec=replace(job(50, JobState.RUNNING).spec, kind="download"))
    records = sorted([*ended, *live, other], key=lambda record: -record.spec.created_unix_s)
    desk.jobs.records.replace_all(records, key=lambda record: record.spec.id)
    page.queue._update()
    model = page.queue.view.model()
    shown = [str(model.index(row, 0).data()) for row in range(model.rowCount())]
    assert shown[:4] == ["m40", "m41", "m42", "m29"]
    assert len(shown) == 23
    assert "Optimizing the model" in str(model.index(0, 1).data())
    assert page.queue.selected is not None
