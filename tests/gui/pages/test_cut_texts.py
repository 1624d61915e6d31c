"""What a narrow place cuts: never what tells things apart, never without a sign."""

import pyqtgraph as pg
import pytest
from PySide6.QtCore import QRectF, Qt
from PySide6.QtWidgets import QTableView
from pytestqt.qtbot import QtBot

from core.lab.records import HEAD_KIND
from core.lab.summary import HeatMap
from core.monitor.history import HistoryEvent
from core.plans.kinds import ORDERS
from core.vendor.levels import load_levels
from gui.desk import Desk
from gui.pages.jobs.page import JobsPage
from gui.pages.lab.heat import HeatView
from gui.pages.library.columns import LEVEL
from gui.pages.library.page import LibraryPage
from gui.pages.monitor.page import event_text
from gui.pages.settings.toolkits import ToolkitsPanel
from gui.phrases import kind_text
from gui.theme import ThemeSwitch
from gui.widgets.plot import LiveChart
from tests.gui.page_parts import SLACK_MS

_PAD_PX = 6  # of a table's cell, both sides together


def _is_wide_enough(view: QTableView, column: int, texts: list[str]) -> bool:
    width = view.columnWidth(column) - _PAD_PX
    return all(view.fontMetrics().horizontalAdvance(text) <= width for text in texts)


def test_the_word_for_each_kind_of_job_is_whole_and_a_title_keeps_its_end(
    spanish: None, desk: Desk, themes: ThemeSwitch, qtbot: QtBot
) -> None:
    page = JobsPage(desk)
    qtbot.addWidget(page)
    assert _is_wide_enough(page.view, 0, [kind_text(order.kind.name) for order in ORDERS])
    # Wrapped at words, the one line of a row ends after the arrow of "model → file".
    assert not page.view.wordWrap()
    assert page.view.textElideMode() == Qt.TextElideMode.ElideMiddle


def test_a_level_is_whole_in_the_library(library_page: LibraryPage) -> None:
    assert _is_wide_enough(library_page.view, LEVEL, [level.name for level in load_levels()])


def test_a_simulated_toolkit_says_so_whole(
    spanish: None, toolkit: object, desk: Desk, themes: ThemeSwitch, qtbot: QtBot
) -> None:
    panel = ToolkitsPanel(desk)
    qtbot.addWidget(panel)
    panel.resize(760, 300)
    panel.show()
    panel.refresh()
    model = panel.view.model()
    qtbot.waitUntil(lambda: model.rowCount() == 1, timeout=SLACK_MS)
    shown = str(model.index(0, 0).data())
    assert shown.endswith("(SIMULADO)")
    assert _is_wide_enough(panel.view, 0, [shown])


@pytest.mark.parametrize("width", [320, 480, 510, 560, 900])
def test_every_column_of_the_map_of_layers_has_room_for_its_title(
    width: int, spanish: None, themes: ThemeSwitch, qtbot: QtBot
) -> None:
    kinds = ("down_proj", "gate_proj", "up_proj", "k_proj", "o_proj", "q_proj", "v_proj", HEAD_KIND)
    row = (18.6,) * len(kinds)
    view = HeatView()
    qtbot.addWidget(view)
    view.resize(width, 200)
    view.show()
    view.show_map(HeatMap("w4a16", (0, None), kinds, (row, row), (("x",) * len(kinds),) * 2, 18.6, 18.6))
    header = view.horizontalHeader()
    qtbot.waitExposed(view)
    for column in range(len(kinds)):
        assert header.sectionSize(column) >= header.sectionSizeHint(column) - 8, "half of the space around it"


def test_an_event_names_the_model_whole_and_leaves_the_cut_to_its_chart() -> None:
    name = "wonderland-1m_W8A8_G128_RK3588"
    assert event_text(HistoryEvent(30.0, "serving_started", {"model": name})) == f"serving {name}"


@pytest.mark.parametrize("height", [150, 225, 600])
def test_the_text_of_an_event_stays_within_its_chart(height: int, themes: ThemeSwitch, qtbot: QtBot) -> None:
    chart = LiveChart("NPU load", "%", 100.0, 0)
    qtbot.addWidget(chart)
    chart.resize(500, 300)
    chart.show()
    qtbot.waitExposed(chart)
    name = "wonderland-1m_W8A8_G128_RK3588"
    chart.show_curves([], 0.0, 60.0, "")
    chart.show_flags([(30.0, f"serving {name}"), (59.0, "restarted")])
    chart.resize(500, height)
    box = chart.plot.getViewBox()
    qtbot.waitUntil(lambda: box.height() < height, timeout=SLACK_MS)
    lines = [item for item in chart.plot.getPlotItem().items if isinstance(item, pg.InfiniteLine)]
    texts = [line.label for line in lines if hasattr(line, "label")]
    assert len(texts) == 2

    def inside() -> bool:
        plot: QRectF = box.sceneBoundingRect()
        places = [text.textItem.sceneBoundingRect() for text in texts]
        return all(plot.top() <= place.top() and place.bottom() <= plot.bottom() for place in places)

    qtbot.waitUntil(inside, timeout=SLACK_MS)
    assert (name in texts[0].textItem.toPlainText()) == (height == 600)
