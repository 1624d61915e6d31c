"""Asking what a board serves: a conversation in the drawer, streamed, stoppable."""

from PySide6.QtCore import QEvent, QObject, Qt, Slot
from PySide6.QtGui import QCloseEvent, QKeyEvent, QTextCursor
from PySide6.QtWidgets import QPlainTextEdit, QVBoxLayout, QWidget

from core.base.errors import CancelledError, RKDeckError
from core.base.names import printable
from core.base.tasks import CancelToken
from core.serve.records import Answer
from core.usecases import serving as use
from gui.bridge import Task
from gui.desk import Desk
from gui.text import tr, word_error
from gui.widgets.basic import button, label, row
from gui.widgets.plain import set_title


class ChatPanel(QWidget):
    """The conversation lives as long as the panel; closing it ends an answer under way."""

    def __init__(self, desk: Desk, board: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        set_title(self, tr("Ask {board}", board=board))
        self._desk = desk
        self.board = board
        self._messages: list[dict[str, str]] = []
        self._answer = ""
        self._task: Task | None = None
        self._token = CancelToken()
        self._sink = desk.bridge.sink(self._on_text)
        self.answers = QPlainTextEdit()
        self.answers.setObjectName("answerView")
        self.answers.setReadOnly(True)
        self.answers.setTabChangesFocus(True)
        self.answers.setPlaceholderText(tr("Answers appear here."))
        self.answers.setAccessibleName(tr("Conversation"))
        self.prompt = QPlainTextEdit()
        self.prompt.setObjectName("promptField")
        self.prompt.setPlaceholderText(tr("Ask something (Enter sends, Shift+Enter starts a line)"))
        self.prompt.setFixedHeight(76)
        self.prompt.setTabChangesFocus(True)
        self.prompt.setAccessibleName(tr("Question"))
        self.prompt.installEventFilter(self)
        self.figures = label(role="muted", wrap=True)
        self.figures.setObjectName("chatFigures")
        self.send = button(tr("Send"), "primary", "chat")
        self.send.setObjectName("sendButton")
        self.send.clicked.connect(self._on_send)
        self.stop = button(tr("Stop"), icon_name="stop")
        self.stop.setObjectName("stopAnswerButton")
        self.stop.setEnabled(False)
        self.stop.clicked.connect(self._on_stop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.answers, 1)
        layout.addWidget(self.figures)
        layout.addWidget(self.prompt)
        layout.addLayout(row(None, self.stop, self.send))
        self.setFocusProxy(self.prompt)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # Qt's name
        """Enter sends; Shift+Enter starts a new line."""
        if (
            watched is self.prompt
            and isinstance(event, QKeyEvent)
            and event.type() == QEvent.Type.KeyPress
            and event.key() in {Qt.Key.Key_Return, Qt.Key.Key_Enter}
            and not event.modifiers() & Qt.KeyboardModifier.ShiftModifier
        ):
            self._on_send()
            return True
        return super().eventFilter(watched, event)

    def closeEvent(self, event: QCloseEvent) -> None:  # Qt's name
        """Nobody reads any more: the board need not go on writing."""
        if self._task is not None:
            self._task.drop()
            self._task = None
        super().closeEvent(event)

    @Slot()
    def _on_send(self) -> None:
        question = self.prompt.toPlainText().strip()
        if not question or self._task is not None:
            return
        self.prompt.clear()
        self._messages.append({"role": "user", "content": question})
        self._answer = ""
        self._append(f"{tr('You')}: {question}\n\n{printable(self.board, 40)}: ")
        self.figures.setText(tr("Waiting for the first token ..."))
        self._token = CancelToken()
        self._busy(busy=True)
        self._task = self._desk.bridge.run(
            use.ask, self._desk.services, self.board, tuple(self._messages), on_text=self._sink, cancel=self._token,
            done=self._on_answer, failed=self._on_failed,
        )  # fmt: skip

    @Slot()
    def _on_stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _on_text(self, piece: str) -> None:
        if self._task is None:
            return
        self._answer += piece
        # A model's words are a stranger's words: what cannot be seen is left out.
        self._append(
            "".join(character for character in piece if character.isprintable() or character == "\n")
        )

    def _on_answer(self, answer: Answer) -> None:
        self._finish()
        self._messages.append({"role": "assistant", "content": answer.text})
        rate = (
            f"{answer.tokens_per_s:.1f} tokens/s" if answer.tokens_per_s is not None else tr("unknown speed")
        )
        first = f"{answer.ttft_ms:.0f} ms" if answer.ttft_ms is not None else tr("unknown")
        count = tr("unknown") if answer.tokens is None else str(answer.tokens)
        self.figures.setText(
            tr("{count} tokens, {rate}, first after {first}", count=count, rate=rate, first=first)
        )

    def _on_failed(self, error: RKDeckError) -> None:
        self._finish()
        if self._answer:
            self._messages.append({"role": "assistant", "content": self._answer})
        else:
            self._messages.pop()
        if isinstance(error, CancelledError):
            self.figures.setText(tr("Stopped."))
        else:
            self.figures.setText(" ".join(word_error(error)))

    def _finish(self) -> None:
        self._task = None
        self._busy(busy=False)
        self._append("\n\n")
        self.prompt.setFocus()

    def _busy(self, *, busy: bool) -> None:
        self.send.setEnabled(not busy)
        self.stop.setEnabled(busy)

    def _append(self, text: str) -> None:
        cursor = QTextCursor(self.answers.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        cursor.insertText(text)
        bar = self.answers.verticalScrollBar()
        bar.setValue(bar.maximum())
