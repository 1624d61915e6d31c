"""Adding a board: address and login; the board is reached, probed and remembered, or nothing is kept."""

from pathlib import Path

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QFileDialog, QFormLayout, QLineEdit, QVBoxLayout, QWidget

from core.base.names import safe_component
from core.base.tasks import CancelToken
from core.boards.records import Board
from core.usecases import boards as use
from core.usecases.boards import BoardDraft
from core.usecases.discovery import Found
from gui.bridge import Task
from gui.desk import Desk
from gui.dialogs.nearby import Nearby
from gui.dialogs.reach import ReachDialog
from gui.text import tr
from gui.widgets.basic import button, label, row
from gui.widgets.plain import set_title


class AddBoardDialog(ReachDialog):
    """Keeps what was typed until the board was reached.

    Signals:
        added: the Board.
    """

    added = Signal(object)
    renews = True

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(desk, tr("Connect and add"), parent)
        self.setObjectName("addBoardDialog")
        set_title(self, tr("Add a board"))
        self._file_dialog: QFileDialog | None = None
        self.name = _field("boardNameField", "desk-board")
        self.address = _field("boardAddressField", "orangepi@192.168.1.40")
        self.password = _field("boardPasswordField", "")
        self.password.setEchoMode(QLineEdit.EchoMode.Password)
        self.key_file = _field("boardKeyField", tr("your usual keys and the agent"))
        choose = button(tr("Choose a file"))
        choose.clicked.connect(self._on_choose)
        self.store = _field("boardStoreField", tr("the disk with most room"))
        self.nearby = Nearby(desk)
        self.nearby.chosen.connect(self._on_nearby)
        form = QFormLayout()
        for text, widget in (
            (tr("Name"), self.name), (tr("User and address"), self.address), (tr("Password"), self.password),
        ):  # fmt: skip
            widget.setAccessibleName(text)
            form.addRow(label(text, "muted"), widget)
        keys = row(self.key_file, choose)
        keys.setStretch(0, 1)
        self.key_file.setAccessibleName(tr("Private key"))
        self.store.setAccessibleName(tr("Folder for models"))
        form.addRow(label(tr("Private key"), "muted"), keys)
        form.addRow(label(tr("Folder for models"), "muted"), self.store)
        self.message.setObjectName("addBoardMessage")
        layout = QVBoxLayout(self)
        layout.setSpacing(12)
        layout.addWidget(
            label(
                tr(
                    "RKDeck reaches boards over SSH and installs nothing on them. A password is kept in the system's "
                    "keyring, or only until RKDeck is closed where there is none."
                ),
                "muted",
                wrap=True,
            )
        )
        layout.addWidget(self.nearby)
        layout.addLayout(form)
        layout.addWidget(self.message)
        layout.addWidget(self.buttons)
        self.setMinimumWidth(520)

    def draft(self) -> BoardDraft:
        """What was typed in."""
        key, store = self.key_file.text().strip(), self.store.text().strip()
        return BoardDraft(
            name=self.name.text(),
            address=self.address.text(),
            identity_file=Path(key) if key else None,
            password=self.password.text() or None,
            store=store or None,
        )

    @Slot(object)
    def _on_nearby(self, found: Found) -> None:
        """Fill in what was announced; the user's name stays, nobody announces that."""
        user, separator, _ = self.address.text().rpartition("@")
        self.address.setText(f"{user}{separator}{found.candidate.address}")
        if not self.name.text():
            self.name.setText(safe_component(found.candidate.name, 40))
        self.address.setFocus()
        if not user:
            self.address.setCursorPosition(0)

    def done(self, result: int) -> None:
        """Closed, one way or the other."""
        self.nearby.stop()
        super().done(result)

    def start(self, accept_fingerprint: str | None) -> Task:
        """Reach it and remember it."""
        return self._desk.bridge.run(
            use.add_board, self._desk.services, self.draft(), accept_fingerprint, cancel=CancelToken(),
            done=self._on_added, failed=self.on_failed,
        )  # fmt: skip

    def take_password(self, draft: BoardDraft) -> None:
        """The new one goes in place of the expired one."""
        self.password.setText(draft.password or "")

    def _on_added(self, board: Board) -> None:
        self.ended()
        self.added.emit(board)
        self.accept()

    @Slot()
    def _on_choose(self) -> None:
        self._file_dialog = QFileDialog(self, tr("Private key"))
        self._file_dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        self._file_dialog.fileSelected.connect(self.key_file.setText)
        self._file_dialog.finished.connect(self._on_file_dialog_finished)
        self._file_dialog.open()

    @Slot(int)
    def _on_file_dialog_finished(self, _result: int) -> None:
        if self._file_dialog is not None:
            self._file_dialog.deleteLater()
            self._file_dialog = None


def _field(name: str, placeholder: str) -> QLineEdit:
    made = QLineEdit()
    made.setObjectName(name)
    made.setPlaceholderText(placeholder)
    return made
