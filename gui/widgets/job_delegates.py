"""Painting a job's state and progress in a table's cell: no widget per row."""

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QApplication, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from core.base.units import permille
from core.jobs.model import JobRecord
from gui.icons import pixmap
from gui.models.list_model import RECORD_ROLE
from gui.phrases import STATE_ROLES, job_line, state_text
from gui.theme import colour

Index = QModelIndex | QPersistentModelIndex
_ICONS = {"ok": "check", "warn": "warning", "bad": "cross", "muted": "unknown", "info": "play"}
_PAD_PX = 8
_ROW_PX = 30


def _background(painter: QPainter, option: QStyleOptionViewItem) -> None:
    QApplication.style().drawPrimitive(QStyle.PrimitiveElement.PE_PanelItemViewItem, option, painter)


class StateDelegate(QStyledItemDelegate):
    """A shape and a word for a job's state."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw one cell."""
        record = index.data(RECORD_ROLE)
        if not isinstance(record, JobRecord):
            super().paint(painter, option, index)
            return
        _background(painter, option)
        role = STATE_ROLES[record.state]
        tint = {"info": "accent"}.get(role, role)
        rectangle: QRect = option.rect
        picture = pixmap(_ICONS[role], tint, 16)
        painter.drawPixmap(rectangle.left() + _PAD_PX, rectangle.center().y() - 8, picture)
        painter.setPen(colour(tint))
        painter.drawText(
            rectangle.adjusted(_PAD_PX + 22, 0, -4, 0),
            Qt.AlignmentFlag.AlignVCenter,
            state_text(record.state),
        )

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # Qt's name
        """Rows of one height."""
        return QSize(super().sizeHint(option, index).width() + 22, _ROW_PX)


class ProgressDelegate(QStyledItemDelegate):
    """A bar while a job runs, with what it does now; determinate when the total is known."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw one cell."""
        record = index.data(RECORD_ROLE)
        if not isinstance(record, JobRecord):
            super().paint(painter, option, index)
            return
        _background(painter, option)
        if record.state.is_terminal:
            return
        rectangle: QRect = option.rect.adjusted(_PAD_PX, 4, -_PAD_PX, -4)
        bar = QRect(rectangle.left(), rectangle.bottom() - 5, rectangle.width(), 5)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour("bar_free"))
        painter.drawRoundedRect(bar, 2.5, 2.5)
        progress = record.progress
        done = permille(progress.done, progress.total) if progress is not None else None
        if done is not None:
            bar.setWidth(bar.width() * done // 1000)
            painter.setBrush(colour("accent"))
            painter.drawRoundedRect(bar, 2.5, 2.5)
        painter.setPen(colour("text"))
        text = painter.fontMetrics().elidedText(
            job_line(record), Qt.TextElideMode.ElideRight, rectangle.width()
        )
        painter.drawText(rectangle.adjusted(0, 0, 0, -7), Qt.AlignmentFlag.AlignVCenter, text)
