"""Opens the real window, lets it load, visits every page and prints what each first visit cost; a program of its own.

    python visits_victim.py HOME

One JSON line: `imported_by_the_loop`, modules that the main thread began to load once the window was painted;
`styled`, how often widgets were told of another style, for each widget there is.
"""

import json
import sys
import threading
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QApplication, QWidget

from gui import app
from gui.desk import Destination
from gui.main import main

OURS = ("core.", "gui.", "numpy", "pyqtgraph")
watching: list[bool] = []
imported_by_the_loop: list[str] = []
styled: list[float] = []


def hear(event: str, arguments: tuple[object, ...]) -> None:
    """Python tells of each module that is loaded, and of none that was loaded before."""
    if event == "import" and watching and threading.current_thread() is threading.main_thread():
        name = str(arguments[0])
        if name.startswith(OURS):
            imported_by_the_loop.append(name)


class StyleEar(QObject):
    """Counts how often widgets are told that their style changed."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.StyleChange and isinstance(watched, QWidget):
            self.count += 1
        return False


class Visitor(app.Shell):
    """Visits the pages one after another once the window has loaded them."""

    def open(self) -> None:
        self._ear = StyleEar()
        super().open()
        self._left = list(self.window._titles)
        self.window._pages.built.connect(self._next)
        self.window.painted.connect(self._begin)

    def _begin(self) -> None:
        watching.append(True)
        QApplication.instance().installEventFilter(self._ear)  # type: ignore[union-attr]  # there is one
        self._next("")

    def _next(self, _name: str) -> None:
        while self._left:
            following = self._left.pop(0)
            if not self.window._pages.has(following):
                self.window.visit(Destination(following))
                return
        QTimer.singleShot(0, self._end)

    def _end(self) -> None:
        watching.clear()
        styled.append(self._ear.count / len(self.window.findChildren(QWidget)))
        QApplication.quit()


if __name__ == "__main__":
    sys.addaudithook(hear)
    app.Shell = Visitor  # type: ignore[misc]  # the program's own, which walks by itself
    Path(sys.argv[1]).mkdir(exist_ok=True)
    code = main(["--home", sys.argv[1]])
    print(json.dumps({"imported_by_the_loop": imported_by_the_loop, "styled": styled[0]}))
    sys.exit(code)
