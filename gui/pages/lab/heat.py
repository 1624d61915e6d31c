"""The map of a model's layers: how much of each tensor survives, in dB, as numbers on a tint."""

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal, Slot
from PySide6.QtGui import QColor, QPainter, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from core.base.names import printable
from core.lab.records import HEAD_KIND
from core.lab.summary import HeatMap
from gui.text import tr
from gui.theme import colour, number_font
from gui.widgets.plain import plain_tip

Index = QModelIndex | QPersistentModelIndex
_CELL_PX = 54
_SPARE_PX = 8  # of the space around a title, which goes before a letter does


class HeatModel(QAbstractTableModel):
    """Layers by kinds of tensor."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.map: HeatMap | None = None

    def show_map(self, heat: HeatMap | None) -> None:
        """Show another map."""
        self.beginResetModel()
        self.map = heat
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  # Qt's default
        """Layers."""
        return 0 if parent.isValid() or self.map is None else len(self.map.layers)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  # Qt's default
        """Kinds."""
        return 0 if parent.isValid() or self.map is None else len(self.map.kinds)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """A number of dB, its tint, and the tensor's name."""
        if self.map is None or not index.isValid():
            return None
        cell = self.map.cells[index.row()][index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return "" if cell is None else f"{cell:.1f}"
        if role == Qt.ItemDataRole.BackgroundRole and cell is not None:
            return self._tint(cell)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(self.name(index) or "")
        return None

    def name(self, index: Index) -> str | None:
        """The tensor behind a cell."""
        if self.map is None or not index.isValid():
            return None
        return self.map.names[index.row()][index.column()]

    def headerData(  # Qt's name
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        """Kinds above, layers at the left."""
        if self.map is None or role != Qt.ItemDataRole.DisplayRole:
            return None
        if orientation == Qt.Orientation.Horizontal:
            # The cell's tip has the whole name.
            kinds = self.map.kinds
            if section >= len(kinds):
                return None
            kind = kinds[section]
            return tr("head") if kind == HEAD_KIND else printable(kind.removesuffix("_proj"), 40)
        if section >= len(self.map.layers):
            return None
        layer = self.map.layers[section]
        return tr("head") if layer is None else str(layer)

    def _tint(self, cell: float) -> QColor:
        """The lower, the warmer; the number says the same."""
        assert self.map is not None
        low, high = self.map.lowest, self.map.highest
        assert low is not None
        assert high is not None
        share = 0.0 if high <= low else (high - cell) / (high - low)
        good, bad = colour("surface"), colour("warn_soft")
        return QColor.fromRgbF(
            good.redF() + (bad.redF() - good.redF()) * share,
            good.greenF() + (bad.greenF() - good.greenF()) * share,
            good.blueF() + (bad.blueF() - good.blueF()) * share,
        )


class _TintDelegate(QStyledItemDelegate):
    """Paints the tint itself: a style sheet's items take no background from the model."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        tint = index.data(Qt.ItemDataRole.BackgroundRole)
        if isinstance(tint, QColor):
            painter.fillRect(option.rect, tint)
        super().paint(painter, option, index)


class HeatView(QTableView):
    """The map; a cell leads to its tensor.

    Signals:
        picked: name of the tensor of a cell that was activated or clicked.
    """

    picked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("heatView")
        self.heat = HeatModel(self)
        self.setModel(self.heat)
        self.setItemDelegate(_TintDelegate(self))
        self.setFont(number_font(self.font()))
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.verticalHeader().setDefaultSectionSize(22)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.setAccessibleName(tr("SQNR in dB by layer and kind of tensor"))
        self.activated.connect(self._on_activated)
        self.clicked.connect(self._on_activated)

    def show_map(self, heat: HeatMap | None) -> None:
        """Show another map."""
        self.heat.show_map(heat)
        self._share_width()

    def resizeEvent(self, event: QResizeEvent) -> None:  # Qt's name
        """Columns share the width while that is enough for each; else they take what they need."""
        super().resizeEvent(event)
        self._share_width()

    def _share_width(self) -> None:
        header = self.horizontalHeader()
        columns = self.heat.columnCount()
        titles = (header.sectionSizeHint(column) - _SPARE_PX for column in range(columns))
        widest = max([_CELL_PX, *titles])
        enough = self.viewport().width() >= widest * columns
        mode = QHeaderView.ResizeMode.Stretch if enough else QHeaderView.ResizeMode.ResizeToContents
        if header.sectionResizeMode(0) != mode:
            header.setSectionResizeMode(mode)

    @Slot(QModelIndex)
    def _on_activated(self, index: QModelIndex) -> None:
        name = self.heat.name(index)
        if name is not None:
            self.picked.emit(name)
