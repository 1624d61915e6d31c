"""The Discover page: search, results that go on as the view comes to their end, and the selected model."""

from PySide6.QtCore import QEvent, QItemSelectionModel, QObject, QPoint, Qt, QTimer, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QComboBox,
    QLineEdit,
    QListView,
    QSplitter,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from core.base.errors import RKDeckError
from core.fitness.badge import Badge
from core.hub.records import ModelSummary, SearchPage, SearchQuery, Sort
from core.hub.waiting import HubWait
from core.usecases import hub as use
from core.vendor.kinds import model_kinds
from gui.bridge import Task
from gui.desk import Desk
from gui.models.paged_model import ResultsModel
from gui.pages.discover.badges import Badges
from gui.pages.discover.delegate import ResultDelegate
from gui.pages.discover.detail import ModelPane
from gui.pages.page import Page
from gui.phrases import hub_wait_text
from gui.text import tr, trn, word_error
from gui.widgets.basic import button, label, row
from gui.widgets.empty_state import EmptyState
from gui.widgets.plain import set_tip

_PAGE_ROWS = 50
_TYPING_MS = 350
# The view has come to rest.
_LOOK_MS = 250
_MOST_PAGES_IN_A_ROW = 10
_LIST, _MESSAGE = 0, 1


class DiscoverPage(Page):
    """The Hub."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(desk, parent)
        self._task: Task | None = None
        self._cursor: str | None = None
        self._query: SearchQuery | None = None
        self._wanted: str | None = None
        self._pages_in_a_row = 0
        self.search = QLineEdit()
        self.search.setObjectName("searchField")
        self.search.setPlaceholderText(tr("Search the Hub: a name, or owner/name"))
        self.search.setClearButtonEnabled(True)
        self.search.setAccessibleName(tr("Search the Hub"))
        self.search.installEventFilter(self)
        self.search.textChanged.connect(self._on_typed)
        self.search.returnPressed.connect(self._on_return)
        self.go = button(tr("Search"), icon_name="discover")
        self.go.setObjectName("searchButton")
        self.go.clicked.connect(self._on_return)
        self.kind = QComboBox()
        self.kind.setObjectName("kindBox")
        self.kind.setAccessibleName(tr("Which files"))
        set_tip(self.kind, tr("Only repositories with files that are ready for boards"))
        self.kind.addItem(tr("any files"), None)
        for kind in model_kinds().values():
            self.kind.addItem(tr("{ending} files", ending=kind.ending), kind)
        self.kind.currentIndexChanged.connect(self._on_return)
        self.fitting = QCheckBox(tr("fits my board"))
        self.fitting.setObjectName("fitsFilter")
        set_tip(
            self.fitting,
            tr("Leave out what needs more memory than the active board has, or what its NPU does not run"),
        )
        self.fitting.toggled.connect(self._on_filter)
        self.sort = QComboBox()
        self.sort.setObjectName("sortBox")
        self.sort.setAccessibleName(tr("Order"))
        for text, data in (
            (tr("most downloaded"), "downloads"), (tr("most liked"), "likes"), (tr("newest change"), "updated"),
            (tr("best match"), "match"),
        ):  # fmt: skip
            self.sort.addItem(text, data)
        self.sort.currentIndexChanged.connect(self._on_return)
        self.results = ResultsModel(self)
        self.results.more_wanted.connect(self._on_more)
        self.badges = Badges(desk, self)
        self.badges.changed.connect(self._on_badge)
        self.badges.reset.connect(self._on_badges_reset)
        self.badges.moved.connect(self._on_scrolled)
        self._found: list[ModelSummary] = []
        self._delegate = ResultDelegate(self.badges, self)
        self.view = self._list()
        self._look_timer = QTimer(self)
        self._look_timer.setSingleShot(True)
        self._look_timer.setInterval(_LOOK_MS)
        self._look_timer.timeout.connect(self._look_at_view)
        self.status = label(role="muted")
        self._message = EmptyState("discover", "", "", "")
        self._message.acted.connect(self._on_return)
        self.pane = ModelPane(desk)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_TYPING_MS)
        self._timer.timeout.connect(self._on_return)
        self._lay_out()
        desk.bridge.listen(desk.services.events, HubWait, self._on_wait, key=type)

    def _list(self) -> QListView:
        view = QListView()
        view.setObjectName("resultsView")
        view.setModel(self.results)
        view.setItemDelegate(self._delegate)
        view.setUniformItemSizes(True)
        view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        view.selectionModel().currentChanged.connect(self._on_selected)
        view.activated.connect(self._on_activated)
        view.setAccessibleName(tr("Models found"))
        view.setMinimumWidth(320)
        view.verticalScrollBar().valueChanged.connect(self._on_scrolled)
        return view

    def _lay_out(self) -> None:
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        holder = QWidget()
        self._stack = QStackedLayout(holder)
        self._stack.addWidget(self.view)
        self._stack.addWidget(self._message)
        column.addWidget(holder, 1)
        column.addWidget(self.status)
        splitter = QSplitter(Qt.Orientation.Horizontal)
        splitter.addWidget(left)
        splitter.addWidget(self.pane)
        splitter.setSizes([470, 610])
        splitter.setChildrenCollapsible(False)
        bar = row(self.search, self.go, self.fitting, self.kind, self.sort)
        bar.setStretch(0, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(bar)
        layout.addWidget(splitter, 1)

    def enter(self, payload: object) -> None:
        """Show a model by its id; the first visit searches for what is used most."""
        if isinstance(payload, str):
            self._wanted = payload
            self.search.setText(payload)
            self._on_return()
        elif self._query is None:
            self._on_return()
        self._look_timer.start()

    def focus_first(self) -> None:
        """The search field."""
        self.search.setFocus()

    def retint(self) -> None:
        """Another theme."""
        self._message.retint()
        self.pane.empty.retint()
        self.view.viewport().update()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # Qt's name
        """Down goes from the field into the results."""
        pressed = watched is self.search and event.type() == QEvent.Type.KeyPress
        if (
            pressed
            and isinstance(event, QKeyEvent)
            and event.key() == Qt.Key.Key_Down
            and len(self.results.records)
        ):
            self._select(max(0, self.view.currentIndex().row()))
            self.view.setFocus()
            return True
        return super().eventFilter(watched, event)

    @Slot(str)
    def _on_typed(self, _text: str) -> None:
        self._timer.start()

    @Slot()
    @Slot(bool)
    @Slot(int)
    def _on_return(self, _value: object = None) -> None:
        self._timer.stop()
        sort: Sort = self.sort.currentData()
        query = SearchQuery(self.search.text().strip(), sort, _PAGE_ROWS, kind=self.kind.currentData())
        if query == self._query and self._task is not None:
            return
        self._query, self._cursor = query, None
        self._ask()

    def _ask(self) -> None:
        if self._task is not None:
            self._task.drop()
            use.stop_waiting(self.desk.services)
        assert self._query is not None
        self.status.setText(tr("Searching ..."))
        self._task = self.desk.bridge.run(
            use.search,
            self.desk.services,
            self._query,
            self._cursor,
            done=self._on_page,
            failed=self._on_failed,
        )

    @Slot()
    def _on_more(self) -> None:
        if self._cursor is not None and self._task is None:
            self._ask()

    def _on_page(self, page: SearchPage) -> None:
        self._task = None
        first = self._cursor is None
        known = set() if first else {model.repo for model in self._found}
        # The Hub's order moves while one pages through it: a model that comes twice is shown once.
        new = list({model.repo: model for model in page.models if model.repo not in known}.values())
        if first:
            self._found = []
            self.results.records.clear()
            self._pages_in_a_row = 0
        self._cursor = page.next_cursor
        self._found.extend(new)
        shown = [model for model in new if self._is_shown(model)]
        self.results.records.extend(shown)
        self.results.has_more = page.next_cursor is not None
        self._pages_in_a_row = 0 if shown else self._pages_in_a_row + 1
        if first and not shown and not new:
            self._say_count()
            self._show_first(0)
            return
        if not shown and self.results.has_more and self._pages_in_a_row < _MOST_PAGES_IN_A_ROW:
            self._on_more()  # a whole page that does not fit: the next one may
            return
        self._say_count()
        if first or not self.results.records:
            self._show_first(len(self.results.records))
        else:
            self._stack.setCurrentIndex(_LIST)
        self._look_timer.start()

    def _is_shown(self, model: ModelSummary) -> bool:
        return (
            not self.fitting.isChecked()
            or model.repo == self._wanted
            or not _is_refused(model, self.badges.of(model))
        )

    def _say_count(self) -> None:
        count, hidden = len(self.results.records), len(self._found) - len(self.results.records)
        text = (
            tr("{n} models so far; scroll for more", n=count)
            if self.results.has_more
            else trn("{n} model", "{n} models", count)
        )
        if hidden:
            text += " · " + trn("{n} does not fit", "{n} do not fit", hidden)
        self.status.setText(text)

    @Slot()
    @Slot(bool)
    def _on_filter(self, _on: bool = False) -> None:
        """Show or hide what does not fit, among what was found already."""
        current = self.results.record(self.view.currentIndex())
        self.results.records.replace_all([model for model in self._found if self._is_shown(model)], key=_repo)
        if current is not None and current in self.results.records:
            self._select(list(self.results.records).index(current))
        self._say_count()
        if self._found:
            self._show_first(len(self.results.records))
        self._look_timer.start()

    @Slot(str, object)
    def _on_badge(self, repo: str, badge: Badge) -> None:
        place = next((n for n, model in enumerate(self.results.records) if model.repo == repo), None)
        if place is None:
            return
        model = self.results.records[place]
        if self.fitting.isChecked() and _is_refused(model, badge) and repo != self.pane.repo:
            self.results.records.remove_range(place, place)
            self._say_count()
            self._look_timer.start()
        else:
            self.results.records.change(place, model)

    @Slot()
    def _on_badges_reset(self) -> None:
        if self.fitting.isChecked():
            self._on_filter()
        else:
            self.results.forget_texts()
        self._look_timer.start()

    @Slot()
    @Slot(int)
    def _on_scrolled(self, _value: int = 0) -> None:
        self._look_timer.start()

    @Slot()
    def _look_at_view(self) -> None:
        """Ask for exact answers for the rows in view."""
        if not self.isVisible():
            return
        height = self.view.viewport().height()
        first = self.view.indexAt(QPoint(4, 4)).row()
        last = self.view.indexAt(QPoint(4, height - 4)).row()
        count = len(self.results.records)
        if first < 0:
            return
        last = count - 1 if last < 0 else last
        self.badges.want([self.results.records[place] for place in range(first, last + 1)])

    def _show_first(self, count: int) -> None:
        if count:
            self._stack.setCurrentIndex(_LIST)
            place = next(
                (n for n, model in enumerate(self.results.records) if model.repo == self._wanted), None
            )
            if self._wanted is not None:
                self._wanted = None
                self._select(place or 0)
            elif self.pane.repo is None or place is not None:
                self.view.scrollToTop()
        elif self._found:
            self._message.say(
                tr("Nothing that fits"),
                tr(
                    "All {n} models found need more than the active board has, or are not for its NPU."
                    " Choose another board above, or look for smaller ones.",
                    n=len(self._found),
                ),
            )
            self._stack.setCurrentIndex(_MESSAGE)
        else:
            wanted, self._wanted = self._wanted, None
            self._message.say(
                tr("Nothing found"),
                tr("Fewer or other words may help: a family such as qwen3, or an owner such as openbmb/."),
            )
            self._stack.setCurrentIndex(_MESSAGE)
            self.pane.show_model(wanted)

    def _on_wait(self, wait: HubWait) -> None:
        if wait.left_s:
            self.status.setText(hub_wait_text(wait.left_s))
        elif self._task is not None:
            self.status.setText(tr("Searching ..."))
        else:
            self._say_count()

    def _on_failed(self, error: RKDeckError) -> None:
        self._task = None
        message, hint = word_error(error)
        self.status.setText("")
        if self._cursor is not None:
            self.status.setText(message)
            self.results.has_more = True  # scrolling on tries again
            return
        self._message.say(message, hint, tr("Try again"))
        self._stack.setCurrentIndex(_MESSAGE)
        self._query = None

    def _select(self, number: int) -> None:
        index = self.results.index(number, 0)
        self.view.selectionModel().setCurrentIndex(index, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        self.view.scrollTo(index)

    @Slot()
    def _on_selected(self) -> None:
        model = self.results.record(self.view.currentIndex())
        if model is not None and model.repo != self.pane.repo:
            self.pane.show_model(model)

    @Slot()
    def _on_activated(self) -> None:
        if self.pane.convert.isVisible():
            self.pane.convert.click()
        elif self.pane.download.isEnabled():
            self.pane.download.click()


def _is_refused(model: ModelSummary, badge: Badge) -> bool:
    """Whether no way leads to the board: too large at every level, or for no NPU and without ready-made files."""
    return badge.verdict == "failed" and (badge.dtype is not None or not model.kinds)


def _repo(model: ModelSummary) -> str:
    return model.repo
