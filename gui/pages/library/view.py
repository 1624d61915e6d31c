"""The library's table; a ready model is carried out of it with the mouse."""

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

from core.library.records import LibraryItem
from gui.models.list_model import RECORD_ROLE
from gui.pages.library.columns import EXPENDABLE, TITLE, WIDTHS, is_simulated, plain_title
from gui.text import tr
from gui.theme import colour
from gui.widgets.drag import start_item_drag

_ROW_PX = 30
_LEAST_TITLE_PX = 230
_PAD_PX = 8
_BADGE_PAD_PX = 6


class LibraryView(QTableView):
    """Starts a drag for .rkllm files; source models stay. Narrow, it shows fewer columns."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("libraryView")
        self.setDragEnabled(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setShowGrid(False)
        self.setAlternatingRowColors(True)
        self.setTabKeyNavigation(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(_ROW_PX)
        self.setAccessibleName(tr("Models on this computer"))
        self._titles = TitleDelegate(self)

    def lay_out_columns(self) -> None:
        """Once the model is set: the title takes what the others leave."""
        self.setItemDelegateForColumn(TITLE, self._titles)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionsClickable(True)
        header.setMinimumSectionSize(40)
        header.setSectionResizeMode(TITLE, QHeaderView.ResizeMode.Stretch)
        for column, width in WIDTHS.items():
            self.setColumnWidth(column, width)

    def resizeEvent(self, event: QResizeEvent) -> None:  # Qt's name
        """Give up columns rather than the title."""
        super().resizeEvent(event)
        room = self.viewport().width() - _LEAST_TITLE_PX - sum(WIDTHS.values())
        for column in EXPENDABLE:
            hidden = room < 0
            if self.isColumnHidden(column) != hidden:
                self.setColumnHidden(column, hidden)
            if hidden:
                room += WIDTHS[column]

    def startDrag(self, _actions: Qt.DropAction) -> None:  # Qt's name
        """Carry the selected model."""
        item = self.currentIndex().data(RECORD_ROLE)
        if isinstance(item, LibraryItem) and item.model_kind is not None:
            start_item_drag(self, item)


class TitleDelegate(QStyledItemDelegate):
    """A title cut in the middle (the end of a file's name tells its level), and the mark of a stand-in's file."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Draw one cell."""
        item = index.data(RECORD_ROLE)
        if not isinstance(item, LibraryItem):
            super().paint(painter, option, index)
            return
        QApplication.style().drawPrimitive(QStyle.PrimitiveElement.PE_PanelItemViewItem, option, painter)
        place: QRect = option.rect.adjusted(_PAD_PX, 0, -_PAD_PX, 0)
        if is_simulated(item):
            place.setRight(place.right() - _paint_badge(painter, place) - _PAD_PX)
        painter.setPen(colour("text"))
        text = painter.fontMetrics().elidedText(
            plain_title(item), Qt.TextElideMode.ElideMiddle, place.width()
        )
        painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, text)


def _paint_badge(painter: QPainter, place: QRect) -> int:
    """Draw the mark at the right end; returns its width in px."""
    text = tr("SIMULATED@@model")
    metrics = painter.fontMetrics()
    width, height = metrics.horizontalAdvance(text) + 2 * _BADGE_PAD_PX, metrics.height() + 4
    badge = QRect(place.right() - width + 1, place.center().y() - height // 2 + 1, width, height)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour("warn_soft"))
    painter.drawRoundedRect(badge, 4, 4)
    painter.setPen(colour("warn"))
    painter.drawText(badge, Qt.AlignmentFlag.AlignCenter, text)
    return width
