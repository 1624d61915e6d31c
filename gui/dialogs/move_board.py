"""A board that answers elsewhere, or not as itself: another address, or other hardware under its name."""

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QDialogButtonBox, QLineEdit, QVBoxLayout, QWidget

from core.base.errors import RKDeckError
from core.base.names import printable
from core.base.tasks import CancelToken
from core.boards.records import Board
from core.usecases import boards
from core.usecases import reaching as use
from core.usecases.boards import BoardDraft
from core.usecases.discovery import Found
from core.usecases.reaching import Recognised
from gui.bridge import Task
from gui.desk import Desk
from gui.dialogs.nearby import Nearby
from gui.dialogs.reach import ReachDialog
from gui.text import tr
from gui.widgets.basic import label
from gui.widgets.plain import PlainButton, set_title

# Another machine answers there, or one that does not show which it is.
HARDWARE = frozenset({"boards.other_hardware", "boards.unclear_hardware"})


class MoveBoardDialog(ReachDialog):
    """Nothing changes before the board has answered at the new address, and has shown that it is the same."""

    def __init__(
        self, desk: Desk, board: Board, error: RKDeckError | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(desk, tr("Reach it there"), parent)
        self.setObjectName("moveBoardDialog")
        self._board = board
        name = printable(board.name, 60)
        set_title(self, tr("The address of {board}", board=name))
        about = label(
            tr(
                "{board} is looked for at another address. It is kept only when the same board answers there: RKDeck "
                "compares its hardware. What is deployed on it stays as it is.",
                board=name,
            ),
            "muted", wrap=True,
        )  # fmt: skip
        self.nearby = Nearby(desk)
        self.nearby.chosen.connect(self._on_nearby)
        self.address = QLineEdit(board.address)
        self.address.setObjectName("newAddressField")
        self.address.setAccessibleName(tr("User and address"))
        self.replaced = PlainButton(tr("It is {board}, with other hardware", board=name), self)
        self.replaced.setObjectName("replacedButton")
        self.replaced.clicked.connect(self._on_replaced)
        layout = QVBoxLayout(self)
        layout.setSpacing(12)
        for widget in (about, self.nearby, self.address, self.message, self.buttons):
            layout.addWidget(widget)
        self.replaced.hide()
        if error is not None and error.code in HARDWARE:  # the box shows what is added
            self.buttons.addButton(self.replaced, QDialogButtonBox.ButtonRole.ActionRole)
            self.on_failed(error)
        self.setMinimumWidth(520)
        self.address.setFocus()

    def draft(self) -> BoardDraft:
        """As far as the way there goes."""
        return BoardDraft(self._board.name, self.address.text(), self._board.identity_file)

    def start(self, accept_fingerprint: str | None) -> Task:
        """Look for it at the address."""
        return self._desk.bridge.run(
            use.move_board, self._desk.services, self._board.name, self.address.text(), accept_fingerprint,
            cancel=CancelToken(), done=self._on_moved, failed=self.on_failed,
        )  # fmt: skip

    def done(self, result: int) -> None:
        """Closed, one way or the other."""
        self.nearby.stop()
        super().done(result)

    def _on_moved(self, recognised: Recognised) -> None:
        self.ended()
        self._say(recognised.board)

    def _say(self, board: Board) -> None:
        name = printable(board.name, 60)
        self._desk.notice(
            tr("{board} is reached at {address}.", board=name, address=board.address), kind="ok"
        )
        self._desk.boards.reload()
        self._desk.boards.look_anew(board.name)
        self.accept()

    @Slot(object)
    def _on_nearby(self, found: Found) -> None:
        user, separator, _ = self.address.text().rpartition("@")
        self.address.setText(f"{user}{separator}{found.candidate.address}")
        self.address.setFocus()

    @Slot()
    def _on_replaced(self) -> None:
        self.replaced.setEnabled(False)
        self._desk.bridge.run(
            boards.probe, self._desk.services, self._board.name, replaced=True,
            done=self._say, failed=self._on_not_replaced,
        )  # fmt: skip

    def _on_not_replaced(self, error: RKDeckError) -> None:
        self.replaced.setEnabled(True)
        self.on_failed(error)
