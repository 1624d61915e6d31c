"""Entering folders and files where they lie: chosen in a dialog, or dropped from the file manager."""

from collections.abc import Iterable
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QFileDialog, QWidget

from core.base.errors import RKDeckError
from core.base.names import printable
from core.library.records import LibraryItem
from core.usecases import library as use
from gui.desk import Desk
from gui.text import tr, trn


class Adder(QObject):
    """Adds one path after the other and says what it is doing.

    Signals:
        said: what is being read, as a str; empty when nothing is.
        added: a LibraryItem.
    """

    said = Signal(object)
    added = Signal(object)

    def __init__(self, desk: Desk, parent: QWidget) -> None:
        super().__init__(parent)
        self._desk = desk
        self._dialog: QFileDialog | None = None
        self._waiting: list[Path] = []
        self._busy = False

    def add(self, paths: Iterable[Path]) -> None:
        """Enter folders and files; a file is read whole for its checksum, so one at a time."""
        self._waiting.extend(paths)
        self._next()

    @Slot()
    def choose_folder(self) -> None:
        """Ask for a model folder."""
        self._ask(QFileDialog.FileMode.Directory, tr("A model folder"), "")

    @Slot()
    def choose_file(self) -> None:
        """Ask for a .rkllm file."""
        self._ask(QFileDialog.FileMode.ExistingFiles, tr("A .rkllm file"), "RKLLM (*.rkllm)")

    def _window(self) -> QWidget:
        parent = self.parent()  # not kept: the two would hold each other
        assert isinstance(parent, QWidget)
        return parent

    def _next(self) -> None:
        if self._busy:
            return
        if not self._waiting:
            self.said.emit("")
            return
        self._busy = True
        path, more = self._waiting.pop(0), len(self._waiting)
        text = tr("Reading {name} ...", name=printable(path.name, 80))
        self.said.emit(f"{text} {trn('{n} more waits', '{n} more wait', more)}" if more else text)
        self._desk.bridge.run(
            use.add_path, self._desk.services, path, done=self._on_added, failed=self._on_failed
        )

    def _on_added(self, item: LibraryItem) -> None:
        self._busy = False
        self.added.emit(item)
        self._next()

    def _on_failed(self, error: RKDeckError) -> None:
        self._busy = False
        self._desk.report(error)
        self._next()

    def _ask(self, mode: QFileDialog.FileMode, title: str, names: str) -> None:
        if self._dialog is not None:
            return
        self._dialog = QFileDialog(self._window(), title)
        self._dialog.setFileMode(mode)
        if names:
            self._dialog.setNameFilter(names)
        self._dialog.filesSelected.connect(self._on_chosen)
        self._dialog.finished.connect(self._on_finished)
        self._dialog.open()

    @Slot("QStringList")
    def _on_chosen(self, paths: list[str]) -> None:
        self.add([Path(path) for path in paths])

    @Slot(int)
    def _on_finished(self, _result: int) -> None:
        if self._dialog is not None:
            self._dialog.deleteLater()
            self._dialog = None
