"""The Library page: the models on this computer; .rkllm files are dragged from here onto boards."""

from PySide6.QtCore import QItemSelectionModel, QPoint, Qt, Slot
from PySide6.QtGui import QAction, QDragEnterEvent, QDropEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QComboBox, QLineEdit, QMenu, QSplitter, QStackedLayout, QVBoxLayout, QWidget

from core.base.observable import ObservableList
from core.library.records import LibraryItem
from gui.desk import Desk
from gui.models.list_model import RecordModel
from gui.pages.library.adding import Adder
from gui.pages.library.columns import ADDED, SIZE, SORT_KEYS, library_columns, plain_title
from gui.pages.library.detail import LibraryDetail
from gui.pages.library.removal import Removal
from gui.pages.library.view import LibraryView
from gui.pages.page import Page
from gui.text import tr
from gui.widgets.basic import button, label, row
from gui.widgets.drag import ITEM_MIME, local_files
from gui.widgets.empty_state import EmptyState
from gui.widgets.plain import menu_entry


class LibraryPage(Page):
    """A table with a filter, and the selected model beside it. Folders and files may be dropped in."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(desk, parent)
        self.setAcceptDrops(True)
        self._wanted_id: str | None = None
        self._order, self._falling = ADDED, True
        self._shown: ObservableList[LibraryItem] = ObservableList()
        self._model = RecordModel(self._shown, library_columns(), self)
        self._adder = Adder(desk, self)
        self._adder.said.connect(self._on_adder_said)
        self._adder.added.connect(self._on_added)
        self._removal = Removal(desk, self)
        self._removal.removed.connect(self._on_removed)
        self._make_bar()
        self._make_view()
        self.detail = LibraryDetail(desk)
        self.detail.removal_wanted.connect(self._removal.ask)
        self._menu = QMenu(self)
        self._menu.triggered.connect(self._on_action)
        self._build()
        desk.library.loaded.connect(self._update)
        self._update()

    def _make_bar(self) -> None:
        self.search = QLineEdit()
        self.search.setObjectName("libraryFilter")
        self.search.setPlaceholderText(tr("Filter by name"))
        self.search.setAccessibleName(tr("Filter by name"))
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._update)
        self.kind = QComboBox()
        self.kind.setObjectName("libraryKind")
        self.kind.setAccessibleName(tr("Which models"))
        for text, data in (
            (tr("All models"), None),
            (tr("Source models"), True),
            (tr("Ready for a board"), False),
        ):
            self.kind.addItem(text, data)
        self.kind.currentIndexChanged.connect(self._update)
        self.add_file = button(tr("Add a file"), icon_name="file", tip=tr("A .rkllm file on this computer"))
        self.add_file.setObjectName("addFileButton")
        self.add_file.clicked.connect(self._adder.choose_file)
        self.add = button(
            tr("Add a folder"), icon_name="plus", tip=tr("A model folder with config.json and weights")
        )
        self.add.setObjectName("addButton")
        self.add.clicked.connect(self._adder.choose_folder)
        self.busy = label(role="muted", wrap=True)
        self.busy.setObjectName("libraryBusy")
        self.busy.hide()

    def _make_view(self) -> None:
        self.view = LibraryView()
        self.view.setModel(self._model)
        self.view.lay_out_columns()
        self.view.horizontalHeader().sectionClicked.connect(self._on_header)
        self.view.selectionModel().currentRowChanged.connect(self._on_selected)
        self.view.activated.connect(self._on_activated)
        self.view.customContextMenuRequested.connect(self._on_menu)
        self._delete = QShortcut(QKeySequence(Qt.Key.Key_Delete), self.view)
        self._delete.setContext(Qt.ShortcutContext.WidgetShortcut)
        self._delete.activated.connect(self._on_delete_key)

    def _build(self) -> None:
        self._nothing_matches = EmptyState("discover", tr("No model matches"), "", tr("Show all models"))
        self._nothing_matches.acted.connect(self._on_show_all)
        table = QWidget()
        self._table_stack = QStackedLayout(table)
        self._table_stack.addWidget(self.view)
        self._table_stack.addWidget(self._nothing_matches)
        splitter = QSplitter(Qt.Orientation.Horizontal)
        splitter.addWidget(table)
        splitter.addWidget(self.detail)
        splitter.setSizes([730, 330])
        splitter.setStretchFactor(0, 1)
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
        layout.addWidget(self.busy)
        layout.addLayout(self._stack, 1)

    def enter(self, payload: object) -> None:
        """Show an item by its id."""
        self.desk.library.refresh()
        if isinstance(payload, str):
            self._on_show_all()
            self._wanted_id = payload
            self._select_wanted()

    def focus_first(self) -> None:
        """The table, or what to do while there is none."""
        if self._stack.currentIndex() == 0:
            self._empty.action.setFocus()
        else:
            self.view.setFocus()

    def retint(self) -> None:
        """Another theme."""
        self._empty.retint()
        self._nothing_matches.retint()
        self.detail.retint()

    @Slot()
    @Slot(str)
    @Slot(int)
    def _update(self, _changed: object = None) -> None:
        words, is_source = self.search.text().lower().split(), self.kind.currentData()
        found = [
            item
            for item in self.desk.library.items
            if is_source in {None, item.is_source}
            and all(word in plain_title(item).lower() for word in words)
        ]
        found.sort(key=SORT_KEYS[self._order], reverse=self._falling)
        self._shown.replace_all(found, key=_item_id)
        known = len(self.desk.library.items)
        self._stack.setCurrentIndex(1 if known or not self.desk.library.is_loaded else 0)
        self._table_stack.setCurrentIndex(1 if known and not found else 0)
        self._select_wanted()
        if not self.view.currentIndex().isValid() and found:
            self._select(0)
        self._on_selected()

    def _select_wanted(self) -> None:
        for number, item in enumerate(self._shown):
            if item.id == self._wanted_id:
                self._wanted_id = None
                self._select(number)
                return

    def _select(self, number: int) -> None:
        flags = QItemSelectionModel.SelectionFlag
        self.view.selectionModel().setCurrentIndex(
            self._model.index(number, 0), flags.ClearAndSelect | flags.Rows
        )

    @Slot(int)
    def _on_header(self, column: int) -> None:
        """Sort by a column: sizes and dates the largest first; clicked again, the other way round."""
        self._falling = not self._falling if column == self._order else column in {SIZE, ADDED}
        self._order = column
        self._model.columns = library_columns(column, falling=self._falling)
        self._model.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, self._model.columnCount() - 1)
        self._update()

    @Slot()
    def _on_selected(self) -> None:
        self.detail.show_item(self._model.record(self.view.currentIndex()))

    @Slot()
    def _on_activated(self) -> None:
        item = self.detail.item
        if item is not None and item.is_source:
            self.desk.go("convert", item.id)
        elif item is not None:
            self.detail.deploy.showMenu()

    @Slot(QPoint)
    def _on_menu(self, place: QPoint) -> None:
        item = self._model.record(self.view.currentIndex())
        if item is None:
            return
        self._menu.clear()
        first = ("convert", tr("Convert")) if item.is_source else ("deploy", tr("Deploy"))
        for what, text in (
            first, ("verify", tr("Verify")), ("copy", tr("Copy the path")), ("folder", tr("Open the folder")),
            ("remove", tr("Remove")),
        ):  # fmt: skip
            menu_entry(self._menu, text, what)
        self._menu.popup(self.view.viewport().mapToGlobal(place))

    @Slot(QAction)
    def _on_action(self, action: QAction) -> None:
        what, detail = action.data(), self.detail
        buttons = {
            "convert": detail.convert, "verify": detail.verify, "folder": detail.folder, "remove": detail.remove,
        }  # fmt: skip
        if what in buttons:
            buttons[what].click()
        elif what == "deploy":
            detail.deploy.showMenu()
        elif what == "copy":
            detail.copy_path()

    @Slot()
    def _on_delete_key(self) -> None:
        if self.detail.item is not None:
            self._removal.ask(self.detail.item)

    @Slot(object)
    def _on_removed(self, _item: LibraryItem) -> None:
        self.desk.library.refresh()

    @Slot()
    def _on_discover(self) -> None:
        self.desk.go("discover")

    @Slot()
    def _on_show_all(self) -> None:
        self.search.clear()
        self.kind.setCurrentIndex(0)

    @Slot(object)
    def _on_adder_said(self, text: str) -> None:
        self.busy.setText(text)
        self.busy.setVisible(bool(text))

    @Slot(object)
    def _on_added(self, item: LibraryItem) -> None:
        self._on_show_all()
        self._wanted_id = item.id
        self.desk.notice(tr("Added {title}.", title=plain_title(item)), kind="ok")
        self.desk.library.refresh()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # Qt's name
        """Folders and files from outside are welcome; what came from here is not added again."""
        if local_files(event.mimeData()) and not event.mimeData().hasFormat(ITEM_MIME):
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()
        else:
            event.ignore()

    def dropEvent(self, event: QDropEvent) -> None:  # Qt's name
        """Add what was dropped, where it lies: to whoever dragged it nothing was moved."""
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        self._adder.add(local_files(event.mimeData()))


def _item_id(item: LibraryItem) -> str:
    return item.id
