"""The Convert page on the real core and the stand-in toolkit: checked, cured, started, stopped, failed, led on."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QStandardItemModel, QWheelEvent
from PySide6.QtWidgets import (
    QApplication,
    QComboBox,
    QFileDialog,
    QLabel,
    QMenu,
    QPlainTextEdit,
    QPushButton,
    QSpinBox,
    QWidget,
)
from pytestqt.qtbot import QtBot

from core.base.units import GIB
from core.convert.recipe import Recipe
from core.demo.toolkit_env import create_toolkit_env
from core.estimate.platforms import get_platform
from core.jobs.model import JobRecord, JobSpec, JobState, Progress, WorkerCommand
from core.library.library import LibraryItem
from core.services import Services
from core.usecases import conversion as use
from core.usecases import library
from gui.desk import Desk, Destination, Notice
from gui.feeds.active import Target
from gui.pages.boards.page import DeployWish
from gui.pages.convert.checker import Order, RecipeChecker
from gui.pages.convert.page import ConvertPage
from gui.theme import ThemeSwitch
from tests.gui.conftest import flush
from tests.support.models import write_random_model

SLACK_MS = 30_000
STEP_VARIABLE = "RKLLM_SIMULATED_SECONDS_PER_STEP"
pytestmark = pytest.mark.qt_log_ignore("This plugin does not support grabbing the keyboard")


class Ear:
    """Hears where the pages want to go and what they say."""

    def __init__(self, desk: Desk) -> None:
        self.went: list[Destination] = []
        self.noticed: list[Notice] = []
        desk.went.connect(self.went.append)
        desk.noticed.connect(self.noticed.append)


@pytest.fixture(scope="module")
def toolkit_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return create_toolkit_env(tmp_path_factory.mktemp("toolkit") / "env")


@pytest.fixture
def ear(desk: Desk) -> Ear:
    return Ear(desk)


@pytest.fixture
def source(services: Services, tmp_path: Path) -> LibraryItem:
    return library.add_path(services, write_random_model(tmp_path / "Tiny"))


@pytest.fixture
def toolkit(services: Services, toolkit_python: Path) -> Path:
    return use.add_toolkit(services, toolkit_python).python


@pytest.fixture
def page(desk: Desk, ear: Ear, themes: ThemeSwitch, qtbot: QtBot) -> Iterator[ConvertPage]:
    made = ConvertPage(desk)
    made.resize(1090, 690)
    made.show()
    qtbot.waitExposed(made)
    desk.start()
    made.enter(None)
    qtbot.waitUntil(
        lambda: desk.library.is_loaded and made.form.toolkit.toolkits is not None, timeout=SLACK_MS
    )
    yield made
    made.leave()
    made.close()
    made.deleteLater()
    flush()


@pytest.fixture
def ready(source: LibraryItem, toolkit: Path, page: ConvertPage, qtbot: QtBot) -> ConvertPage:
    """A page on which everything is there and Convert can be pressed."""
    page.form.context.setValue(256)
    qtbot.waitUntil(page.start.isEnabled, timeout=SLACK_MS)
    return page


def choose(box: QComboBox, data: object) -> None:
    place = box.findData(data)
    assert place >= 0
    box.setCurrentIndex(place)


def texts(widget: QWidget) -> str:
    flush()  # what was put into a layout just now is shown by the event loop
    shown = "\n".join(
        getattr(part, "full_text", part.text()) for part in widget.findChildren(QLabel) if part.isVisible()
    )
    return shown.replace("\u200b", "")


def child(widget: QWidget, name: str) -> QPushButton:
    flush()
    return next(made for made in widget.findChildren(QPushButton, name) if made.isVisible())


def wait_state(page: ConvertPage, state: JobState, qtbot: QtBot) -> JobRecord:
    qtbot.waitUntil(
        lambda: page.queue.selected is not None and page.queue.selected.state is state, timeout=SLACK_MS
    )
    assert page.queue.selected is not None
    return page.queue.selected


def answer_dialog(page: ConvertPage, path: Path) -> None:
    """Choose a path in the file dialog that is open."""
    dialog = page.findChild(QFileDialog)
    assert dialog is not None
    dialog.setDirectory(str(path.parent))
    dialog.selectFile(str(path))
    dialog.accept()
    flush()


def test_without_a_model_it_says_so_and_leads_on(page: ConvertPage, ear: Ear, qtbot: QtBot) -> None:
    assert "no source model on this computer yet" in texts(page)
    assert page.why_not.full_text == "A source model is needed first."
    assert not page.start.isEnabled()
    page.focus_first()
    assert QApplication.focusWidget() is page.discover
    qtbot.keyClick(page.discover, Qt.Key.Key_Space)
    assert ear.went == [Destination("discover")]
    assert "No conversions yet" in texts(page)
    assert texts(page.forecast).count("unknown") == 6


def test_without_a_toolkit_it_explains_and_a_button_adds_one(
    source: LibraryItem, page: ConvertPage, toolkit_python: Path, qtbot: QtBot
) -> None:
    field = page.form.toolkit
    assert "Rockchip's rkllm-toolkit" in texts(field)
    qtbot.waitUntil(lambda: bool(page.problems.problems), timeout=SLACK_MS)
    assert page.problems.problems[0].error.code == "convert.no_toolkit"
    assert "No toolkit was added yet" in page.why_not.full_text
    assert not page.start.isEnabled()
    qtbot.mouseClick(child(page.problems, "helpButton"), Qt.MouseButton.LeftButton)
    answer_dialog(page, Path(sys.executable))
    qtbot.waitUntil(lambda: field.state.state == "bad", timeout=SLACK_MS)
    assert "has no rkllm-toolkit" in texts(field)
    assert field.add.isEnabled()
    qtbot.mouseClick(field.add, Qt.MouseButton.LeftButton)
    answer_dialog(page, toolkit_python)
    qtbot.waitUntil(page.start.isEnabled, timeout=SLACK_MS)
    assert field.python == toolkit_python
    assert field.box.currentText() == "1.3.0+simulated (SIMULATED)"
    assert "was added" in texts(field)
    assert page.problems.problems == ()


def test_levels_a_platform_refuses_are_shown_with_the_reason(page: ConvertPage) -> None:
    form = page.form
    choose(form.platform, "rk3588")
    model = form.dtype.model()
    assert isinstance(model, QStandardItemModel)
    refused = model.item(form.dtype.findData("w4a16"))
    assert not refused.isEnabled()
    assert "refused" in refused.text()
    assert "refuses w4a16 on RK3588" in refused.toolTip()
    assert model.item(form.dtype.findData("w8a8_g128")).isEnabled()
    choose(form.dtype, "w8a8_g128")
    choose(form.cores, 2)
    choose(form.platform, "rk3576")
    assert form.dtype.currentData() == "w8a8"  # the grouped one is RK3588's alone
    assert form.cores.count() == 2
    assert form.cores.currentData() is None
    assert model.item(form.dtype.findData("w4a16")).isEnabled()
    assert form.context.singleStep() == 32
    assert (form.context.minimum(), form.context.maximum()) == (32, 16384)


def test_a_problem_is_cured_by_its_button(ready: ConvertPage, qtbot: QtBot) -> None:
    choose(ready.form.dtype, "w8a8_g512")
    assert not ready.start.isEnabled()
    qtbot.waitUntil(lambda: bool(ready.problems.problems), timeout=SLACK_MS)
    assert "group size 512 does not divide" in texts(ready.problems)
    assert "group size 512" in ready.why_not.full_text
    assert ready.state.text() == "cannot start"
    assert ready.forecast.fit.text() == "cannot be made"
    fix = child(ready.problems, "fixButton")
    assert fix.text() == "Use w8a8_g128"
    qtbot.mouseClick(fix, Qt.MouseButton.LeftButton)
    assert ready.form.dtype.currentData() == "w8a8_g128"
    qtbot.waitUntil(ready.start.isEnabled, timeout=SLACK_MS)
    assert ready.problems.problems == ()
    assert ready.why_not.full_text == ""
    ready.form.context.setValue(100)
    qtbot.waitUntil(lambda: bool(ready.problems.problems), timeout=SLACK_MS)
    assert child(ready.problems, "fixButton").text() == "Use a context of 96"
    child(ready.problems, "fixButton").click()
    assert ready.form.context.value() == 96
    qtbot.waitUntil(ready.start.isEnabled, timeout=SLACK_MS)


def test_the_forecast_names_need_room_and_what_it_rests_on(ready: ConvertPage) -> None:
    forecast = ready.checker.check.forecast if ready.checker.check is not None else None
    assert forecast is not None
    assert "as users report" in ready.forecast.host_ram.text()
    assert "free" in ready.forecast.disk.text()
    assert "iB" in ready.forecast.file.text()
    assert forecast.row is not None
    assert forecast.row.ram is not None
    assert forecast.row.ram.basis in ready.forecast.board_ram.text()
    assert "tokens/s" in ready.forecast.speed.text()
    assert ready.forecast.fit.text() == "fits"
    ready.forecast.show_forecast(replace(forecast, host_ram_bytes=None, row=None))
    assert "unknown" in ready.forecast.host_ram.text()
    assert ready.forecast.speed.text() == "-"


def test_only_the_newest_order_is_answered(ready: ConvertPage, qtbot: QtBot) -> None:
    heard: list[tuple[str, ...]] = []

    def hear(_check: object) -> None:
        assert ready.checker.order is not None
        heard.append((ready.checker.order.recipe.dtype,))

    ready.checker.answered.connect(hear)
    for dtype in ("w8a8_g512", "w8a8_g256", "w8a8_g128", "w8a8_g512", "w8a8_g128"):
        choose(ready.form.dtype, dtype)
        assert not ready.start.isEnabled()
    qtbot.waitUntil(ready.start.isEnabled, timeout=SLACK_MS)
    assert heard == [("w8a8_g128",)]


def is_answered(checker: RecipeChecker) -> bool:
    return checker.check is not None


def test_an_answer_that_comes_too_late_does_not_count(
    source: LibraryItem, toolkit: Path, desk: Desk, qtbot: QtBot
) -> None:
    checker = RecipeChecker(desk)
    heard: list[object] = []
    checker.answered.connect(heard.append)
    good = Order(source.id, Recipe("rk3588", "w8a8", 256), toolkit)
    checker.want(good, None)
    checker._ask()
    checker.want(replace(good, recipe=Recipe("rk3588", "w4a16", 256)), None)
    assert not is_answered(checker)
    qtbot.waitUntil(lambda: bool(heard), timeout=SLACK_MS)
    assert checker.check is not None
    assert checker.check.problems[0].error.code == "convert.unsupported"
    assert len(heard) == 1
    checker.want(checker.order, 8 * GIB)
    assert checker.check is not None  # the same order, to be looked at again
    checker.want(None, None)
    assert not is_answered(checker)
    checker.pause()
    checker.deleteLater()
    flush()


def test_a_model_that_was_removed_meanwhile_is_a_problem_in_words(
    ready: ConvertPage, services: Services, source: LibraryItem, qtbot: QtBot
) -> None:
    library.remove_item(services, source.id)
    ready.form.context.setValue(512)
    qtbot.waitUntil(lambda: bool(ready.problems.problems), timeout=SLACK_MS)
    assert "The library has nothing" in texts(ready.problems)
    assert not ready.start.isEnabled()


def test_a_conversion_started_by_clicks_ends_in_the_library(
    ready: ConvertPage, desk: Desk, ear: Ear, qtbot: QtBot, check_model: Callable[..., None]
) -> None:
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
    ready: ConvertPage, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch,
    shots: Callable[[QWidget, str], Path],
) -> None:  # fmt: skip
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
    qtbot.waitUntil(queue.view.hasFocus)
    qtbot.keyClick(queue.view, Qt.Key.Key_Delete)
    wait_state(ready, JobState.CANCELLED, qtbot)
    queue._on_menu(QPoint(4, 4))
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    assert [action.text() for action in menu.actions()] == ["Run again", "Show on the Jobs page"]
    menu.close()


def test_a_failure_is_told_in_words(
    ready: ConvertPage, ear: Ear, qtbot: QtBot, tmp_path: Path, shots: Callable[[QWidget, str], Path]
) -> None:
    data = tmp_path / "samples.json"
    data.write_text('{"not": "a list"}')
    note = child(ready.notes, "helpButton")
    assert note.text() == "Choose calibration data"
    qtbot.mouseClick(note, Qt.MouseButton.LeftButton)
    answer_dialog(ready, data)
    assert ready.form.dataset.choose.text() == "samples.json"
    qtbot.waitUntil(ready.start.isEnabled, timeout=SLACK_MS)
    assert ready.notes.problems == ()
    ready.start.click()
    wait_state(ready, JobState.FAILED, qtbot)
    told = ready.queue.message.text().replace("\u200b", "")
    assert "The toolkit gave up in build" in told
    assert "dataset must be a list" in told
    assert ready.queue.retry.isEnabled()
    assert shots(ready, "convert-failed").stat().st_size > 5000
    qtbot.mouseClick(ready.form.dataset.clear, Qt.MouseButton.LeftButton)
    assert ready.form.recipe().dataset is None
    assert not ready.form.dataset.clear.isVisible()
    qtbot.waitUntil(lambda: bool(ready.notes.problems), timeout=SLACK_MS)


def test_what_the_core_refuses_at_the_start_is_reported(
    ready: ConvertPage, services: Services, toolkit: Path, ear: Ear, qtbot: QtBot
) -> None:
    use.remove_toolkit(services, toolkit)
    ready.start.click()
    assert not ready.start.isEnabled()
    qtbot.waitUntil(lambda: any(notice.kind == "bad" for notice in ear.noticed), timeout=SLACK_MS)
    qtbot.waitUntil(lambda: bool(ready.problems.problems), timeout=SLACK_MS)
    assert not ready.start.isEnabled()


def test_expert_options_are_folded_and_part_of_the_recipe(ready: ConvertPage, qtbot: QtBot) -> None:
    expert = ready.form.expert
    assert not expert.algorithm.isVisible()
    qtbot.mouseClick(expert.toggle, Qt.MouseButton.LeftButton)
    assert expert.algorithm.isVisible()
    choose(expert.algorithm, "gdq")
    qtbot.waitUntil(lambda: bool(ready.problems.problems), timeout=SLACK_MS)
    child(ready.problems, "fixButton").click()
    assert expert.algorithm.currentData() == "normal"
    choose(expert.optimization, 0)
    choose(expert.load_dtype, "bfloat16")
    expert.hybrid.setValue(0.25)
    expert.lora.show_path(Path("/nowhere/adapter"))
    recipe = ready.form.recipe()
    assert (recipe.optimization, recipe.load_dtype, recipe.hybrid_rate) == (0, "bfloat16", 0.25)
    assert recipe.lora == Path("/nowhere/adapter")
    ready.form.show_recipe(recipe)
    assert ready.form.recipe() == recipe


def test_entering_with_a_model_selects_it(
    source: LibraryItem, services: Services, page: ConvertPage, tmp_path: Path, qtbot: QtBot
) -> None:
    second = library.add_path(services, write_random_model(tmp_path / "Second", seed=2))
    page.enter(source.id)
    assert page.form.source.currentData() == source.id
    page.enter(second.id)  # not listed yet
    qtbot.waitUntil(lambda: page.form.source.currentData() == second.id, timeout=SLACK_MS)
    assert page.form.source.count() == 2
    page.enter("gone")
    qtbot.waitUntil(lambda: page._wanted_id is None, timeout=SLACK_MS)
    assert page.form.source.currentData() == second.id


def test_the_form_follows_the_active_board_until_a_platform_is_chosen(
    page: ConvertPage, desk: Desk, qtbot: QtBot
) -> None:
    def activate(platform: str, board: str | None) -> None:
        desk.active.target = Target(board or platform, get_platform(platform), board, 8 * GIB)
        desk.active.changed.emit(desk.active.target)

    activate("rk3576", "lab-2")
    assert page.form.platform.currentData() == "rk3576"
    assert page.form.platform.currentText() == "RK3576  ·  lab-2"
    assert page._board_ram_bytes() == 8 * GIB
    page.form.platform.setFocus()
    choose(page.form.platform, "rk3588")
    page.form.platform.activated.emit(page.form.platform.currentIndex())
    assert page._board_ram_bytes() is None
    activate("rk3562", None)
    assert page.form.platform.currentData() == "rk3588"


def test_the_wheel_over_a_field_scrolls_the_form(page: ConvertPage) -> None:
    box = page.findChild(QSpinBox, "contextBox")
    assert box is not None
    page.form.source.setFocus()
    before = box.value()
    centre = QPointF(box.rect().center())
    event = QWheelEvent(
        centre, QPointF(box.mapToGlobal(box.rect().center())), QPoint(0, 0), QPoint(0, 120),
        Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(box, event)
    assert box.value() == before


def job(number: int, state: JobState, progress: Progress | None = None) -> JobRecord:
    spec = JobSpec(
        id=f"convert-{number}", kind="convert", lane="convert", title=f"m to m{number}.rkllm",
        params={"output": f"/x/m{number}.rkllm"}, worker=WorkerCommand(module="x"), created_unix_s=1000.0 + number,
    )  # fmt: skip
    return JobRecord(spec, state, not state.is_terminal, progress=progress)


def test_the_queue_runs_first_then_waits_in_order_then_the_last_twenty(
    page: ConvertPage, desk: Desk, check_model: Callable[..., None]
) -> None:
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


@pytest.mark.parametrize(("width", "height"), [(1090, 690), (766, 470)])
def test_pictures_in_spanish(
    width: int, height: int, spanish: None, source: LibraryItem, toolkit: Path, desk: Desk, themes: ThemeSwitch,
    qtbot: QtBot, shots: Callable[[QWidget, str], Path],
) -> None:  # fmt: skip
    page = ConvertPage(desk)
    page.resize(width, height)
    page.show()
    desk.start()
    page.enter(source.id)
    choose(page.form.dtype, "w8a8_g512")
    qtbot.waitUntil(lambda: bool(page.problems.problems), timeout=SLACK_MS)
    assert child(page.problems, "fixButton").text() == "Usar w8a8_g128"
    assert "no se puede empezar" in texts(page)
    form_area = page.form.parentWidget()
    assert form_area is not None
    assert page.form.minimumSizeHint().width() <= form_area.width(), "the form is cut off at the right"
    assert shots(page, f"convert-es-{width}").stat().st_size > 5000
    page.leave()
    page.close()
    page.deleteLater()
    flush()


def test_the_page_is_freed_after_use(
    source: LibraryItem, toolkit: Path, desk: Desk, qtbot: QtBot, freed_on_delete: Callable[..., None]
) -> None:
    desk.start()
    qtbot.waitUntil(lambda: desk.library.is_loaded, timeout=SLACK_MS)

    def make() -> ConvertPage:
        made = ConvertPage(desk)
        made.show()
        choose(made.form.dtype, "w8a8_g512")
        qtbot.waitUntil(lambda: bool(made.problems.problems), timeout=SLACK_MS)
        return made

    freed_on_delete(make)
