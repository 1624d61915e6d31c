"""The toolkits RKDeck knows: add, check again, forget."""

from pathlib import Path

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QAbstractItemView, QFileDialog, QHeaderView, QTableView, QVBoxLayout, QWidget

from core.base.errors import RKDeckError
from core.base.observable import ObservableList
from core.convert.records import Toolkit
from core.usecases import conversion as use
from gui.bridge import Task
from gui.desk import Desk
from gui.models.list_model import Column, RecordModel
from gui.text import tr, word_error
from gui.widgets.basic import button, label, row

_VERSION_PX = 200


class ToolkitsPanel(QWidget):
    """A short table and its buttons."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._toolkits: ObservableList[Toolkit] = ObservableList()
        columns = (
            Column[Toolkit](tr("Version"), _version),
            Column[Toolkit](tr("Python of its environment"), _python, tip=_python),
        )
        self._model = RecordModel(self._toolkits, columns, self)
        self._dialog: QFileDialog | None = None
        self._listing: Task | None = None
        self.view = QTableView()
        self.view.setObjectName("toolkitsView")
        self.view.setModel(self._model)
        self.view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.view.setShowGrid(False)
        self.view.setWordWrap(False)
        self.view.setTabKeyNavigation(False)
        self.view.verticalHeader().hide()
        self.view.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self.view.setColumnWidth(0, _VERSION_PX)
        self.view.setFixedHeight(110)
        self.view.setAccessibleName(tr("Toolkits"))
        self.view.selectionModel().currentRowChanged.connect(self._on_selected)
        self.message = label(wrap=True)
        self._say_what_it_is()
        self.add = button(tr("Add an environment"), icon_name="plus")
        self.add.setObjectName("addToolkitButton")
        self.add.clicked.connect(self._on_add)
        self.check = button(tr("Check again"), icon_name="refresh")
        self.check.clicked.connect(self._on_check)
        self.remove = button(tr("Forget"), icon_name="trash")
        self.remove.clicked.connect(self._on_remove)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.addWidget(self.view)
        layout.addWidget(self.message)
        layout.addLayout(row(self.add, self.check, self.remove, None))
        self._on_selected()

    def refresh(self) -> None:
        """Read the list again; of two readings under way the later one counts."""
        self._listing = self._desk.bridge.run(
            use.list_toolkits, self._desk.services, done=self._on_listed, instead_of=self._listing
        )

    def add_python(self, python: Path) -> None:
        """Check an environment and remember it."""
        self.message.setText(tr("Asking {python} what it has ...", python=python))
        self.add.setEnabled(False)
        self._desk.bridge.run(
            use.add_toolkit, self._desk.services, python, done=self._on_added, failed=self._on_failed
        )

    def _say_what_it_is(self) -> None:
        self.message.setText(
            tr(
                "Rockchip's toolkit is not on PyPI. Install its wheel in an environment of its own, then choose that "
                "environment's Python here."
            )
        )

    def _on_listed(self, toolkits: tuple[Toolkit, ...]) -> None:
        self._toolkits.replace_all(toolkits, key=_python)
        # That a toolkit is simulated stands last: it is never cut.
        self.view.setColumnWidth(0, max(_VERSION_PX, self.view.sizeHintForColumn(0)))
        self._on_selected()

    def _on_added(self, toolkit: Toolkit) -> None:
        self.add.setEnabled(True)
        self.message.setText(tr("Found rkllm-toolkit {version}.", version=toolkit.version))
        self.refresh()

    def _on_failed(self, error: RKDeckError) -> None:
        self.add.setEnabled(True)
        self.message.setText(" ".join(word_error(error)))

    def _on_removed(self, _toolkit: Toolkit) -> None:
        self.refresh()

    @Slot()
    def _on_selected(self) -> None:
        chosen = self._model.record(self.view.currentIndex()) is not None
        self.check.setEnabled(chosen)
        self.remove.setEnabled(chosen)

    @Slot()
    def _on_add(self) -> None:
        self._dialog = QFileDialog(self, tr("The Python of the toolkit's environment"))
        self._dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        self._dialog.fileSelected.connect(self._on_chosen)
        self._dialog.open()

    @Slot(str)
    def _on_chosen(self, path: str) -> None:
        if self._dialog is not None:
            self._dialog.deleteLater()
            self._dialog = None
        self.add_python(Path(path))

    @Slot()
    def _on_check(self) -> None:
        toolkit = self._model.record(self.view.currentIndex())
        if toolkit is not None:
            self.add_python(toolkit.python)

    @Slot()
    def _on_remove(self) -> None:
        toolkit = self._model.record(self.view.currentIndex())
        if toolkit is not None:
            # Nothing of the environment itself is touched; adding it again brings it back.
            self._desk.bridge.run(
                use.remove_toolkit, self._desk.services, toolkit.python, done=self._on_removed
            )


def _version(toolkit: Toolkit) -> str:
    return f"{toolkit.version} ({tr('SIMULATED@@model')})" if toolkit.simulated else toolkit.version


def _python(toolkit: Toolkit) -> str:
    return str(toolkit.python)
