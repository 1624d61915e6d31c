"""The Monitor page: linked live charts of one board, drawn by one timer that rests while nobody looks."""

import time

from PySide6.QtCore import QEvent, Qt, QTimer, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QGridLayout,
    QPushButton,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from core.base.names import printable
from core.base.units import format_duration
from core.monitor.history import History, HistoryEvent
from core.monitor.sample import BoardSample
from gui.desk import Desk
from gui.pages.monitor.charts import CHARTS, ChartSpec, why_missing
from gui.pages.page import Page
from gui.text import tr
from gui.widgets.basic import StateLabel, button, label, row
from gui.widgets.empty_state import EmptyState
from gui.widgets.plot import Curve, LiveChart

_SPANS = ((60, "1 min"), (600, "10 min"), (3600, "1 h"), (86_400, "24 h"))
_TICK_MS = 500
_POINTS = 400
_COLUMNS = 2
_MOST_FLAGS = 12


class MonitorPage(Page):
    """NPU, speed, memory, temperature, clocks and CPU over one time axis."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(desk, parent)
        self._span_s = 60
        self._frozen_at: float | None = None
        self._events_shown: tuple[HistoryEvent, ...] = ()
        self._cursor_at: float | None = None
        self.board = QComboBox()
        self.board.setObjectName("monitorBoardBox")
        self.board.setAccessibleName(tr("Board"))
        self.board.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.board.currentIndexChanged.connect(self._on_board)
        self.link = StateLabel()
        self.about = label(role="muted")
        self.pause = button(
            tr("Pause"), icon_name="pause", tip=tr("Stop the charts; the board is watched on")
        )
        self.pause.setObjectName("pauseButton")
        self.pause.setCheckable(True)
        self.pause.toggled.connect(self._on_pause)
        self._spans = QButtonGroup(self)
        self._spans.idClicked.connect(self._on_span)
        bar = row(self.board, self.link, self.about, None)
        for seconds, text in _SPANS:
            bar.addWidget(self._span_button(seconds, text))
        bar.addWidget(self.pause)
        self.charts: dict[str, LiveChart] = {}
        self._grid = QGridLayout()
        self._grid.setSpacing(10)
        filled = QWidget()
        inner = QVBoxLayout(filled)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.addLayout(bar)
        inner.addLayout(self._grid, 1)
        self._empty = EmptyState(
            "monitor", tr("No board to watch"), tr("Add a board; it is then watched all the time RKDeck is open."),
            tr("Add a board"),
        )  # fmt: skip
        self._empty.acted.connect(self._on_boards)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(filled)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._timer = QTimer(self)
        self._timer.setInterval(_TICK_MS)
        self._timer.timeout.connect(self._draw)
        # One chart a turn of the event loop: all at once would hold it up for a tenth of a second.
        self._builder = QTimer(self)
        self._builder.setInterval(0)
        self._builder.timeout.connect(self._build_chart)
        self._builder.start()
        desk.boards.loaded.connect(self._on_boards_loaded)
        self._on_boards_loaded()

    def enter(self, payload: object) -> None:
        """Show a board by its name."""
        if isinstance(payload, str):
            self.board.setCurrentIndex(max(0, self.board.findText(payload)))
        self._timer.start()
        self._draw()

    def leave(self) -> None:
        """Draw nothing while nobody looks."""
        self._timer.stop()

    def focus_first(self) -> None:
        """The board."""
        self.board.setFocus()

    def retint(self) -> None:
        """Another theme."""
        self._empty.retint()
        for chart in self.charts.values():
            chart.retint()
        self._events_shown = ()
        self._draw()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # Qt's name
        """Left and Right move the reading line; Escape lets it go."""
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        if event.key() in steps:
            begin, end = self._window()
            now = self._cursor_at if self._cursor_at is not None else end
            self._on_pointed(min(end, max(begin, now + steps[Qt.Key(event.key())] * self._span_s / 60)))
        elif event.key() == Qt.Key.Key_Escape and self._cursor_at is not None:
            self._on_pointed(None)
        else:
            super().keyPressEvent(event)

    def hideEvent(self, event: QEvent) -> None:  # Qt's name
        """Rest."""
        self._timer.stop()
        super().hideEvent(event)  # type: ignore[arg-type]  # a QHideEvent

    def _span_button(self, seconds: int, text: str) -> QPushButton:
        made = button(text)
        made.setObjectName(f"span:{seconds}")
        made.setCheckable(True)
        made.setChecked(seconds == self._span_s)
        self._spans.addButton(made, seconds)
        return made

    def _history(self) -> History | None:
        return self.desk.monitor.histories.get(self.board.currentText())

    def _window(self) -> tuple[float, float]:
        history = self._history()
        latest = history.latest if history is not None else None
        end = self._frozen_at or (latest.t_unix_s if latest is not None else time.time())
        return end - self._span_s, end

    @Slot()
    def _build_chart(self) -> None:
        number = len(self.charts)
        if number == len(CHARTS):
            self._builder.stop()
            self._draw()
            return
        spec = CHARTS[number]
        chart = LiveChart(tr(spec.title), spec.unit, spec.top, spec.digits)
        chart.setObjectName(f"chart:{spec.key}")
        chart.pointed.connect(self._on_pointed)
        self.charts[spec.key] = chart
        self._grid.addWidget(chart, number // _COLUMNS, number % _COLUMNS)
        self._grid.setRowStretch(number // _COLUMNS, 1)
        self._grid.setColumnStretch(number % _COLUMNS, 1)

    @Slot()
    def _draw(self) -> None:
        history = self._history()
        if history is None or len(self.charts) < len(CHARTS) or not self.isVisible():
            return
        begin, end = self._window()
        latest = history.latest
        for spec in CHARTS:
            self.charts[spec.key].show_curves(
                self._curves(spec, history, latest, end), begin, end, why_missing(spec, latest)
            )
            self.charts[spec.key].point_at(self._cursor_at)
        self._show_events(history, begin, end)
        self._show_state(latest)

    def _curves(
        self, spec: ChartSpec, history: History, latest: BoardSample | None, end: float
    ) -> list[Curve]:
        found = []
        for line in spec.lines(history.names, latest):
            times, values = history.window(line.series, self._span_s, _POINTS, end)
            found.append(Curve(line.series, printable(line.text, 30), times, values * line.factor))
        return found

    def _show_events(self, history: History, begin: float, end: float) -> None:
        events = tuple(event for event in history.events if begin <= event.t_unix_s <= end)[-_MOST_FLAGS:]
        if events != self._events_shown:
            self._events_shown = events
            self.charts["npu"].show_flags([(event.t_unix_s, event_text(event)) for event in events])

    def _show_state(self, latest: BoardSample | None) -> None:
        if latest is None:
            self.link.show_state("muted", tr("waiting"))
        elif latest.is_up:
            self.link.show_state("ok", tr("online"))
        else:
            self.link.show_state("bad", tr("offline"))
        parts = []
        if latest is not None and latest.uptime_s is not None:
            parts.append(tr("up {time}", time=format_duration(latest.uptime_s)))
        if latest is not None and latest.throttled_by:
            parts.append(tr("throttled by {devices}", devices=printable(", ".join(latest.throttled_by), 60)))
        self.about.setText(" · ".join(parts))

    @Slot()
    def _on_boards_loaded(self) -> None:
        names = [view.name for view in self.desk.boards.views]
        if [self.board.itemText(place) for place in range(self.board.count())] != names:
            chosen = self.board.currentText() or self.desk.active.target.board or ""
            self.board.clear()
            self.board.addItems(names)
            self.board.setCurrentIndex(max(0, self.board.findText(chosen)))
        self._stack.setCurrentIndex(1 if names else 0)

    @Slot(int)
    def _on_board(self, _index: int) -> None:
        self._events_shown = ()
        self.charts_clear()
        self._draw()

    def charts_clear(self) -> None:
        """Forget the reading line: it was of another board."""
        self._cursor_at = None

    @Slot(int)
    def _on_span(self, seconds: int) -> None:
        self._span_s = seconds
        self._draw()

    @Slot(bool)
    def _on_pause(self, paused: bool) -> None:  # Qt's signal
        self._frozen_at = self._window()[1] if paused else None
        self._draw()

    @Slot(object)
    def _on_pointed(self, t_unix_s: float | None) -> None:
        self._cursor_at = t_unix_s
        for chart in self.charts.values():
            chart.point_at(t_unix_s)

    @Slot()
    def _on_boards(self) -> None:
        self.desk.go("boards")


def event_text(event: HistoryEvent) -> str:
    """An event in a word or two and a whole name: the chart cuts it to the room there is."""
    model = printable(str(event.facts.get("model", "")), 120)
    return {
        "link_down": tr("link down"),
        "link_up": tr("link up"),
        "rebooted": tr("rebooted"),
        "serving_started": tr("serving {model}", model=model),
        "serving_stopped": tr("stopped {model}", model=model),
        "throttling_started": tr("throttling"),
        "throttling_ended": tr("full speed"),
    }.get(event.code, event.code)
