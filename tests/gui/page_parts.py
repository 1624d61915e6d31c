"""What tests of pages share: an ear for what a page asks of the window, eyes for its texts, a hand that drags."""

from pathlib import Path

from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QMouseEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QComboBox,
    QFileDialog,
    QLabel,
    QMessageBox,
    QPushButton,
    QTableView,
    QWidget,
)
from pytestqt.qtbot import QtBot

from gui.desk import Desk, Destination, Notice
from tests.gui.conftest import flush

SLACK_MS = 30_000


class Ear:
    """Hears where the pages want to go and what they say."""

    def __init__(self, desk: Desk) -> None:
        self.went: list[Destination] = []
        self.noticed: list[Notice] = []
        desk.went.connect(self.went.append)
        desk.noticed.connect(self.noticed.append)


def texts(widget: QWidget) -> str:
    """Everything the visible labels say, cut ones in full."""
    flush()  # what was put into a layout just now is shown by the event loop
    shown = [
        getattr(part, "full_text", part.text()) for part in widget.findChildren(QLabel) if part.isVisible()
    ]
    return "\n".join(shown).replace("\u200b", "")


def rows(view: QAbstractItemView, column: int = 0) -> list[str]:
    """The texts of a column."""
    model = view.model()
    return [str(model.index(row, column).data()) for row in range(model.rowCount())]


def row_centre(view: QTableView, text: str) -> QPoint:
    """The middle of the first cell of the row with that text."""
    return view.visualRect(view.model().index(rows(view).index(text), 0)).center()


def child(widget: QWidget, name: str) -> QPushButton:
    """The visible button with that name."""
    flush()
    return next(made for made in widget.findChildren(QPushButton, name) if made.isVisible())


def choose(box: QComboBox, data: object) -> None:
    """Choose the entry with that data."""
    place = box.findData(data)
    assert place >= 0
    box.setCurrentIndex(place)


def take_keyboard(widget: QWidget, qtbot: QtBot) -> None:
    """Put the keyboard on a widget, as a shortcut needs it."""
    widget.window().activateWindow()
    widget.setFocus()
    qtbot.waitUntil(widget.hasFocus, timeout=SLACK_MS)


def answer_files(page: QWidget, path: Path) -> None:
    """Choose a path in the file dialog that is open."""
    dialog = page.findChild(QFileDialog)
    assert dialog is not None
    dialog.setDirectory(str(path.parent))
    dialog.selectFile(str(path))
    dialog.accept()
    flush()


def question(page: QWidget, qtbot: QtBot) -> QMessageBox:
    """The question that is open."""
    qtbot.waitUntil(lambda: bool(page.findChildren(QMessageBox)), timeout=SLACK_MS)
    return page.findChildren(QMessageBox)[0]


def press(box: QMessageBox, name: str, qtbot: QtBot) -> None:
    """Press the answer with that name."""
    found = next(made for made in box.buttons() if made.objectName() == name)
    qtbot.mouseClick(found, Qt.MouseButton.LeftButton)


def mime_of(*paths: Path) -> QMimeData:
    """Files as a file manager gives them."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return mime


_ACTIONS = Qt.DropAction.CopyAction | Qt.DropAction.MoveAction
_HELD, _NO_KEY = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


def enter(target: QWidget, mime: QMimeData) -> bool:
    """Carry something into a widget, without letting go; returns whether it would be taken."""
    event = QDragEnterEvent(target.rect().center(), _ACTIONS, mime, _HELD, _NO_KEY)
    QApplication.sendEvent(target, event)
    return event.isAccepted()


def drop(target: QWidget, mime: QMimeData) -> bool:
    """Carry something into a widget and let go; returns whether it was taken."""
    if not enter(target, mime):
        return False
    event = QDropEvent(QPointF(target.rect().center()), _ACTIONS, mime, _HELD, _NO_KEY)
    QApplication.sendEvent(target, event)
    # A move would have the file manager delete what it gave.
    assert event.dropAction() == Qt.DropAction.CopyAction
    return event.isAccepted()


def press_and_move(viewport: QWidget, start: QPoint, steps: int = 6) -> None:
    """The mouse goes down, moves while it is held, and is let go, as a hand does."""

    def send(kind: QEvent.Type, place: QPoint, held: Qt.MouseButton) -> None:
        moves = kind == QEvent.Type.MouseMove
        button = Qt.MouseButton.NoButton if moves else Qt.MouseButton.LeftButton
        over_all = QPointF(viewport.mapToGlobal(place))
        event = QMouseEvent(kind, QPointF(place), over_all, button, held, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(viewport, event)

    send(QEvent.Type.MouseButtonPress, start, Qt.MouseButton.LeftButton)
    for step in range(1, steps + 1):
        send(QEvent.Type.MouseMove, start + QPoint(8 * step, 3 * step), Qt.MouseButton.LeftButton)
    end = start + QPoint(8 * steps, 3 * steps)
    send(QEvent.Type.MouseButtonRelease, end, Qt.MouseButton.NoButton)
