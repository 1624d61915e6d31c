"""Taking a model out of the library: asks with its name and size, and says what becomes of the files."""

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QMessageBox, QWidget

from core.base.units import format_bytes
from core.library.records import LibraryItem
from core.usecases import library as use
from gui.desk import Desk
from gui.pages.library.columns import plain_title
from gui.text import tr
from gui.widgets.plain import MessageBox, set_title


class Removal(QObject):
    """Asks about one item at a time.

    Signals:
        removed: the LibraryItem that is gone.
    """

    removed = Signal(object)

    def __init__(self, desk: Desk, parent: QWidget) -> None:
        super().__init__(parent)
        self._desk = desk
        self._question: QMessageBox | None = None
        self._item: LibraryItem | None = None

    def ask(self, item: LibraryItem) -> None:
        """Ask whether an item is to go."""
        if self._question is not None:
            return
        ours = item.path.is_relative_to(self._desk.services.paths.library)
        box = MessageBox(self._window())
        box.setIcon(QMessageBox.Icon.Question)
        set_title(box, tr("Remove a model"))
        box.setText(
            tr("Remove {title} ({size})?", title=plain_title(item), size=format_bytes(item.size_bytes))
        )
        box.setInformativeText(
            tr("Its files are deleted from this computer. Boards keep what was sent to them.")
            if ours
            else tr(
                "RKDeck only forgets it: its files are not in RKDeck's own folder and stay where they are."
            )
        )
        remove = box.addButton(tr("Remove"), QMessageBox.ButtonRole.DestructiveRole)
        remove.setObjectName("confirmRemove")
        keep = box.addButton(tr("Keep"), QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(keep)
        box.setEscapeButton(keep)
        box.finished.connect(self._on_answered)
        self._question, self._item = box, item
        box.open()

    def _window(self) -> QWidget:
        parent = self.parent()  # not kept: the two would hold each other
        assert isinstance(parent, QWidget)
        return parent

    @Slot(int)
    def _on_answered(self, _result: int) -> None:
        box, item = self._question, self._item
        self._question = self._item = None
        if box is None:
            return
        pressed = box.clickedButton()
        if item is not None and pressed and pressed.objectName() == "confirmRemove":
            self._desk.bridge.run(use.remove_item, self._desk.services, item.id, done=self._on_removed)
        box.deleteLater()

    def _on_removed(self, item: LibraryItem) -> None:
        self._desk.notice(tr("Removed {title}.", title=plain_title(item)), kind="ok")
        self.removed.emit(item)
