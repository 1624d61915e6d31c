"""The table of conversions: what becomes of what, and how far it is."""

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, Qt
from PySide6.QtGui import QPainter, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from core.base.names import printable
from core.convert.order import ConvertOrder
from core.jobs.model import JobRecord, JobState, Progress
from core.jobs.order import order_in
from gui.icons import pixmap
from gui.models.list_model import RECORD_ROLE, Column
from gui.pages.jobs.columns import job_columns
from gui.phrases import STATE_ROLES, job_line, state_text
from gui.text import tr
from gui.theme import colour

WHAT, STATE, TOOK = range(3)
_TOOK_COLUMN = 5
_WIDTHS = {STATE: 330, TOOK: 92}
_STATE_SHARE = 0.58
_LEAST_WHAT_PX, _LEAST_STATE_PX = 130, 150
_ROW_PX = 36
_PAD_PX = 8
_BAR_PX = 5
_SHAPES = {"ok": "check", "warn": "warning", "bad": "cross", "muted": "unknown", "info": "play"}


def queue_columns() -> tuple[Column[JobRecord], ...]:
    """The columns, in the language in use."""
    return (
        Column(tr("What"), what_text, tip=_whole_title),
        Column(tr("State"), state_line, tip=state_line),
        job_columns()[_TOOK_COLUMN],
    )


def what_text(record: JobRecord) -> str:
    """The file that is made: its name tells model, level and platform."""
    order = order_in(record.spec, ConvertOrder)
    return printable(record.spec.title if order is None else order.output.stem, 200)


def state_line(record: JobRecord) -> str:
    """The state's word, and while it runs what it does now."""
    word = state_text(record.state)
    return f"{word} · {job_line(record)}" if is_under_way(record) else word


def is_under_way(record: JobRecord) -> bool:
    """Whether there is progress to show."""
    return record.state is JobState.RUNNING and record.progress is not None


def _whole_title(record: JobRecord) -> str:
    return printable(record.spec.title, 400)


class QueueView(QTableView):
    """One row a conversion; narrow, it leaves the time out."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("queueView")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(_ROW_PX)
        self.setAccessibleName(tr("Conversions"))
        self._delegates = WhatDelegate(self), StateDelegate(self)

    def lay_out_columns(self) -> None:
        """Once the model is set."""
        for column, delegate in zip((WHAT, STATE), self._delegates, strict=True):
            self.setItemDelegateForColumn(column, delegate)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setMinimumSectionSize(40)
        header.setSectionResizeMode(WHAT, QHeaderView.ResizeMode.Stretch)
        for column, width in _WIDTHS.items():
            self.setColumnWidth(column, width)

    def resizeEvent(self, event: QResizeEvent) -> None:  # Qt's name
        """Share what room there is."""
        super().resizeEvent(event)
        width = self.viewport().width()
        hidden = width < _LEAST_WHAT_PX + _LEAST_STATE_PX + _WIDTHS[TOOK]
        if self.isColumnHidden(TOOK) != hidden:
            self.setColumnHidden(TOOK, hidden)
        room = width - (0 if hidden else _WIDTHS[TOOK])
        wanted = min(_WIDTHS[STATE], room - _LEAST_WHAT_PX, round(room * _STATE_SHARE))
        self.setColumnWidth(STATE, max(_LEAST_STATE_PX, wanted))


class WhatDelegate(QStyledItemDelegate):
    """A name cut in the middle: its end tells the level."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Draw one cell."""
        QApplication.style().drawPrimitive(QStyle.PrimitiveElement.PE_PanelItemViewItem, option, painter)
        place: QRect = option.rect.adjusted(_PAD_PX, 0, -_PAD_PX, 0)
        painter.setPen(colour("text"))
        text = painter.fontMetrics().elidedText(
            str(index.data()), Qt.TextElideMode.ElideMiddle, place.width()
        )
        painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, text)


class StateDelegate(QStyledItemDelegate):
    """Shape and word of the state; below them a bar while it runs."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Draw one cell."""
        record = index.data(RECORD_ROLE)
        if not isinstance(record, JobRecord):
            super().paint(painter, option, index)
            return
        QApplication.style().drawPrimitive(QStyle.PrimitiveElement.PE_PanelItemViewItem, option, painter)
        role = STATE_ROLES[record.state]
        tint = {"info": "accent"}.get(role, role)
        place: QRect = option.rect.adjusted(_PAD_PX, 0, -_PAD_PX, 0)
        running = not record.state.is_terminal
        line = place.adjusted(0, 0, 0, -_BAR_PX - 3 if running else 0)
        painter.drawPixmap(line.left(), line.center().y() - 7, pixmap(_SHAPES[role], tint, 16))
        painter.setPen(colour(tint))
        room = line.adjusted(22, 0, 0, 0)
        text = painter.fontMetrics().elidedText(state_line(record), Qt.TextElideMode.ElideRight, room.width())
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter, text)
        if running:
            _paint_bar(painter, place, record.progress)


def _paint_bar(painter: QPainter, place: QRect, progress: Progress | None) -> None:
    """How far it is; an unknown total leaves the bar empty."""
    bar = QRect(place.left(), place.bottom() - _BAR_PX - 3, place.width(), _BAR_PX)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour("line"))
    painter.drawRoundedRect(bar, 2.5, 2.5)
    if progress is not None and progress.total:
        bar.setWidth(round(bar.width() * max(0.0, min(1.0, progress.done / progress.total))))
        painter.setBrush(colour("accent"))
        painter.drawRoundedRect(bar, 2.5, 2.5)
