"""The first contact with a board: its host key is compared once."""

from PySide6.QtCore import Slot
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QDialogButtonBox,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from core.base.errors import RKDeckError
from core.base.names import printable
from gui.text import tr
from gui.widgets.basic import button, label, row
from gui.widgets.plain import PlainButton, set_title

COMMAND = "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"


class HostKeyDialog(QDialog):
    """Shows a fingerprint to compare; accepted means it is the same.

    Attributes:
        fingerprint: `SHA256:...`.
    """

    def __init__(self, error: RKDeckError, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("hostKeyDialog")
        set_title(self, tr("Is this your board?"))
        self.fingerprint = str(error.facts.get("fingerprint"))
        host = printable(str(error.facts.get("host")))
        kind = printable(str(error.facts.get("key_type")))
        text = label(
            tr(
                "The board at {host} shows this key for the first time. Compare it with the board's own, then RKDeck "
                "remembers it and will notice if another machine ever answers in its place.",
                host=host,
            ),
            wrap=True,
        )
        # Not wrapped: it has no place to break, and its end must not be cut off.
        self.key: QLabel = label(f"{kind}\n{printable(self.fingerprint)}", "heading", selectable=True)
        self.key.setObjectName("fingerprintLabel")
        how = label(tr("On the board (a screen, or a serial line), this prints it:"), "muted", wrap=True)
        command = label(COMMAND, selectable=True, wrap=True)
        self._copy = button(tr("Copy the command"), icon_name="copy")
        self._copy.clicked.connect(self._on_copy)
        buttons = QDialogButtonBox()
        accept = PlainButton(tr("It is the same, go on"))
        accept.setObjectName("acceptKeyButton")
        refuse = PlainButton(tr("Stop here"))
        buttons.addButton(accept, QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.addButton(refuse, QDialogButtonBox.ButtonRole.RejectRole)
        refuse.setDefault(True)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setSpacing(10)
        for widget in (text, self.key, how, command):
            layout.addWidget(widget)
        layout.addLayout(row(self._copy, None))
        layout.addWidget(buttons)
        text.setMinimumWidth(496)  # not the dialog's own, which would keep it from growing with the key

    @Slot()
    def _on_copy(self) -> None:
        QApplication.clipboard().setText(COMMAND)
