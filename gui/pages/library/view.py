"""The library's table; a ready model is carried out of it with the mouse."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QTableView, QWidget

from core.library.library import LibraryItem
from gui.models.list_model import RECORD_ROLE
from gui.widgets.drag import start_item_drag


class LibraryView(QTableView):
    """Starts a drag for .rkllm files; source models stay."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setDragEnabled(True)
        self.setDragDropMode(QTableView.DragDropMode.DragOnly)

    def startDrag(self, _actions: Qt.DropAction) -> None:  # Qt's name
        """Carry the selected model."""
        item = self.currentIndex().data(RECORD_ROLE)
        if isinstance(item, LibraryItem) and item.kind == "rkllm":
            start_item_drag(self, item)
