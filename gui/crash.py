"""What nobody expected: to the log with its trace, and to the user with a report to copy."""

import logging
import platform
import sys
import threading
import traceback
from types import TracebackType

from PySide6.QtCore import QObject, Qt, Signal, Slot, qVersion
from PySide6.QtWidgets import QApplication, QMessageBox

from core.base.log import redact
from gui.text import tr
from gui.widgets.plain import MessageBox, set_title, visible

_log = logging.getLogger(__name__)


class CrashHooks(QObject):
    """Takes over `sys.excepthook` and `threading.excepthook`.

    An exception in a slot does not end the program: PySide reports it to `sys.excepthook` and `emit` returns.
    """

    _caught = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._box: QMessageBox | None = None
        self._caught.connect(self._on_caught, Qt.ConnectionType.QueuedConnection)

    def install(self) -> None:
        """Begin."""
        sys.excepthook = self._main_hook
        threading.excepthook = self._thread_hook

    def remove(self) -> None:
        """End."""
        sys.excepthook = sys.__excepthook__
        threading.excepthook = threading.__excepthook__

    def _main_hook(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            QApplication.quit()
            return
        _log.error("an error nobody expected", exc_info=(kind, error, trace))
        self._caught.emit(redact("".join(traceback.format_exception(kind, error, trace))))

    def _thread_hook(self, args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            self._main_hook(args.exc_type, args.exc_value, args.exc_traceback)

    @Slot(object)
    def _on_caught(self, text: str) -> None:
        if self._box is not None:  # one at a time: an error may come with every repaint
            return
        box = self._box = MessageBox()
        box.setIcon(QMessageBox.Icon.Critical)
        set_title(box, tr("RKDeck: a fault"))
        box.setText(tr("Something in RKDeck went wrong. Your models and jobs are not affected."))
        box.setStandardButtons(QMessageBox.StandardButton.Close)
        box.setInformativeText(tr("It was written to the log. Please report it with the details below."))
        box.setDetailedText(visible(f"{about_text()}\n\n{text}"))
        box.finished.connect(self._on_closed)
        box.open()

    @Slot(int)
    def _on_closed(self, _result: int) -> None:
        if self._box is not None:
            self._box.deleteLater()
            self._box = None


def about_text() -> str:
    """Versions, for reports."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        ours = version("rkdeck")
    except PackageNotFoundError:  # run from its sources: the report says so, and is still made
        ours = "(not installed)"
    return (
        f"RKDeck {ours}, Python {platform.python_version()}, Qt {qVersion()}, "
        f"{platform.system()} {platform.machine()}"
    )
