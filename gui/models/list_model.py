"""One model for every list of records: an observable list and a few columns become a table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from core.base.names import printable
from core.base.observable import ObservableList
from gui.widgets.plain import plain_tip

Record = TypeVar("Record")
Index = QModelIndex | QPersistentModelIndex
RECORD_ROLE = Qt.ItemDataRole.UserRole + 1
_CELL_CHARACTERS = 400
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


@dataclass(frozen=True)  # no slots: Python 3.11 cannot make generic ones
class Column(Generic[Record]):
    """One column.

    Attributes:
        title: header text, with the unit.
        text: the cell's text; called once per row and kept until the row changes.
        right: numbers are aligned to the right.
        tip: a longer text for the mouse, or None; made safe for Qt by the model, as the cell's text is.
    """

    title: str
    text: Callable[[Record], str]
    right: bool = False
    tip: Callable[[Record], str] | None = None


class RecordModel(QAbstractTableModel, Generic[Record]):
    """Shows an ObservableList; `RECORD_ROLE` gives the record of any cell.

    Cell texts are made when a row is first painted and kept: a view asks for each of them about seven times a
    repaint. Sorting and filtering are done on the records, before they are put into the list.
    """

    def __init__(
        self,
        records: ObservableList[Record],
        columns: Sequence[Column[Record]],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.records = records
        self.columns = tuple(columns)
        self._texts: list[tuple[str, ...] | None] = [None] * len(records)
        records.attach(self)

    def record(self, index: Index) -> Record | None:
        """The record a cell belongs to; None for no cell."""
        return self.records[index.row()] if index.isValid() else None

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  # Qt's default
        """Rows at the top; a table has none below."""
        return 0 if parent.isValid() else len(self.records)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  # Qt's default
        """Columns at the top."""
        return 0 if parent.isValid() else len(self.columns)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """What a view asks of a cell."""
        if not index.isValid() or index.row() >= len(self.records):
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._row_texts(index.row())[index.column()]
        if role == RECORD_ROLE:
            return self.records[index.row()]
        column = self.columns[index.column()]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _RIGHT if column.right else _LEFT
        if role == Qt.ItemDataRole.ToolTipRole and column.tip is not None:
            return plain_tip(column.tip(self.records[index.row()]))
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Rows may be selected, and carried where the view allows it."""
        flags = super().flags(index)
        return flags | Qt.ItemFlag.ItemIsDragEnabled if index.isValid() else flags

    def headerData(  # Qt's name
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        """Titles of the columns, aligned as their cells."""
        if orientation != Qt.Orientation.Horizontal or not 0 <= section < len(self.columns):
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self.columns[section].title
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _RIGHT if self.columns[section].right else _LEFT
        return None

    def forget_texts(self) -> None:
        """Make all cell texts anew: something they depend on besides the record has changed."""
        self._texts = [None] * len(self.records)
        if len(self.records):
            self._changed(0, len(self.records) - 1)

    def before_insert(self, first: int, last: int) -> None:
        """Forward the list's event to Qt."""
        self.beginInsertRows(QModelIndex(), first, last)

    def after_insert(self, first: int, last: int) -> None:
        """Forward the list's event to Qt."""
        self._texts[first:first] = [None] * (last - first + 1)
        self.endInsertRows()

    def before_remove(self, first: int, last: int) -> None:
        """Forward the list's event to Qt."""
        self.beginRemoveRows(QModelIndex(), first, last)

    def after_remove(self, first: int, last: int) -> None:
        """Forward the list's event to Qt."""
        del self._texts[first : last + 1]
        self.endRemoveRows()

    def after_change(self, first: int, last: int) -> None:
        """Forward the list's event to Qt."""
        self._texts[first : last + 1] = [None] * (last - first + 1)
        self._changed(first, last)

    def before_order(self) -> None:
        """Forward the list's event to Qt."""
        self.layoutAboutToBeChanged.emit()

    def after_order(self, new_places: Sequence[int]) -> None:
        """Move persistent indexes along, so that the selection stays with its records."""
        self._texts = [None] * len(self.records)
        old = self.persistentIndexList()
        new = [self.index(new_places[index.row()], index.column()) for index in old]
        self.changePersistentIndexList(old, new)
        self.layoutChanged.emit()

    def _row_texts(self, row: int) -> tuple[str, ...]:
        texts = self._texts[row]
        if texts is None:
            record = self.records[row]
            texts = self._texts[row] = tuple(
                printable(column.text(record), _CELL_CHARACTERS) for column in self.columns
            )
        return texts

    def _changed(self, first: int, last: int) -> None:
        self.dataChanged.emit(self.index(first, 0), self.index(last, len(self.columns) - 1))
