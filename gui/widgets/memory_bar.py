"""A bar of a board's memory: weights, cache, overhead, system, free; or how far it does not go."""

from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from core.base.units import GIB
from gui.text import tr
from gui.theme import colour
from gui.widgets.plain import set_tip

_BAR_PX, _TEXT_PX = 18, 18


@dataclass(frozen=True, slots=True)
class MemoryParts:
    """Bytes by what they hold; `board` is what the board's Linux sees."""

    weights: int
    cache: int
    overhead: int
    system: int
    board: int

    @property
    def need(self) -> int:
        """All of it together."""
        return self.weights + self.cache + self.overhead + self.system


class MemoryBar(QWidget):
    """Paints the parts to scale, each named below with its size."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._parts: MemoryParts | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:  # Qt's name
        """The bar and two lines of text."""
        return QSize(320, _BAR_PX + 2 * _TEXT_PX + 10)

    def show_parts(self, parts: MemoryParts | None) -> None:
        """Show parts; None shows an empty bar."""
        if parts != self._parts:
            self._parts = parts
            self.setAccessibleName(self._words())
            set_tip(self, self._words())
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # Qt's name
        """Draw the bar and its legend."""
        del event
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour("bar_free"))
        whole = QRectF(0, 0, self.width(), _BAR_PX)
        painter.drawRoundedRect(whole, 4, 4)
        if self._parts is None:
            return
        parts = self._parts
        scale = self.width() / max(parts.board, parts.need, 1)
        left = 0.0
        for token, size in _shares(parts):
            painter.setBrush(colour(token))
            painter.drawRect(QRectF(left, 0, size * scale, _BAR_PX))
            left += size * scale
        if parts.need > parts.board:
            edge = parts.board * scale
            painter.setBrush(colour("bad"))
            painter.drawRect(QRectF(edge - 1, -1, 2, _BAR_PX + 4))
        self._paint_legend(painter, parts)

    def _paint_legend(self, painter: QPainter, parts: MemoryParts) -> None:
        names = {
            "bar_weights": tr("weights"), "bar_cache": tr("cache"), "bar_overhead": tr("overhead"),
            "bar_system": tr("system"),
        }  # fmt: skip
        x, y = 0, _BAR_PX + 4
        for token, size in _shares(parts):
            text = f"{names[token]} {size / GIB:.2f}"
            width = painter.fontMetrics().horizontalAdvance(text) + 24
            if x + width > self.width():
                x, y = 0, y + _TEXT_PX
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour(token))
            painter.drawRect(QRectF(x, y + 4, 9, 9))
            painter.setPen(colour("muted"))
            painter.drawText(QRectF(x + 13, y, width, _TEXT_PX), Qt.AlignmentFlag.AlignVCenter, text)
            x += width
        free = parts.board - parts.need
        text = (
            tr("{size} GiB left", size=f"{free / GIB:.2f}")
            if free >= 0
            else tr("{size} GiB too much", size=f"{-free / GIB:.2f}")
        )
        painter.setPen(colour("ok" if free >= 0 else "bad"))
        width = painter.fontMetrics().horizontalAdvance(text)
        if x + width > self.width():
            x, y = 0, y + _TEXT_PX
        painter.drawText(QRectF(x, y, width + 4, _TEXT_PX), Qt.AlignmentFlag.AlignVCenter, text)

    def _words(self) -> str:
        if self._parts is None:
            return ""
        parts = self._parts
        return tr(
            "weights {weights}, cache {cache}, overhead {overhead}, system {system}, of {board} GiB",
            weights=f"{parts.weights / GIB:.2f}", cache=f"{parts.cache / GIB:.2f}",
            overhead=f"{parts.overhead / GIB:.2f}", system=f"{parts.system / GIB:.2f}",
            board=f"{parts.board / GIB:.2f}",
        )  # fmt: skip


def _shares(parts: MemoryParts) -> tuple[tuple[str, int], ...]:
    return (
        ("bar_weights", parts.weights), ("bar_cache", parts.cache), ("bar_overhead", parts.overhead),
        ("bar_system", parts.system),
    )  # fmt: skip
