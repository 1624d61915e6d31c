"""The real program with one more ear: says where a widget is and what it shows, and takes pictures of the screen.

Run as a program: `window_probe.py SOCKET ARGUMENTS OF RKDECK...`. Everything that acts on the window comes from
outside, as real mouse and keyboard events; this only looks.
"""

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from PySide6.QtCore import QAbstractItemModel, QObject, QPoint, Slot
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtNetwork import QLocalServer, QLocalSocket
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QMenu,
    QPlainTextEdit,
    QTextEdit,
    QWidget,
)

import gui.app
from gui.main import main
from gui.shell.window import MainWindow


class Probe(QObject):
    """Answers one JSON line per line asked."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._server = QLocalServer(self)
        self._server.newConnection.connect(self._on_connection)
        QLocalServer.removeServer(name)
        assert self._server.listen(name), self._server.errorString()

    @Slot()
    def _on_connection(self) -> None:
        socket = self._server.nextPendingConnection()
        socket.setParent(self)
        socket.readyRead.connect(self._on_line)
        socket.disconnected.connect(socket.deleteLater)

    @Slot()
    def _on_line(self) -> None:
        socket = self.sender()
        assert isinstance(socket, QLocalSocket)
        while socket.canReadLine():
            asked = json.loads(bytes(socket.readLine().data()))
            socket.write(json.dumps(self._answer(asked)).encode() + b"\n")
            socket.flush()

    def _answer(self, asked: dict[str, Any]) -> object:
        if asked["ask"] == "shot":
            return QGuiApplication.primaryScreen().grabWindow(0).save(asked["path"])
        if asked["ask"] == "menu":
            return [_menu_entry(menu, action) for menu in _menus() for action in menu.actions()]
        if asked["ask"] == "page":
            return _window().state()["page"]
        if asked["ask"] == "focus":
            widget = QApplication.focusWidget()
            return None if widget is None else {"name": widget.objectName(), "class": type(widget).__name__}
        if asked["ask"] == "notices":
            return [card.notice.text for card in _window().notices.cards]
        widget = _find(asked["name"])
        if widget is None:
            return None
        if asked["ask"] == "row":
            return _row(widget, asked["text"])
        corner = widget.mapToGlobal(QPoint(0, 0))
        return {
            "x": corner.x(), "y": corner.y(), "width": widget.width(), "height": widget.height(),
            "enabled": widget.isEnabled(), "text": _text(widget),
        }  # fmt: skip


def _window() -> MainWindow:
    return next(widget for widget in QApplication.topLevelWidgets() if isinstance(widget, MainWindow))


def _find(name: str) -> QWidget | None:
    """A visible widget by object name, in any window; `a/b` is b inside a."""
    first, _, rest = name.partition("/")
    for top in QApplication.topLevelWidgets():
        if not top.isVisible():
            continue
        for found in [top, *top.findChildren(QWidget)]:
            if found.objectName() == first and found.isVisible():
                if not rest:
                    return found
                for inner in found.findChildren(QWidget, rest):
                    if inner.isVisible():
                        return inner
    return None


def _text(widget: QWidget) -> str:
    if isinstance(widget, QLabel | QAbstractButton | QLineEdit):
        return widget.text()
    if isinstance(widget, QPlainTextEdit | QTextEdit):
        return widget.toPlainText()
    if isinstance(widget, QComboBox):
        return widget.currentText()
    return " | ".join(
        label.text() for label in widget.findChildren(QLabel) if label.isVisible() and label.text()
    )


def _row(widget: QWidget, text: str) -> dict[str, int] | None:
    """The middle of the first row one of whose cells has the text, in screen coordinates."""
    if not isinstance(widget, QAbstractItemView):
        return None
    model = widget.model()
    assert isinstance(model, QAbstractItemModel)
    for number in range(model.rowCount()):
        for column in range(model.columnCount()):
            index = model.index(number, column)
            shown = f"{index.data() or ''} {index.data(257) or ''}"
            if text in shown:
                rectangle = widget.visualRect(index)
                centre = widget.viewport().mapToGlobal(rectangle.center())
                return {"x": centre.x(), "y": centre.y(), "row": number}
    return None


def _menus() -> list[QMenu]:
    return [
        widget
        for widget in QApplication.topLevelWidgets()
        if isinstance(widget, QMenu) and widget.isVisible()
    ]


def _menu_entry(menu: QMenu, action: QAction) -> dict[str, Any]:
    centre = menu.mapToGlobal(menu.actionGeometry(action).center())
    return {"text": action.text(), "x": centre.x(), "y": centre.y(), "enabled": action.isEnabled()}


def _install(name: str) -> None:
    opened = gui.app.Shell.open

    def open_with_probe(shell: gui.app.Shell) -> None:
        opened(shell)
        probe = Probe(name)
        probe.setParent(shell)

    gui.app.Shell.open = open_with_probe  # type: ignore[method-assign,assignment]  # one more ear


if __name__ == "__main__":
    _install(sys.argv[1])
    sys.exit(main(sys.argv[2:]))
