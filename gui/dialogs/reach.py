"""What dialogs share that reach a board: the questions a connection may raise, each asked once and then gone on from.

A key seen for the first time, another key of a host on the way, a password that has expired. Whatever else fails is
said in the dialog, and what was typed stays.
"""

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QWidget

from core.base.errors import RKDeckError
from core.usecases import boards as use
from core.usecases.boards import BoardDraft
from core.usecases.reaching import is_changed_jump_key
from gui.bridge import Task
from gui.desk import Desk
from gui.dialogs.changed_key import ChangedKeyDialog
from gui.dialogs.host_key import HostKeyDialog
from gui.dialogs.new_password import NewPasswordDialog
from gui.text import tr, word_error
from gui.widgets.basic import label
from gui.widgets.plain import PlainButton


class ReachDialog(QDialog):
    """A dialog with a button that connects.

    Attributes:
        renews: whether it goes on with another password when the account's has expired (`take_password`).
    """

    renews = False

    def __init__(self, desk: Desk, connect_text: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._task: Task | None = None
        self._asking: HostKeyDialog | ChangedKeyDialog | NewPasswordDialog | None = None
        self._accepted: str | None = None
        self.message = label(wrap=True, selectable=True)
        self.connect_button = PlainButton(connect_text)
        self.connect_button.setObjectName("connectButton")
        self.connect_button.setDefault(True)
        self.connect_button.clicked.connect(self._on_connect)
        self.buttons = QDialogButtonBox()
        self.buttons.addButton(self.connect_button, QDialogButtonBox.ButtonRole.ActionRole)
        self.buttons.addButton(PlainButton(tr("Cancel")), QDialogButtonBox.ButtonRole.RejectRole)
        self.buttons.rejected.connect(self.reject)

    def draft(self) -> BoardDraft:
        """What was typed in."""
        raise NotImplementedError

    def start(self, accept_fingerprint: str | None) -> Task:
        """Begin to connect; the task's failure goes to `on_failed`."""
        raise NotImplementedError

    def take_password(self, draft: BoardDraft) -> None:
        """The account has another password from now on."""
        raise NotImplementedError

    def reject(self) -> None:
        """Cancel; a connection under way is not waited for."""
        if self._task is not None:
            self._task.drop()
        super().reject()

    def on_failed(self, error: RKDeckError) -> None:
        """Ask what the failure asks, or say it."""
        self._task = None
        self.connect_button.setEnabled(True)
        if use.is_unknown_key(error):
            self._ask(HostKeyDialog(error, self))
        elif is_changed_jump_key(error):
            self._ask(ChangedKeyDialog(self._desk, self.draft(), error, self))
        elif error.code == "remote.password_expired" and self.renews:
            self._ask(NewPasswordDialog(self._desk, self.draft(), error, self, accepted=self._accepted))
        else:
            self.message.setText("\n".join(part for part in word_error(error) if part))

    def go_on(self) -> None:
        """Connect, with what was accepted just now."""
        self.connect_button.setEnabled(False)
        self.message.setText(tr("Connecting ..."))
        self._task = self.start(self._accepted)

    def ended(self) -> None:
        """The task is through."""
        self._task = None

    def _ask(self, dialog: HostKeyDialog | ChangedKeyDialog | NewPasswordDialog) -> None:
        self.message.setText("")
        self._asking = dialog
        dialog.finished.connect(self._on_answered)
        dialog.open()

    @Slot()
    def _on_connect(self) -> None:
        self._accepted = None
        self.go_on()

    @Slot(int)
    def _on_answered(self, result: int) -> None:
        dialog, self._asking = self._asking, None
        if dialog is None:
            return
        if result == QDialog.DialogCode.Accepted.value:
            if isinstance(dialog, HostKeyDialog):
                self._accepted = dialog.fingerprint
            elif isinstance(dialog, NewPasswordDialog) and dialog.renewed is not None:
                self.take_password(dialog.renewed)
            self.go_on()
        elif isinstance(dialog, HostKeyDialog):
            self.message.setText(tr("Nothing was sent to it and nothing is kept."))
        dialog.deleteLater()
