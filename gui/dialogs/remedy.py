"""What a remedy would do on a board, to the letter, before it is done; or what takes it back."""

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QFontDatabase, QTextOption
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QDialogButtonBox,
    QLineEdit,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from core.base.errors import CancelledError, RKDeckError
from core.base.names import printable
from core.base.tasks import CancelToken
from core.boards.doctor.remedies import Remedy, Way
from core.usecases import doctor as use
from gui.bridge import Task
from gui.desk import Desk
from gui.text import tr, word_error
from gui.widgets.basic import button, label, row
from gui.widgets.elided import breakable
from gui.widgets.plain import PlainButton, set_title

_LINES_SHOWN = 7


def remedy_words(remedy: Remedy) -> tuple[str, str]:
    """A remedy's title and what it means."""
    return word_error(remedy.statement)


def tell_broken_off(desk: Desk, board: str) -> None:
    """A change on a board was called off half-way: say so, and look what has become of it."""
    text = tr("Broken off on {board}. What was done by then stays; the doctor looks again.", board=board)
    desk.notice(text, kind="warn")
    desk.boards.visit(board)


class RemedyDialog(QDialog):
    """Shows the commands, asks for a password where sudo wants one, runs them when the user says so.

    Signals:
        done_well: the Remedy that was carried out, or taken back.
    """

    done_well = Signal(object)

    def __init__(
        self,
        desk: Desk,
        board: str,
        remedy: Remedy,
        way: Way,
        parent: QWidget | None = None,
        *,
        undo: bool = False,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("remedyDialog")
        self._desk, self._board, self._remedy, self._way = desk, board, remedy, way
        self._undo = undo
        self._task: Task | None = None
        title, detail = remedy_words(remedy)
        set_title(self, title)
        self.commands = QPlainTextEdit()
        self.commands.setObjectName("remedyCommands")
        self.commands.setReadOnly(True)
        self.commands.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.commands.setAccessibleName(tr("Commands"))
        lines = [printable(line, limit=2000) for line in (remedy.undo if undo else remedy.commands)]
        self.commands.setPlainText("\n".join(lines))
        self.commands.setWordWrapMode(QTextOption.WrapMode.WrapAnywhere)
        self.commands.setMinimumHeight(_LINES_SHOWN * self.commands.fontMetrics().lineSpacing())
        self.password = QLineEdit()
        self.password.setObjectName("sudoPassword")
        self.password.setEchoMode(QLineEdit.EchoMode.Password)
        self.password.setPlaceholderText(tr("Password for sudo; used once, kept nowhere"))
        self.password.setAccessibleName(tr("Password for sudo"))
        self.problem = label(role="problem", wrap=True, selectable=True)
        self.problem.hide()
        self._lay_out(self._about(detail))

    def _about(self, detail: str) -> str:
        name = printable(self._board, 60)
        who = tr("root") if self._remedy.as_root else tr("the account RKDeck uses")
        if self._undo:
            return tr("These commands take it back on {board}, run as {who}:", board=name, who=who)
        return f"{detail}\n\n" + tr(
            "These commands run on {board} as {who}, and nothing else:", board=name, who=who
        )

    def _lay_out(self, about: str) -> None:
        layout = QVBoxLayout(self)
        layout.setSpacing(10)
        layout.addWidget(label(breakable(about), wrap=True))
        layout.addWidget(self.commands)
        layout.addWidget(self.password)
        impossible = label(
            tr("This account cannot become root here. Run the commands on the board yourself, as root."),
            "problem", wrap=True,
        )  # fmt: skip
        layout.addWidget(impossible)
        layout.addWidget(self.problem)
        self.copy = button(tr("Copy the commands"), icon_name="copy")
        self.copy.clicked.connect(self._on_copy)
        layout.addLayout(row(self.copy, None))
        buttons = QDialogButtonBox()
        self.run = PlainButton(tr("Take it back") if self._undo else tr("Do it on the board"))
        self.run.setObjectName("runRemedy")
        self.leave = PlainButton(tr("Leave it"))
        buttons.addButton(self.run, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.addButton(self.leave, QDialogButtonBox.ButtonRole.RejectRole)
        self.leave.setDefault(True)
        self.run.clicked.connect(self._on_run)
        buttons.rejected.connect(self.reject)
        layout.addWidget(buttons)
        self.password.setVisible(self._way == "sudo_password" and self._remedy.as_root)
        impossible.setVisible(self._way == "impossible" and self._remedy.as_root)
        self.run.setEnabled(not (self._way == "impossible" and self._remedy.as_root))
        self.setMinimumWidth(640)

    @Slot()
    def _on_copy(self) -> None:
        QApplication.clipboard().setText(self.commands.toPlainText())

    @Slot()
    def _on_run(self) -> None:
        self.run.setEnabled(False)
        self.problem.hide()
        services, token = self._desk.services, CancelToken()
        self._task = self._desk.bridge.run(
            use.apply_remedy, services, self._board, self._remedy, password=self.password.text() or None,
            undo=self._undo, cancel=token, done=self._on_done, failed=self._on_failed,
        )  # fmt: skip
        self.password.clear()

    def _on_done(self, _nothing: None) -> None:
        self.done_well.emit(self._remedy)
        self.accept()

    def _on_failed(self, error: RKDeckError) -> None:
        self._task = None
        if isinstance(error, CancelledError):
            tell_broken_off(self._desk, self._board)
            super().reject()
            return
        self.run.setEnabled(True)
        self.leave.setEnabled(True)
        self.password.setVisible(self.password.isVisible() or error.code.startswith("doctor.sudo_password"))
        self.problem.setText(" ".join(word_error(error)))
        self.problem.show()

    def reject(self) -> None:
        """Leaving ends what is under way, and waits for how that ended: what was done must be there to take back."""
        if self._task is not None:
            self.leave.setEnabled(False)
            self._task.cancel()
        else:
            super().reject()
