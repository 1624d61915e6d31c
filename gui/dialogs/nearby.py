"""Boards that announce themselves on the local network, to choose from instead of typing an address."""

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QComboBox, QVBoxLayout, QWidget

from core.base.errors import RKDeckError
from core.base.names import printable
from core.base.tasks import CancelToken
from core.usecases import discovery as use
from core.usecases.discovery import Found
from gui.bridge import Task
from gui.desk import Desk
from gui.text import tr, trn, word_error
from gui.widgets.basic import button, label, row


class Nearby(QWidget):
    """Listens for some seconds when it is asked to; nobody is connected to.

    Signals:
        chosen: a Found.
    """

    chosen = Signal(object)

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._task: Task | None = None
        self._found: list[Found] = []
        self.look = button(tr("Look on this network"), icon_name="discover")
        self.look.setObjectName("lookAroundButton")
        self.look.clicked.connect(self._on_look)
        self.boards = QComboBox()
        self.boards.setObjectName("nearbyBox")
        self.boards.setAccessibleName(tr("Computers on this network"))
        self.boards.setMinimumContentsLength(24)
        self.boards.hide()
        self.boards.activated.connect(self._on_chosen)
        self.state = label(role="muted", wrap=True)
        line = row(self.look, self.boards)
        line.setStretch(1, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(line)
        layout.addWidget(self.state)

    def stop(self) -> None:
        """Listen no more."""
        if self._task is not None:
            self._task.drop()
            self._task = None

    @Slot()
    def _on_look(self) -> None:
        self.stop()
        self.look.setEnabled(False)
        self._found = []
        self.boards.clear()
        self.state.setText(tr("Listening for a few seconds; many boards announce nothing ..."))
        self._task = self._desk.bridge.run(
            use.discover_boards, self._desk.services, cancel=CancelToken(),
            on_found=self._desk.bridge.sink(self._on_one), done=self._on_all, failed=self._on_failed,
        )  # fmt: skip

    def _on_one(self, found: Found) -> None:
        self._show([*self._found, found])

    def _on_all(self, found: tuple[Found, ...]) -> None:
        self._task = None
        self.look.setEnabled(True)
        self._show(list(found))
        self.state.setText(
            trn("{n} computer announces itself.", "{n} computers announce themselves.", len(found))
            if found
            else tr("Nobody announced itself. Type the address: the router's list of devices shows it.")
        )

    def _on_failed(self, error: RKDeckError) -> None:
        self._task = None
        self.look.setEnabled(True)
        self.state.setText(" ".join(word_error(error)))

    def _show(self, found: list[Found]) -> None:
        self._found = found
        chosen = self.boards.currentIndex()
        self.boards.clear()
        for one in found:
            known = tr("known as {board}", board=one.board) if one.board is not None else ""
            parts = (one.candidate.name, one.candidate.address, known)
            self.boards.addItem(printable("  ·  ".join(part for part in parts if part)))
        self.boards.setCurrentIndex(chosen if 0 <= chosen < len(found) else -1)
        self.boards.setVisible(bool(found))

    @Slot(int)
    def _on_chosen(self, place: int) -> None:
        if 0 <= place < len(self._found):
            self.chosen.emit(self._found[place])
