"""Painting a search result: name, and below it what helps to choose."""

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QFont, QPainter
from PySide6.QtWidgets import QApplication, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from core.base.names import printable
from core.base.units import format_count
from core.hub.records import ModelSummary
from gui.icons import pixmap
from gui.models.list_model import RECORD_ROLE
from gui.text import tr
from gui.theme import colour
from gui.words import VERDICT_ROLES, verdict_text

Index = QModelIndex | QPersistentModelIndex
ROW_PX = 54
_PAD_PX = 12
_SHAPES = {"ok": "check", "warn": "warning", "bad": "cross", "muted": "unknown"}


class ResultDelegate(QStyledItemDelegate):
    """Two lines and, on the right, whether it was seen to fit."""

    verdicts: dict[str, str]

    def __init__(self, parent: object = None) -> None:
        super().__init__(parent)  # type: ignore[arg-type]  # a QObject
        self.verdicts = {}

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # Qt's name
        """All rows are of one height."""
        return QSize(200, ROW_PX)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw one result."""
        model = index.data(RECORD_ROLE)
        if not isinstance(model, ModelSummary):
            return
        QApplication.style().drawPrimitive(QStyle.PrimitiveElement.PE_PanelItemViewItem, option, painter)
        rectangle: QRect = option.rect.adjusted(_PAD_PX, 6, -_PAD_PX, -6)
        right = self._paint_verdict(painter, rectangle, self.verdicts.get(model.repo))
        upper = QRect(
            rectangle.left(), rectangle.top(), rectangle.width() - right - 8, rectangle.height() // 2
        )
        lower = upper.translated(0, rectangle.height() // 2)
        bold = QFont(option.font)
        bold.setWeight(QFont.Weight.DemiBold)
        painter.setFont(bold)
        painter.setPen(colour("text"))
        name = painter.fontMetrics().elidedText(
            printable(model.repo), Qt.TextElideMode.ElideMiddle, upper.width()
        )
        painter.drawText(upper, Qt.AlignmentFlag.AlignVCenter, name)
        painter.setFont(option.font)
        painter.setPen(colour("muted"))
        about = painter.fontMetrics().elidedText(_about(model), Qt.TextElideMode.ElideRight, lower.width())
        painter.drawText(lower, Qt.AlignmentFlag.AlignVCenter, about)
        painter.setPen(colour("line"))
        painter.drawLine(option.rect.bottomLeft(), option.rect.bottomRight())

    @staticmethod
    def _paint_verdict(painter: QPainter, rectangle: QRect, verdict: str | None) -> int:
        if verdict is None:
            return 0
        role, text = VERDICT_ROLES[verdict], verdict_text(verdict)
        width = painter.fontMetrics().horizontalAdvance(text) + 22
        place = QRect(rectangle.right() - width, rectangle.top(), width, rectangle.height() // 2)
        painter.drawPixmap(place.left(), place.center().y() - 7, pixmap(_SHAPES[role], role, 16))
        painter.setPen(colour(role))
        painter.drawText(place.adjusted(20, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, text)
        return width


def _about(model: ModelSummary) -> str:
    parts = [
        tr("{count} parameters", count=format_count(model.parameters))
        if model.parameters
        else tr("size unknown")
    ]
    if model.license:
        parts.append(printable(model.license, 30))
    if model.downloads is not None:
        parts.append(tr("{count} downloads", count=format_count(model.downloads)))
    if model.gated:
        parts.append(tr("gated"))
    if "rkllm" in model.tags:
        parts.append(tr("already converted"))
    return " · ".join(parts)
