"""Opens the real window on a home and closes it again at once; run as a program of its own.

    python start_victim.py HOME [WHAT]

WHAT breaks something on the way: `closing` makes the home unwritable before the window closes, `opening` fails with an
error nobody expected after everything is open.
"""

import sys
from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from gui import app
from gui.main import main


class _Closing(app.Shell):
    """A shell that breaks its home, and asks to be closed, as soon as it is open."""

    def open(self) -> None:
        super().open()
        if sys.argv[2:] == ["opening"]:
            raise OSError(5, "Input/output error")
        if sys.argv[2:] == ["closing"]:
            # Also root cannot write a file where a folder is.
            (Path(sys.argv[1]) / "window.json").unlink(missing_ok=True)
            (Path(sys.argv[1]) / "window.json").mkdir()
        QTimer.singleShot(0, QApplication.quit)


if __name__ == "__main__":
    app.Shell = _Closing  # type: ignore[misc]  # the program's own, closed at once
    sys.exit(main(["--home", sys.argv[1]]))
