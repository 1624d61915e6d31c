"""The Lab page on a real model: measured, drawn, explained, and a tensor of a model that is still on the Hub."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QAbstractItemModel, Qt
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from core.base.paths import AppPaths
from core.demo.hub.server import DemoHub
from core.jobs.model import JobState
from core.library.records import LibraryItem
from core.services import Services
from core.usecases import library
from core.vendor.levels import comparable_levels, usual_levels
from gui.desk import Desk
from gui.pages.lab.page import LabPage
from gui.pages.lab.tensor import formula_text
from gui.theme import ThemeSwitch
from tests.gui.conftest import flush
from tests.gui.page_parts import SLACK_MS, Ear, rows, texts
from tests.support.models import write_random_model

JOB_MS = 90_000


@pytest.fixture
def model(services: Services, tmp_path: Path) -> LibraryItem:
    return library.add_path(services, write_random_model(tmp_path / "Tiny"))


@pytest.fixture
def page(model: LibraryItem, desk: Desk, ear: Ear, themes: ThemeSwitch, qtbot: QtBot) -> Iterator[LabPage]:
    made = LabPage(desk)
    made.resize(1090, 690)
    made.show()
    qtbot.waitExposed(made)
    desk.start()
    qtbot.waitUntil(lambda: made.view is not None, timeout=SLACK_MS)
    yield made
    made.close()
    made.deleteLater()
    flush()


def measured(page: LabPage, qtbot: QtBot) -> LabPage:
    qtbot.mouseClick(page.measure, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: page.view is not None and page.view.analysis is not None, timeout=JOB_MS)
    return page


def test_a_model_that_was_not_measured_leads_to_it(page: LabPage, qtbot: QtBot) -> None:
    assert "The weights were not measured yet" in texts(page)
    qtbot.mouseClick(page.overview._empty.action, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: page.view is not None and page.view.analysis is not None, timeout=JOB_MS)
    assert page.measure.text() == "Measure again"


def test_a_measured_model_shows_levels_advice_and_map(
    page: LabPage, qtbot: QtBot, check_model: Callable[[QAbstractItemModel], None],
    shots: Callable[[QWidget, str], Path],
) -> None:  # fmt: skip
    measured(page, qtbot)
    for view in (page.overview.levels, page.overview.heat):
        check_model(view.model())
    names = rows(page.overview.levels)
    assert {"w8a8", "w4a16", "w4a16_g32"} <= set(names)
    figures = {name: rows(page.overview.levels, 1)[place] for place, name in enumerate(names)}
    assert float(figures["w8a8"]) > float(figures["w4a16_g32"]) > float(figures["w4a16"])
    assert "Suggested for RK3588" in page.overview.advice.text()
    assert page.overview.heat.heat.rowCount() >= 2
    assert "6 dB" in texts(page)
    assert "RK3588 multiplies 8-bit weights with 8-bit inputs" in texts(page)
    shots(page, "lab-weights")


def test_the_map_of_another_level_and_a_cell_that_leads_to_its_tensor(page: LabPage, qtbot: QtBot) -> None:
    measured(page, qtbot)
    heat = page.overview.heat
    four = heat.heat.index(0, 0).data()
    page.overview.level.setCurrentText("w8a8")
    assert float(heat.heat.index(0, 0).data()) > float(four)
    heat.activated.emit(heat.heat.index(1, 1))
    assert page.tabs.currentWidget() is page.tensor
    wanted = heat.heat.name(heat.heat.index(1, 1))
    qtbot.waitUntil(
        lambda: page.tensor.picture is not None and page.tensor.picture.name == wanted, timeout=SLACK_MS
    )


def test_sliders_draw_another_grid_and_the_formula_has_its_numbers(
    page: LabPage, qtbot: QtBot, shots: Callable[[QWidget, str], Path]
) -> None:
    tensor = page.tensor
    page.tabs.setCurrentWidget(tensor)
    qtbot.waitUntil(lambda: tensor.picture is not None, timeout=SLACK_MS)
    first = tensor.picture
    assert first is not None
    assert first.grid is not None
    assert (first.scheme.bits, first.grid.zero_point) == (8, 0)
    shots(page, "lab-8-bits")
    tensor.bits.setValue(0)
    tensor.group.setValue(0)
    tensor.column.setValue(40)
    qtbot.waitUntil(
        lambda: tensor.picture is not None and tensor.picture.scheme.bits == 4 and tensor.picture.group == 1,
        timeout=SLACK_MS,
    )
    second = tensor.picture
    assert second is not None
    assert second.grid is not None
    assert second.walk is not None
    assert (second.first_column, second.last_column) == (32, 63)
    assert tensor.formula.text() == formula_text(second.grid, second.walk)
    assert f"{second.walk.integer}" in tensor.formula.text()
    assert abs(second.walk.error) <= second.grid.scale / 2 * 1.0001
    assert f"{second.grid.scale / 2:.3g}" in tensor.explain.text()
    shots(page, "lab-4-bits")


def test_a_choice_that_does_not_fit_is_told_in_words(page: LabPage, qtbot: QtBot) -> None:
    tensor = page.tensor
    page.tabs.setCurrentWidget(tensor)
    qtbot.waitUntil(lambda: tensor.picture is not None, timeout=SLACK_MS)
    tensor.group.setValue(4)  # 512 weights: no row of this model is that long
    qtbot.waitUntil(tensor.problem.isVisible, timeout=SLACK_MS)
    assert "512" in tensor.problem.text()
    assert tensor.picture is None
    tensor.group.setValue(0)
    qtbot.waitUntil(lambda: tensor.picture is not None, timeout=SLACK_MS)
    assert not tensor.problem.isVisible()


def test_perplexity_is_measured_level_by_level_with_answers_side_by_side(
    page: LabPage, desk: Desk, qtbot: QtBot, check_model: Callable[[QAbstractItemModel], None],
    shots: Callable[[QWidget, str], Path],
) -> None:  # fmt: skip
    tab = page.perplexity
    page.tabs.setCurrentWidget(tab)
    check_model(tab.view.model())
    tab.windows.setValue(2)
    # Whatever the data file names, a new dtype too.
    assert list(tab.levels) == [level.name for level in comparable_levels()]
    assert {name for name, box in tab.levels.items() if box.isChecked()} == {
        level.name for level in usual_levels()
    }
    tab.levels["w4a16_g32"].setChecked(False)
    tab.prompt.setText("Who?")
    qtbot.mouseClick(tab.start, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: page.view is not None and bool(page.view.runs), timeout=JOB_MS)
    assert rows(tab.view) == ["fp16", "w8a8", "w4a16"]
    assert all(float(value) > 1 for value in rows(tab.view, 1))
    shown = texts(tab)
    assert "Who?" in shown
    assert "lower is better" in shown
    assert "Alice" in shown
    shots(page, "lab-perplexity")
    assert {row.dtype for row in page.view.rows} >= {"fp16", "w8a8", "w4a16"}  # type: ignore[union-attr]


def test_nothing_chosen_is_refused_where_it_was_chosen(page: LabPage, qtbot: QtBot) -> None:
    tab = page.perplexity
    page.tabs.setCurrentWidget(tab)
    for box in tab.levels.values():
        box.setChecked(False)
    qtbot.mouseClick(tab.start, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(tab.problem.isVisible, timeout=SLACK_MS)
    assert tab.start.isEnabled()


def test_a_measurement_can_be_stopped(page: LabPage, desk: Desk, qtbot: QtBot) -> None:
    tab = page.perplexity
    page.tabs.setCurrentWidget(tab)
    tab.windows.setValue(10_000)
    qtbot.mouseClick(tab.start, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(tab.stop.isVisible, timeout=SLACK_MS)
    qtbot.mouseClick(tab.stop, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(tab.start.isEnabled, timeout=JOB_MS)
    record = tab._job()
    assert record is not None
    assert record.state in {JobState.CANCELLED, JobState.SUCCEEDED}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoHub]:
    with DemoHub({"some/model": write_random_model(tmp_path_factory.mktemp("hub") / "m", seed=3)}) as hub:
        yield hub


def test_of_a_model_on_the_hub_only_the_tensor_is_fetched(
    page: LabPage, services: Services, hub: DemoHub, qtbot: QtBot
) -> None:
    services.settings = replace(services.settings, hub_endpoint=hub.url)
    page.hub.setText("some/model")
    qtbot.keyClick(page.hub, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: page.tensor.picture is not None, timeout=SLACK_MS)
    assert not page.tabs.isTabVisible(page.tabs.indexOf(page.overview))
    assert not page.measure.isEnabled()
    assert "only the tensor you look at is fetched" in texts(page)
    # Back to the model of the library.
    page._on_model(0)
    qtbot.waitUntil(lambda: page.tabs.isTabVisible(page.tabs.indexOf(page.overview)), timeout=SLACK_MS)


def test_a_hub_that_does_not_know_the_model_says_so(
    page: LabPage, services: Services, hub: DemoHub, qtbot: QtBot
) -> None:
    services.settings = replace(services.settings, hub_endpoint=hub.url)
    page.hub.setText("no/such")
    page.look.click()
    qtbot.waitUntil(page.tensor.problem.isVisible, timeout=SLACK_MS)
    assert "no/such" in page.tensor.problem.text()


def test_without_a_model_the_page_leads_to_one(
    paths: AppPaths, services: Services, themes: ThemeSwitch, qtbot: QtBot
) -> None:
    desk = Desk(services)
    ear = Ear(desk)
    page = LabPage(desk)
    page.show()
    desk.start()
    qtbot.waitUntil(lambda: desk.library.is_loaded, timeout=SLACK_MS)
    assert "No model to look at yet" in texts(page)
    qtbot.mouseClick(page._empty.action, Qt.MouseButton.LeftButton)
    assert ear.went[-1].page == "discover"
    page.close()
    page.deleteLater()
    desk.close()
    desk.deleteLater()
    flush()


def test_it_speaks_spanish(
    spanish: None, page: LabPage, qtbot: QtBot, shots: Callable[[QWidget, str], Path]
) -> None:
    measured(page, qtbot)
    assert "Sugerido para RK3588" in page.overview.advice.text()
    assert "Cada bit vale unos 6 dB" in texts(page)
    shots(page, "lab-es")
