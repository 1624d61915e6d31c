"""One live chart: lines over time with a legend of last values, drawn by pyqtgraph within what it does quickly.

Pen width 1 without antialiasing and ready arrays: eight lines of 300 points then take 16 ms, where wider or smoothed
pens take seconds (pyqtgraph issue 533). Lines are told apart by dashes as well as by colour.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, Qt, Signal, Slot
from PySide6.QtGui import QFontMetrics, QPen
from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from gui.text import tr
from gui.theme import colour, number_font, series_colour
from gui.widgets.basic import label, row
from gui.widgets.plain import Tinted, TintedLabel

_STYLES = (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine, Qt.PenStyle.DotLine, Qt.PenStyle.DashDotLine)
# Of characters after which no line may be broken (UAX 14), as it may after a hyphen.
_MARKS = ("──", "╌╌", "··", "─·─")
# A flag's text stands upright and ends where its line does, right of it or left.
_END_AT_TOP = [(1, 0), (1, 1)]
_FLAG_SHARE = 0.96  # of the plot's height, for its text with its margins


@dataclass(frozen=True, slots=True)
class Curve:
    """One line's data: seconds since the epoch, values in the chart's unit (NaN: a gap)."""

    name: str
    text: str
    times: NDArray[np.float64]
    values: NDArray[np.float32]


class _TimeAxis(pg.AxisItem):  # type: ignore[misc]  # pyqtgraph is untyped
    """Clock times, as short as the span allows."""

    def tickStrings(self, values: Sequence[float], _scale: float, spacing: float) -> list[str]:
        pattern = "%H:%M:%S" if spacing < 60 else "%H:%M"
        return [time.strftime(pattern, time.localtime(value)) for value in values]


class LiveChart(QFrame):
    """A titled chart.

    Signals:
        pointed: seconds since the epoch under the mouse (float as object), None when it left.
    """

    pointed = Signal(object)

    def __init__(
        self, title: str, unit: str, top: float | None, digits: int, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self._top, self._digits, self._unit = top, digits, unit
        self._curves: list[pg.PlotDataItem] = []
        self._shown: list[Curve] = []
        self.title = label(f"{title}, {unit}", "heading")
        self.note = label(role="muted", wrap=True)
        self.plot = pg.PlotWidget(axisItems={"bottom": _TimeAxis(orientation="bottom")}, enableMenu=False)
        # pyqtgraph makes it without a parent, also where it is switched off: it would outlive the chart.
        menu = self.plot.getPlotItem().ctrlMenu
        menu.setParent(self, menu.windowFlags())
        self.plot.setMouseEnabled(x=False, y=False)
        self.plot.hideButtons()
        self.plot.getAxis("left").setWidth(44)
        self.plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._cursor = pg.InfiniteLine(angle=90, movable=False)
        self._cursor.hide()
        self.plot.addItem(self._cursor, ignoreBounds=True)
        self._flags: dict[pg.InfiniteLine, str] = {}
        self.plot.getViewBox().sigResized.connect(self._fit_flags)
        self.plot.scene().sigMouseMoved.connect(self._on_mouse)
        self.legend = TintedLabel()
        self.legend.setFont(number_font(self.legend.font()))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 6, 8, 6)
        layout.setSpacing(2)
        layout.addLayout(row(self.title, None, self.note))
        layout.addWidget(self.plot, 1)
        layout.addWidget(self.legend)
        self.setMinimumHeight(150)
        self.retint()

    def show_curves(self, curves: Sequence[Curve], begin_s: float, end_s: float, why_empty: str) -> None:
        """Draw lines between two times; without lines, say why."""
        self._shown = list(curves)
        self._fit_items(len(curves))
        for item, curve in zip(self._curves, curves, strict=True):
            item.setData(curve.times, curve.values, skipFiniteCheck=True)
        self.plot.setXRange(begin_s, end_s, padding=0)
        top = self._top or self._highest(curves)
        # Half a line of text above the highest tick, or its number would be cut.
        self.plot.setYRange(-0.02 * top, 1.07 * top, padding=0.0)
        self.note.setText("" if curves else why_empty)
        self._show_values(None)

    def show_flags(self, times: Sequence[tuple[float, str]]) -> None:
        """Mark events with thin lines; the text is shown on them."""
        for item in self._flags:
            self.plot.removeItem(item)
        self._flags = {}
        for t_unix_s, text in times:
            item = pg.InfiniteLine(
                t_unix_s, angle=90, pen=pg.mkPen(colour("warn"), width=1, style=Qt.PenStyle.DashLine),
                label="", labelOpts={"position": 0.98, "anchors": _END_AT_TOP,
                           "color": colour("warn"), "rotateAxis": (1, 0)},
            )  # fmt: skip
            self.plot.addItem(item, ignoreBounds=True)
            self._flags[item] = text
        self._fit_flags()

    @Slot(object)
    def _fit_flags(self, _box: object = None) -> None:
        """Cut the texts of the flags to the height there is; the plot would cut them without a sign."""
        height = self.plot.getViewBox().height() * _FLAG_SHARE
        for item, text in self._flags.items():
            shown = item.label.textItem
            metrics, room = QFontMetrics(shown.font()), int(height - 2 * shown.document().documentMargin())
            item.label.setFormat(_template(metrics.elidedText(text, Qt.TextElideMode.ElideMiddle, room)))

    def point_at(self, t_unix_s: float | None) -> None:
        """Show the values at a time; None shows the last ones."""
        self._cursor.setVisible(t_unix_s is not None)
        if t_unix_s is not None:
            self._cursor.setPos(t_unix_s)
        self._show_values(t_unix_s)

    def retint(self) -> None:
        """Paint in the theme's colours."""
        self.plot.setBackground(colour("surface"))
        for name in ("left", "bottom"):
            axis = self.plot.getAxis(name)
            axis.setPen(colour("line"))
            axis.setTextPen(colour("muted"))
        self._cursor.setPen(pg.mkPen(colour("muted"), width=1))
        for number, item in enumerate(self._curves):
            item.setPen(_pen(number))

    def _fit_items(self, count: int) -> None:
        while len(self._curves) < count:
            item = pg.PlotDataItem(pen=_pen(len(self._curves)), connect="finite")
            self.plot.addItem(item)
            self._curves.append(item)
        while len(self._curves) > count:
            self.plot.removeItem(self._curves.pop())

    def _show_values(self, t_unix_s: float | None) -> None:
        parts = []
        for number, curve in enumerate(self._shown):
            found = _value_at(curve, t_unix_s)
            shown = tr("unknown") if found is None else f"{found:.{self._digits}f}"
            mark = _MARKS[number % len(_MARKS)]
            parts.append(Tinted(series_colour(number).name(), mark, curve.text, shown))
        if self.legend.show_parts(parts):
            words = ", ".join(f"{part.name} {part.value}" for part in parts)
            self.legend.setAccessibleName(f"{words} {self._unit}")

    @staticmethod
    def _highest(curves: Sequence[Curve]) -> float:
        known = [curve.values[~np.isnan(curve.values)] for curve in curves]
        tops = [float(values.max()) for values in known if len(values)]
        return max([*tops, 1e-9]) * 1.1

    @Slot(object)
    def _on_mouse(self, place: QPointF) -> None:
        box = self.plot.getPlotItem().vb
        inside = box.sceneBoundingRect().contains(place)
        self.pointed.emit(float(box.mapSceneToView(place).x()) if inside else None)

    def leaveEvent(self, event: object) -> None:  # Qt's name
        """The mouse left: last values again."""
        self.pointed.emit(None)
        super().leaveEvent(event)  # type: ignore[arg-type]  # a QEvent


def _template(text: str) -> str:
    """A line's label is a format string to pyqtgraph, filled in at every move: braces of a name are braces."""
    return text.replace("{", "{{").replace("}", "}}")


def _pen(number: int) -> QPen:
    pen = QPen(series_colour(number), 1, _STYLES[number % len(_STYLES)])
    pen.setCosmetic(True)
    return pen


def _value_at(curve: Curve, t_unix_s: float | None) -> float | None:
    if not len(curve.times):
        return None
    place = len(curve.times) - 1
    if t_unix_s is not None:
        place = max(0, int(np.searchsorted(curve.times, t_unix_s, side="right")) - 1)
    value = float(curve.values[place])
    return None if np.isnan(value) else value
