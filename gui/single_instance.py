"""One window per home folder: a second start raises the first and ends.

A lock file says who is the first, from its first moment on and however it dies; a local socket in the home folder
brings its window to the front. A socket left by a killed window is replaced.
"""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtNetwork import QLocalServer, QLocalSocket

from core.base.errors import RKDeckError
from core.base.paths import AppPaths
from core.usecases.preferences import take_window

_WAIT_MS = 1500
# A window that is still opening, or closing, hears nothing yet, or no more.
_PATIENCE_S = 15.0
_POLL_S = 0.1
_RAISE = b"raise\n"
_LONGEST_PATH = 100  # unix(7): 108 with its end


def claim(paths: AppPaths) -> Callable[[], None]:
    """Become the one window of a home folder, or raise the other; called before the event loop runs.

    Returns:
        what to call when the window is gone.

    Raises:
        RKDeckError: `window.already_open`.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while (give_back := take_window(paths)) is None:
        if _raise_other(paths.home) or time.monotonic() > deadline:
            raise RKDeckError("window.already_open", home=str(paths.home))
        time.sleep(_POLL_S)
    return give_back


def _raise_other(home: Path) -> bool:
    """Ask a window that is open with this home to come to the front; returns whether it answered."""
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
