"""A board that shows another key than before: both are shown, and the new one is taken only with the same hardware.

A host on the way to it may have changed its key as well; no hardware of it is known, so the user alone decides.
"""

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QGridLayout, QVBoxLayout, QWidget

from core.base.errors import RKDeckError
from core.base.names import printable
from core.usecases import reaching as use
from core.usecases.boards import BoardDraft
from core.usecases.reaching import Recognised
from gui.desk import Desk
from gui.dialogs.host_key import COMMAND
from gui.text import tr, word_error
from gui.widgets.basic import label
from gui.widgets.plain import PlainButton, set_title

# The key is right by the user's eyes, but the machine behind it is another one, or does not say.
_HARDWARE = frozenset({"boards.other_hardware", "boards.unclear_hardware"})


class ChangedKeyDialog(QDialog):
    """Closes itself when the new key was taken."""

    def __init__(
        self, desk: Desk, board: str | BoardDraft, error: RKDeckError, parent: QWidget | None = None
    ) -> None:
        """Show both keys.

        Args:
            desk: of the window.
            board: its name; or what was typed in of one that is yet to be reached, where a host on the way to it
                shows another key.
            error: `remote.host_key_changed`.
            parent: of the dialog.
        """
        super().__init__(parent)
        self.setObjectName("changedKeyDialog")
        self._desk = desk
        self._draft = board if isinstance(board, BoardDraft) else None
        self._board = board.name or board.address if isinstance(board, BoardDraft) else board
        self._place = use.place_of_key(error)
        self._hop = printable(str(error.facts.get("host")), 60) if use.is_changed_jump_key(error) else None
        set_title(self, tr("Another key on {board}", board=self._hop or printable(self._board, 60)))
        self.fingerprint = str(error.facts.get("fingerprint"))
        known = printable(str(error.facts.get("known_fingerprint")))
        text = label(self._warning(), wrap=True)
        keys = QGridLayout()
        keys.setColumnStretch(1, 1)
        keys.setHorizontalSpacing(14)
        self.old_key = label(known, selectable=True, wrap=True)
        # Not wrapped: it has no place to break, and its end must not be cut off.
        self.new_key = label(printable(self.fingerprint), "heading", selectable=True)
        for place, (title, shown) in enumerate(((tr("Known"), self.old_key), (tr("Now"), self.new_key))):
            keys.addWidget(label(title, "muted"), place, 0)
            keys.addWidget(shown, place, 1)
        where = (
            tr("On the board (a screen, or a serial line), this prints it:")
            if self._hop is None
            else tr("On {host} itself, this prints it:", host=self._hop)
        )
        how = label(where, "muted", wrap=True)
        command = label(COMMAND, selectable=True, wrap=True)
        self.problem = label(role="problem", wrap=True, selectable=True)
        self.problem.hide()
        buttons = QDialogButtonBox()
        self.take = PlainButton(tr("Take the new key"))
        self.take.setObjectName("takeKeyButton")
        self.other = PlainButton(tr("Take it all the same"))
        self.other.setObjectName("takeHardwareButton")
        refuse = PlainButton(tr("Keep the old key"))
        buttons.addButton(self.take, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.addButton(self.other, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.addButton(refuse, QDialogButtonBox.ButtonRole.RejectRole)
        refuse.setDefault(True)
        self.other.hide()  # the box shows what is added
        self.take.clicked.connect(self._on_take)
        self.other.clicked.connect(self._on_other)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setSpacing(10)
        layout.addWidget(text)
        layout.addLayout(keys)
        for widget in (how, command, self.problem, buttons):
            layout.addWidget(widget)
        # Not the dialog's own minimum, which would keep it from growing with the key.
        text.setMinimumWidth(556)

    def _warning(self) -> str:
        if self._hop is None:
            return tr(
                "RKDeck sent nothing. Another computer may answer in the board's place, or the board got a new system."
                " Take the new key only if you reinstalled it and the board's own screen shows the same fingerprint."
            )
        return tr(
            "RKDeck sent nothing. {host} is on the way to {board}: another computer may answer in its place, or it was"
            " set up anew. RKDeck knows no hardware of it to compare, so only you can tell: take the new key only if"
            " whoever runs it gives you the same fingerprint.",
            host=self._hop, board=printable(self._board, 60),
        )  # fmt: skip

    @Slot()
    def _on_take(self) -> None:
        self._accept_key(replaced=False)

    @Slot()
    def _on_other(self) -> None:
        self._accept_key(replaced=True)

    def _accept_key(self, *, replaced: bool) -> None:
        for button in (self.take, self.other):
            button.setEnabled(False)
        self.problem.hide()
        if self._draft is not None:
            self._desk.bridge.run(
                use.accept_jump_key, self._desk.services, self._draft, self.fingerprint, self._place,
                done=self._on_accepted, failed=self._on_failed,
            )  # fmt: skip
            return
        self._desk.boards.change(
            self._board, use.accept_new_key, self.fingerprint, place=self._place, replaced=replaced,
            done=self._on_accepted, failed=self._on_failed,
        )  # fmt: skip

    def _on_accepted(self, recognised: Recognised) -> None:
        name = printable(recognised.hop or self._board, 60)
        text = (
            tr("{board} is the same board: its hardware says so. The new key is remembered.", board=name)
            if recognised.match == "same"
            else tr("The new key of {board} is remembered.", board=name)
        )
        self._desk.notice(text, kind="ok")
        self.accept()

    def _on_failed(self, error: RKDeckError) -> None:
        for button in (self.take, self.other):
            button.setEnabled(True)
        self.other.setVisible(error.code in _HARDWARE)
        self.problem.setText(" ".join(word_error(error)))
        self.problem.show()
