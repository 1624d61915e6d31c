"""Short messages in the lower right corner, over the page: nothing jumps when one comes or goes."""

from PySide6.QtCore import QEvent, QObject, QTimer, Signal, Slot
from PySide6.QtWidgets import QFrame, QPushButton, QToolButton, QVBoxLayout, QWidget

from gui.desk import Destination, Notice
from gui.icons import icon
from gui.text import tr
from gui.widgets.basic import button, label, row
from gui.widgets.plain import visible

_SHOWN_MS = 8000
_MOST = 4
_WIDTH_PX = 380
_MARGIN_PX = 14
_NAME_CHARACTERS = 1_000


class NoticeCard(QFrame):
    """One message.

    Signals:
        ended: it is to go (itself, as object).
        followed: its button leads to a Destination.
    """

    ended = Signal(object)
    followed = Signal(object)

    def __init__(self, notice: Notice, parent: QWidget) -> None:
        super().__init__(parent)
        self.notice = notice
        self.setProperty("role", "notice")
        self.setProperty("kind", notice.kind)
        self.setFixedWidth(_WIDTH_PX)
        self.setAccessibleName(visible(notice.text, _NAME_CHARACTERS))
        self._close = QToolButton()
        self._close.setIcon(icon("cross", "muted"))
        self._close.setAccessibleName(tr("Close this message"))
        self._close.clicked.connect(self._on_close)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 8, 8, 10)
        layout.setSpacing(4)
        text = label(notice.text, wrap=True, selectable=True)
        top = row(text, self._close)
        top.setStretch(0, 1)
        layout.addLayout(top)
        if notice.hint:
            layout.addWidget(label(notice.hint, "muted", wrap=True, selectable=True))
        self._action: QPushButton | None = None
        if notice.action:
            self._action = button(notice.action, "link")
            self._action.clicked.connect(self._on_action)
            layout.addLayout(row(self._action, None))
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._on_close)
        if notice.kind != "bad":
            self._timer.start(_SHOWN_MS)

    @Slot()
    def _on_close(self) -> None:
        self._timer.stop()
        self.ended.emit(self)

    @Slot()
    def _on_action(self) -> None:
        self.followed.emit(self.notice.destination)
        self._on_close()


class Notices(QObject):
    """Stacks the cards over a window.

    Signals:
        followed: a Destination chosen on a card.
    """

    followed = Signal(object)

    def __init__(self, window: QWidget, foot_px: int) -> None:
        super().__init__(window)
        self._window = window
        self._foot_px = foot_px
        self._right_px = 0
        self.cards: list[NoticeCard] = []
        window.installEventFilter(self)

    def leave_right(self, width_px: int) -> None:
        """Keep clear of something on the right: the drawer."""
        self._right_px = width_px
        self._place()

    def show(self, notice: Notice) -> None:
        """Add a message; the same one twice is shown once."""
        if any(card.notice == notice for card in self.cards):
            return
        made = NoticeCard(notice, self._window)
        made.ended.connect(self._on_ended)
        made.followed.connect(self._on_followed)
        self.cards.append(made)
        while len(self.cards) > _MOST:
            self._on_ended(self.cards[0])
        made.show()
        self._place()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # Qt's name
        """Stay in the corner when the window's size changes."""
        if event.type() == QEvent.Type.Resize:
            self._place()
        return super().eventFilter(watched, event)

    @Slot(object)
    def _on_ended(self, ended: NoticeCard) -> None:
        if ended in self.cards:
            self.cards.remove(ended)
            ended.hide()
            ended.deleteLater()
            self._place()

    @Slot(object)
    def _on_followed(self, destination: Destination | None) -> None:
        if destination is not None:
            self.followed.emit(destination)

    def _place(self) -> None:
        bottom = self._window.height() - self._foot_px - _MARGIN_PX
        for shown in reversed(self.cards):
            shown.resize(_WIDTH_PX, max(shown.heightForWidth(_WIDTH_PX), shown.sizeHint().height()))
            bottom -= shown.height()
            shown.move(self._window.width() - self._right_px - _WIDTH_PX - _MARGIN_PX, bottom)
            shown.raise_()
            bottom -= 8
