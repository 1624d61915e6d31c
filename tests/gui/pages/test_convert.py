"""The recipe on the Convert page, on the real core: checked while it is written, mended, forecast, filled in."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QStandardItemModel, QWheelEvent
from PySide6.QtWidgets import QApplication, QSpinBox, QWidget
from pytestqt.qtbot import QtBot

from core.base.units import GIB
from core.convert.recipe import Recipe
from core.library.records import LibraryItem
from core.services import Services
from core.usecases import conversion, library
from core.vendor.platforms import get_platform
from gui.desk import Desk, Destination
from gui.feeds.active import Target
from gui.pages.convert.checker import Order, RecipeChecker
from gui.pages.convert.page import ConvertPage
from gui.theme import ThemeSwitch
from tests.gui.conftest import flush
from tests.gui.page_parts import SLACK_MS, Ear, answer_files, child, choose, take_keyboard, texts
from tests.support.held import HeldBack
from tests.support.models import write_random_model

STEP_VARIABLE = "RKLLM_SIMULATED_SECONDS_PER_STEP"
pytestmark = pytest.mark.qt_log_ignore("This plugin does not support grabbing the keyboard")


def test_without_a_model_it_says_so_and_leads_on(convert_page: ConvertPage, ear: Ear, qtbot: QtBot) -> None:
    page = convert_page
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
    source_item: LibraryItem, convert_page: ConvertPage, toolkit_python: Path, qtbot: QtBot
) -> None:
    page = convert_page
    field = page.form.toolkit
    assert "Rockchip's rkllm-toolkit" in texts(field)
    qtbot.waitUntil(lambda: bool(page.problems.problems), timeout=SLACK_MS)
    assert page.problems.problems[0].error.code == "convert.no_toolkit"
    assert "No toolkit was added yet" in page.why_not.full_text
    assert not page.start.isEnabled()
    qtbot.mouseClick(child(page.problems, "helpButton"), Qt.MouseButton.LeftButton)
    answer_files(page, Path(sys.executable))
    qtbot.waitUntil(lambda: field.state.state == "bad", timeout=SLACK_MS)
    assert "has no rkllm-toolkit" in texts(field)
    assert field.add.isEnabled()
    qtbot.mouseClick(field.add, Qt.MouseButton.LeftButton)
    answer_files(page, toolkit_python)
    qtbot.waitUntil(page.start.isEnabled, timeout=SLACK_MS)
    assert field.python == toolkit_python
    assert field.box.currentText() == "1.3.0+simulated (SIMULATED)"
    assert "was added" in texts(field)
    assert page.problems.problems == ()


def test_levels_a_platform_refuses_are_shown_with_the_reason(convert_page: ConvertPage) -> None:
    page = convert_page
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


def test_a_problem_is_cured_by_its_button(ready_page: ConvertPage, qtbot: QtBot) -> None:
    ready = ready_page
    choose(ready.form.dtype, "w8a8_g512")
    assert not ready.start.isEnabled()
    qtbot.waitUntil(lambda: bool(ready.problems.problems), timeout=SLACK_MS)
    assert "group size 512 does not divide" in texts(ready.problems)
    assert "group size 512" in ready.why_not.full_text
    assert ready.state.text() == "cannot start"
    assert ready.forecast.fit.text() == "cannot be made"
    remedy = child(ready.problems, "fixButton")
    assert remedy.text() == "Use w8a8_g128"
    take_keyboard(ready.form.expert.toggle, qtbot)
    qtbot.keyClick(ready.form.expert.toggle, Qt.Key.Key_Tab)
    assert remedy.hasFocus()  # Convert is disabled: the next stop is what mends it
    qtbot.mouseClick(remedy, Qt.MouseButton.LeftButton)
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


def test_the_forecast_names_need_room_and_what_it_rests_on(ready_page: ConvertPage) -> None:
    ready = ready_page
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


def test_only_the_newest_order_is_answered(ready_page: ConvertPage, qtbot: QtBot) -> None:
    ready = ready_page
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
    source_item: LibraryItem, toolkit: Path, desk: Desk, qtbot: QtBot
) -> None:
    checker = RecipeChecker(desk)
    heard: list[object] = []
    checker.answered.connect(heard.append)
    good = Order(source_item.id, Recipe("rk3588", "w8a8", 256), toolkit)
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
    ready_page: ConvertPage, services: Services, source_item: LibraryItem, qtbot: QtBot
) -> None:
    ready = ready_page
    library.remove_item(services, source_item.id)
    ready.form.context.setValue(512)
    qtbot.waitUntil(lambda: bool(ready.problems.problems), timeout=SLACK_MS)
    assert "The library has nothing" in texts(ready.problems)
    assert not ready.start.isEnabled()


def test_expert_options_are_folded_and_part_of_the_recipe(ready_page: ConvertPage, qtbot: QtBot) -> None:
    ready = ready_page
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
    source_item: LibraryItem, services: Services, convert_page: ConvertPage, tmp_path: Path, qtbot: QtBot
) -> None:
    page = convert_page
    second = library.add_path(services, write_random_model(tmp_path / "Second", seed=2))
    page.enter(source_item.id)
    assert page.form.source.currentData() == source_item.id
    page.enter(second.id)  # not listed yet
    qtbot.waitUntil(lambda: page.form.source.currentData() == second.id, timeout=SLACK_MS)
    assert page.form.source.count() == 2
    page.enter("gone")
    qtbot.waitUntil(lambda: page._wanted_id is None, timeout=SLACK_MS)
    assert page.form.source.currentData() == second.id


def test_the_form_follows_the_active_board_until_a_platform_is_chosen(
    convert_page: ConvertPage, desk: Desk, qtbot: QtBot
) -> None:
    page = convert_page

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


def test_the_wheel_over_a_field_scrolls_the_form(convert_page: ConvertPage) -> None:
    page = convert_page
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


@pytest.mark.parametrize(("width", "height"), [(1090, 690), (766, 470)])
def test_pictures_in_spanish(
    width: int, height: int, spanish: None, source_item: LibraryItem, toolkit: Path, desk: Desk, themes: ThemeSwitch,
    qtbot: QtBot, shots: Callable[[QWidget, str], Path],
) -> None:  # fmt: skip
    page = ConvertPage(desk)
    page.resize(width, height)
    page.show()
    desk.start()
    page.enter(source_item.id)
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
    source_item: LibraryItem, toolkit: Path, desk: Desk, qtbot: QtBot, freed_on_delete: Callable[..., None]
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


def test_toolkits_are_those_of_the_later_of_two_readings(
    convert_page: ConvertPage,
    services: Services,
    toolkit_python: Path,
    monkeypatch: pytest.MonkeyPatch,
    qtbot: QtBot,
) -> None:
    field = convert_page.form.toolkit
    assert field.toolkits == ()
    held = HeldBack()
    monkeypatch.setattr(conversion, "list_toolkits", held.around(conversion.list_toolkits))
    field.load()
    qtbot.waitUntil(held.has_looked.is_set, timeout=SLACK_MS)
    conversion.add_toolkit(services, toolkit_python)
    field.load()
    qtbot.waitUntil(lambda: bool(field.toolkits), timeout=SLACK_MS)
    held.let_go.set()
    assert held.has_returned.wait(SLACK_MS / 1000)
    qtbot.wait(100)  # from there to the window
    assert field.toolkits
