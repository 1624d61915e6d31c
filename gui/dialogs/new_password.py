"""A password that has expired, as on many fresh systems at the first login: a new one is chosen here and set there."""

from dataclasses import replace

from PySide6.QtCore import Slot
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from core.base.errors import RKDeckError
from core.base.names import printable
from core.usecases import reaching as use
from core.usecases.boards import BoardDraft
from gui.desk import Desk
from gui.text import tr, word_error
from gui.widgets.basic import label
from gui.widgets.plain import PlainButton, set_title


class NewPasswordDialog(QDialog):
    """Closes itself when the password was set and a login with it has worked.

    Attributes:
        renewed: the draft with the new password; None for a board that was added, whose password is kept already.
    """

    def __init__(
        self,
        desk: Desk,
        board: str | BoardDraft,
        error: RKDeckError,
        parent: QWidget | None = None,
        *,
        accepted: str | None = None,
    ) -> None:
        """Ask for a new password.

        Args:
            desk: of the window.
            board: its name, or what was typed in of one that is yet to be added.
            error: `remote.password_expired`.
            parent: of the dialog.
            accepted: fingerprint of a new board's key, which the user has compared.
        """
        super().__init__(parent)
        self.setObjectName("newPasswordDialog")
        self._desk, self._board, self._accepted = desk, board, accepted
        self.renewed: BoardDraft | None = None
        self._is_setting = False
        who = printable(f"{error.facts.get('user')}@{error.facts.get('host')}", 80)
        set_title(self, tr("A new password for {who}", who=who))
        about = label(
            tr(
                "The password of {who} has expired: the board wants a new one before it does anything else. Fresh "
                "systems often ask for that at the first login. RKDeck sets it over SSH, tries it, and keeps it as it "
                "keeps every password: in the system's keyring, or only until it is closed.",
                who=who,
            ),
            wrap=True,
        )
        self.old = _secret("oldPasswordField")
        self.new = _secret("newPasswordField")
        self.again = _secret("newPasswordAgainField")
        self.form = QFormLayout()
        for text, field in (
            (tr("Present password"), self.old), (tr("New password"), self.new), (tr("Once more"), self.again),
        ):  # fmt: skip
            field.setAccessibleName(text)
            field.textChanged.connect(self._on_typed)
            self.form.addRow(label(text, "muted"), field)
        # One that was typed in or is kept is known; a wrong one is asked for when the board says so.
        self.form.setRowVisible(self.old, isinstance(board, BoardDraft) and not board.password)
        self.problem = label(role="problem", wrap=True, selectable=True)
        self.problem.hide()
        self.set = PlainButton(tr("Set it and go on"))
        self.set.setObjectName("setPasswordButton")
        self.set.setDefault(True)
        self.set.setEnabled(False)
        self.set.clicked.connect(self._on_set)
        buttons = QDialogButtonBox()
        buttons.addButton(self.set, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.addButton(PlainButton(tr("Cancel")), QDialogButtonBox.ButtonRole.RejectRole)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setSpacing(12)
        layout.addWidget(about)
        layout.addLayout(self.form)
        layout.addWidget(self.problem)
        layout.addWidget(buttons)
        about.setMinimumWidth(480)

    @Slot()
    def _on_typed(self) -> None:
        new, again = self.new.text(), self.again.text()
        differ = bool(again) and not new.startswith(again) and new != again
        self.problem.setText(tr("The two are not the same.") if differ else "")
        self.problem.setVisible(differ)
        self.set.setEnabled(bool(new) and new == again)

    @Slot()
    def _on_set(self) -> None:
        self.set.setEnabled(False)
        self.problem.hide()
        old, new = self.old.text(), self.new.text()
        self._is_setting = True
        if isinstance(self._board, BoardDraft):
            draft = replace(self._board, password=old or self._board.password)
            self._desk.bridge.run(
                use.renew_password, self._desk.services, draft, new, self._accepted,
                done=self._on_draft, failed=self._on_failed,
            )  # fmt: skip
        else:
            self._desk.boards.change(
                self._board, use.renew_board_password, new, old or None,
                done=self._on_kept, failed=self._on_failed,
            )  # fmt: skip

    def _on_draft(self, draft: BoardDraft) -> None:
        self.renewed = draft
        self.accept()

    def _on_kept(self, place: str) -> None:
        self._desk.notice(password_kept(place), kind="ok" if place == "keyring" else "warn")
        self.accept()

    def reject(self) -> None:
        """Cancel; but not while the board sets it: halfway, nobody would know which password is the right one."""
        if self._is_setting:
            self.problem.setText(tr("The board is setting the new password; please wait for how that ends."))
            self.problem.show()
        else:
            super().reject()

    def _on_failed(self, error: RKDeckError) -> None:
        self._is_setting = False
        self.set.setEnabled(True)
        if error.code in {"remote.password_refused", "remote.no_credentials"}:
            self.form.setRowVisible(self.old, True)
            self.old.setFocus()
        self.problem.setText(" ".join(part for part in word_error(error) if part))
        self.problem.show()


def password_kept(place: str) -> str:
    """Where a password is kept: "keyring" or "memory"."""
    if place == "keyring":
        return tr("The password is kept in the system's keyring.")
    return tr("This computer has no keyring: the password is kept until RKDeck is closed.")


def _secret(name: str) -> QLineEdit:
    made = QLineEdit()
    made.setObjectName(name)
    made.setEchoMode(QLineEdit.EchoMode.Password)
    return made
