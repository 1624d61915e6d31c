"""A repository's files; ready-made ones for boards come first, each with its own download."""

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QHeaderView, QTableView, QVBoxLayout, QWidget

from core.base.names import printable
from core.base.observable import ObservableList
from core.base.units import format_bytes
from core.hub.records import RepoFile
from core.vendor.kinds import kind_of_name
from gui.models.list_model import Column, RecordModel
from gui.text import tr
from gui.widgets.basic import button, label, row
from gui.widgets.tables import dress_table


class FilesTab(QWidget):
    """Names, sizes and whether the Hub tells a checksum.

    Signals:
        wanted: a RepoFile to download alone.
    """

    wanted = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._files: ObservableList[RepoFile] = ObservableList()
        columns = (
            Column[RepoFile](tr("File"), _name, tip=_name),
            Column[RepoFile](tr("Size"), _size, right=True),
            Column[RepoFile](tr("Checksum"), _digest),
        )
        self._model = RecordModel(self._files, columns, self)
        self.view = QTableView()
        self.view.setModel(self._model)
        dress_table(self.view, "filesView", tr("Files"))
        self.view.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.view.setColumnWidth(1, 90)
        self.view.setColumnWidth(2, 110)
        self.view.selectionModel().currentRowChanged.connect(self._on_selected)
        self.note = label(role="muted", wrap=True)
        self.download = button(tr("Download this file"), icon_name="download")
        self.download.setObjectName("downloadFileButton")
        self.download.clicked.connect(self._on_download)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 8, 0, 0)
        layout.addWidget(self.note)
        layout.addWidget(self.view, 1)
        layout.addLayout(row(self.download, None))
        self._on_selected()

    def show_files(self, files: tuple[RepoFile, ...]) -> None:
        """Show a repository's files."""
        ready = [file for file in files if kind_of_name(file.path)]
        others = [file for file in files if kind_of_name(file.path) is None]
        self._files.replace_all([*ready, *others], key=_path)
        self.note.setText(
            tr("This repository holds files that are ready for boards; they come first.") if ready else ""
        )
        self.note.setVisible(bool(ready))
        if ready:
            self.view.selectRow(0)
        self._on_selected()

    @Slot()
    def _on_selected(self) -> None:
        self.download.setEnabled(self._model.record(self.view.currentIndex()) is not None)

    @Slot()
    def _on_download(self) -> None:
        file = self._model.record(self.view.currentIndex())
        if file is not None:
            self.wanted.emit(file)


def _path(file: RepoFile) -> str:
    return file.path


def _name(file: RepoFile) -> str:
    return printable(file.path, 300)


def _size(file: RepoFile) -> str:
    return format_bytes(file.size_bytes)


def _digest(file: RepoFile) -> str:
    return "sha256" if file.sha256 else "git"
