"""One window per home folder: a second start raises the first and ends.

A local socket named after the home folder; who cannot connect to it is the first. A socket left by a killed
window accepts nobody and is replaced.
"""

import hashlib
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtNetwork import QLocalServer, QLocalSocket

_WAIT_MS = 1500
_RAISE = b"raise\n"
_LONGEST_PATH = 100  # unix(7): 108 with its end


def raise_other(home: Path) -> bool:
    """Ask a window that is open with this home to come to the front; returns whether there is one.

    Called before the event loop runs, so it may wait a moment.
    """
    socket = QLocalSocket()
    socket.connectToServer(_name(home))
    if not socket.waitForConnected(_WAIT_MS):
        return False
    socket.write(_RAISE)
    socket.waitForBytesWritten(_WAIT_MS)
    answered = socket.waitForReadyRead(_WAIT_MS)
    socket.disconnectFromServer()
    return answered


class InstanceGate(QObject):
    """Listens for later starts.

    Signals:
        raised: another start asked for this window.
    """

    raised = Signal()

    def __init__(self, home: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._on_connection)
        if not self._server.listen(_name(home)):
            QLocalServer.removeServer(_name(home))
            self._server.listen(_name(home))

    def close(self) -> None:
        """Listen no more."""
        self._server.close()

    @Slot()
    def _on_connection(self) -> None:
        while (socket := self._server.nextPendingConnection()) is not None:
            # Whoever can connect is the same user (UserAccessOption); what is sent does not matter.
            socket.setParent(self)
            socket.disconnected.connect(socket.deleteLater)
            socket.write(b"ok\n")
            socket.flush()
            self.raised.emit()


def _name(home: Path) -> str:
    """In the home folder itself, wherever TMPDIR points; a path too long for a socket is shortened elsewhere."""
    path = str(home.absolute() / "window.socket")
    if len(path.encode()) <= _LONGEST_PATH:
        return path
    return "rkdeck-" + hashlib.sha256(path.encode()).hexdigest()[:24]
