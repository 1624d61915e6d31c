"""Charts of one tensor: a histogram with the integer grid over it, errors, original against restored weights."""

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from core.lab.picture import Grid, Histogram
from gui.theme import colour, series_colour
from gui.widgets.basic import label, row

# More lines than this are a grey area: 8 bits are drawn as every 16th step.
_MOST_LINES = 32


class _Plot(pg.PlotWidget):  # type: ignore[misc]  # pyqtgraph is untyped
    """A plot that is content with little room; pyqtgraph's asks for 640 x 480."""

    def sizeHint(self) -> QSize:
        """Small."""
        return QSize(200, 110)


class StillChart(QFrame):
    """A titled plot that does not move."""

    def __init__(self, title: str, across: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self.title = label(title, "heading")
        self.note = label(role="muted")
        self.across = label(across, "muted")
        self.plot = _Plot(enableMenu=False)
        # pyqtgraph makes it without a parent, also where it is switched off: it would outlive the chart.
        menu = self.plot.getPlotItem().ctrlMenu
        menu.setParent(self, menu.windowFlags())
        self.plot.setMouseEnabled(x=False, y=False)
        self.plot.hideButtons()
        self.plot.getAxis("left").setWidth(52)
        self.plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 6, 8, 6)
        layout.setSpacing(2)
        layout.addLayout(row(self.title, None, self.note))
        layout.addWidget(self.plot, 1)
        self.across.setAlignment(Qt.AlignmentFlag.AlignRight)
        layout.addWidget(self.across)
        self.setMinimumHeight(140)
        self.retint()

    def retint(self) -> None:
        """Another theme."""
        self.plot.setBackground(colour("surface"))
        for name in ("left", "bottom"):
            axis = self.plot.getAxis(name)
            axis.setPen(pg.mkPen(colour("line"), width=1))
            axis.setTextPen(colour("muted"))

    def clear(self) -> None:
        """Draw nothing."""
        self.plot.clear()
        self.note.setText("")

    def draw_histogram(self, found: Histogram, series: int = 0) -> None:
        """Bars as one outline: cheaper than a hundred rectangles, and as readable."""
        pen = pg.mkPen(series_colour(series), width=1)
        brush = series_colour(series)
        brush.setAlpha(70)
        self.plot.plot(
            np.asarray(found.edges),
            np.asarray(found.counts),
            stepMode="center",
            fillLevel=0,
            brush=brush,
            pen=pen,
        )

    def draw_grid(self, grid: Grid, top: float) -> None:
        """The values that can be stored, as upright lines; of many only every so many."""
        step = max(1, -(-len(grid.positions) // _MOST_LINES))
        shown = np.asarray(grid.positions[::step])
        across = np.repeat(shown, 2)
        up = np.tile([0.0, top], shown.size)
        pen = pg.mkPen(series_colour(1), width=1, style=Qt.PenStyle.DashLine)
        self.plot.plot(across, up, connect="pairs", pen=pen)

    def draw_line(self, values: Sequence[float], series: int, *, dashed: bool = False) -> None:
        """A line over the numbers of the weights."""
        style = Qt.PenStyle.DashLine if dashed else Qt.PenStyle.SolidLine
        self.plot.plot(
            np.arange(len(values)),
            np.asarray(values),
            pen=pg.mkPen(series_colour(series), width=1, style=style),
        )

    def mark(self, position: float) -> None:
        """A strong upright line: the weight that is followed."""
        self.plot.addItem(pg.InfiniteLine(position, angle=90, pen=pg.mkPen(colour("bad"), width=1)))
