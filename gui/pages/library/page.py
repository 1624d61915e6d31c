"""The Library page: the models on this computer; .rkllm files are dragged from here onto boards."""

from pathlib import Path

from PySide6.QtCore import QItemSelectionModel, QPoint, Qt, Slot
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFileDialog,
    QHeaderView,
    QLineEdit,
    QMenu,
    QMessageBox,
    QSplitter,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from core.base.observable import ObservableList
from core.base.units import format_bytes
from core.library.library import LibraryItem
from core.usecases import deployment
from core.usecases import library as use
from gui.desk import Desk, Destination
from gui.models.list_model import RecordModel
from gui.pages.library.columns import WIDTHS, library_columns, title_text
from gui.pages.library.detail import LibraryDetail
from gui.pages.library.view import LibraryView
from gui.pages.page import Page
from gui.text import tr
from gui.widgets.basic import button, row
from gui.widgets.drag import ITEM_MIME, local_files
from gui.widgets.empty_state import EmptyState


class LibraryPage(Page):
    """A table with a filter, and the selected model beside it. Folders and files may be dropped in."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(desk, parent)
        self.setAcceptDrops(True)
        self._wanted_id: str | None = None
        self._shown: ObservableList[LibraryItem] = ObservableList()
        self._model = RecordModel(self._shown, library_columns(), self)
        self._dialog: QFileDialog | None = None
        self._question: QMessageBox | None = None
        self._leaving: LibraryItem | None = None
        self.search = QLineEdit()
        self.search.setObjectName("libraryFilter")
        self.search.setPlaceholderText(tr("Filter by name"))
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._update)
        self.kind = QComboBox()
        self.kind.setAccessibleName(tr("Which models"))
        for text, data in (
            (tr("All models"), ""),
            (tr("Source models"), "source"),
            (tr("Ready for a board"), "rkllm"),
        ):
            self.kind.addItem(text, data)
        self.kind.currentIndexChanged.connect(self._update)
        self.add_file = button(tr("Add a file"), icon_name="file", tip=tr("A .rkllm file on this computer"))
        self.add_file.clicked.connect(self._on_add_file)
        self.add = button(
            tr("Add a folder"), icon_name="plus", tip=tr("A model folder with config.json and weights")
        )
        self.add.setObjectName("addButton")
        self.add.clicked.connect(self._on_add_folder)
        self.view = self._table()
        self.detail = LibraryDetail(desk)
        self.detail.removal_wanted.connect(self._on_removal_wanted)
        self.detail.deployment_wanted.connect(self._on_deployment_wanted)
        self._menu = QMenu(self)
        self._build()
        desk.library.loaded.connect(self._update)
        self._update()

    def _build(self) -> None:
        splitter = QSplitter(Qt.Orientation.Horizontal)
        splitter.addWidget(self.view)
        splitter.addWidget(self.detail)
        splitter.setSizes([660, 400])
        splitter.setChildrenCollapsible(False)
        self._empty = EmptyState(
            "library", tr("No models yet"),
            tr("Download one on the Discover page, or drop a model folder or a .rkllm file here."), tr("Find a model"),
        )  # fmt: skip
        self._empty.acted.connect(self._on_discover)
        self._stack = QStackedLayout()
        self._stack.addWidget(self._empty)
        self._stack.addWidget(splitter)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        bar = row(self.search, self.kind, self.add, self.add_file)
        bar.setStretch(0, 1)
        layout.addLayout(bar)
        layout.addLayout(self._stack, 1)
        self._delete = QShortcut(QKeySequence(Qt.Key.Key_Delete), self.view)
        self._delete.setContext(Qt.ShortcutContext.WidgetShortcut)
        self._delete.activated.connect(self._on_delete_key)

    def _table(self) -> LibraryView:
        view = LibraryView()
        view.setObjectName("libraryView")
        view.setModel(self._model)
        view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        view.setShowGrid(False)
        view.setAlternatingRowColors(True)
        view.setTabKeyNavigation(False)
        view.verticalHeader().hide()
        view.verticalHeader().setDefaultSectionSize(30)
        header = view.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column, width in WIDTHS.items():
            view.setColumnWidth(column, width)
        view.selectionModel().currentRowChanged.connect(self._on_selected)
        view.activated.connect(self._on_activated)
        view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        view.customContextMenuRequested.connect(self._on_menu)
        view.setAccessibleName(tr("Models on this computer"))
        return view

    def enter(self, payload: object) -> None:
        """Show an item by its id."""
        self.desk.library.refresh()
        if isinstance(payload, str):
            self.search.clear()
            self.kind.setCurrentIndex(0)
            self._wanted_id = payload
            self._select_wanted()

    def focus_first(self) -> None:
        """The table."""
        self.view.setFocus()

    def retint(self) -> None:
        """Another theme."""
        self._empty.retint()

    @Slot()
    @Slot(str)
    @Slot(int)
    def _update(self, _changed: object = None) -> None:
        words, kind = self.search.text().lower().split(), self.kind.currentData()
        found = [
            item
            for item in self.desk.library.items
            if (not kind or item.kind == kind) and all(word in title_text(item).lower() for word in words)
        ]
        self._shown.replace_all(found, key=_item_id)
        self._stack.setCurrentIndex(
            1 if len(self.desk.library.items) or not self.desk.library.is_loaded else 0
        )
        self._select_wanted()
        if not self.view.currentIndex().isValid() and found:
            self._select(0)
        self.detail.show_item(self._model.record(self.view.currentIndex()))

    def _select_wanted(self) -> None:
        for number, item in enumerate(self._shown):
            if item.id == self._wanted_id:
                self._select(number)
                self._wanted_id = None
                return

    def _select(self, number: int) -> None:
        flags = QItemSelectionModel.SelectionFlag
        self.view.selectionModel().setCurrentIndex(
            self._model.index(number, 0), flags.ClearAndSelect | flags.Rows
        )

    @Slot()
    def _on_selected(self) -> None:
        self.detail.show_item(self._model.record(self.view.currentIndex()))

    @Slot()
    def _on_activated(self) -> None:
        item = self.detail.item
        if item is not None:
            if item.kind == "source":
                self.desk.go("convert", item.id)
            else:
                self.detail.deploy.showMenu()

    @Slot(QPoint)
    def _on_menu(self, place: QPoint) -> None:
        item = self._model.record(self.view.currentIndex())
        if item is None:
            return
        self._menu.clear()
        if item.kind == "source":
            self._menu.addAction(tr("Convert"), self.detail.convert.click)
        else:
            self._menu.addAction(tr("Deploy"), self.detail.deploy.showMenu)
        self._menu.addAction(tr("Verify"), self.detail.verify.click)
        self._menu.addAction(tr("Copy the path"), self.detail.copy_path)
        self._menu.addAction(tr("Open the folder"), self.detail.folder.click)
        self._menu.addSeparator()
        self._menu.addAction(tr("Remove"), self.detail.remove.click)
        self._menu.popup(self.view.viewport().mapToGlobal(place))

    @Slot()
    def _on_delete_key(self) -> None:
        if self.detail.item is not None:
            self._on_removal_wanted(self.detail.item)

    @Slot(object)
    def _on_removal_wanted(self, item: LibraryItem) -> None:
        ours = item.path.is_relative_to(self.desk.services.paths.library)
        box = QMessageBox(self)
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle(tr("Remove a model"))
        box.setText(
            tr("Remove {title} ({size})?", title=title_text(item), size=format_bytes(item.size_bytes))
        )
        box.setInformativeText(
            tr("Its files are deleted from this computer. Boards keep what was sent to them.")
            if ours
            else tr(
                "RKDeck only forgets it: its files are not in RKDeck's own folder and stay where they are."
            )
        )
        remove = box.addButton(tr("Remove"), QMessageBox.ButtonRole.DestructiveRole)
        remove.setObjectName("confirmRemove")
        keep = box.addButton(tr("Keep"), QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(keep)
        box.setEscapeButton(keep)
        box.finished.connect(self._on_removal_answered)
        self._question, self._leaving = box, item
        box.open()

    @Slot(int)
    def _on_removal_answered(self, _result: int) -> None:
        box, item = self._question, self._leaving
        self._question = self._leaving = None
        assert box is not None
        pressed = box.clickedButton()
        if item is not None and pressed and pressed.objectName() == "confirmRemove":
            self.desk.bridge.run(use.remove_item, self.desk.services, item.id, done=self._on_removed)
        box.deleteLater()

    def _on_removed(self, item: LibraryItem) -> None:
        self.desk.notice(tr("Removed {title}.", title=title_text(item)), kind="ok")
        self.desk.library.refresh()

    @Slot(object)
    def _on_deployment_wanted(self, wanted: tuple[LibraryItem, str]) -> None:
        item, board = wanted
        self.desk.bridge.run(
            deployment.start_deploys,
            self.desk.services,
            item.path,
            [board],
            title=item.title,
            done=self._on_deploying,
        )
        self.desk.notice(
            tr("Sending {title} to {board}.", title=title_text(item), board=board),
            action=tr("Show"), destination=Destination("boards", board),
        )  # fmt: skip

    def _on_deploying(self, _job_ids: tuple[str, ...]) -> None:
        self.desk.jobs.look_now()

    @Slot()
    def _on_discover(self) -> None:
        self.desk.go("discover")

    @Slot()
    def _on_add_folder(self) -> None:
        self._ask_for_path(QFileDialog.FileMode.Directory, tr("A model folder"), "")

    @Slot()
    def _on_add_file(self) -> None:
        self._ask_for_path(QFileDialog.FileMode.ExistingFile, tr("A .rkllm file"), "RKLLM (*.rkllm)")

    def _ask_for_path(self, mode: QFileDialog.FileMode, title: str, names: str) -> None:
        self._dialog = QFileDialog(self, title)
        self._dialog.setFileMode(mode)
        if names:
            self._dialog.setNameFilter(names)
        self._dialog.fileSelected.connect(self._on_chosen)
        self._dialog.finished.connect(self._on_dialog_finished)
        self._dialog.open()

    @Slot(str)
    def _on_chosen(self, path: str) -> None:
        self.add_path(Path(path))

    @Slot(int)
    def _on_dialog_finished(self, _result: int) -> None:
        if self._dialog is not None:
            self._dialog.deleteLater()
            self._dialog = None

    def add_path(self, path: Path) -> None:
        """Enter a folder or file where it lies."""
        self.desk.bridge.run(use.add_path, self.desk.services, path, done=self._on_added)

    def _on_added(self, item: LibraryItem) -> None:
        self._wanted_id = item.id
        self.desk.notice(tr("Added {title}.", title=title_text(item)), kind="ok")
        self.desk.library.refresh()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # Qt's name
        """Folders and files from outside are welcome; what came from here is not added again."""
        if local_files(event.mimeData()) and not event.mimeData().hasFormat(ITEM_MIME):
            event.acceptProposedAction()
        else:
            event.ignore()

    def dropEvent(self, event: QDropEvent) -> None:  # Qt's name
        """Add what was dropped."""
        event.acceptProposedAction()
        for path in local_files(event.mimeData()):
            self.add_path(path)


def _item_id(item: LibraryItem) -> str:
    return item.id
