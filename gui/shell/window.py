"""The main window: rail, title area, pages, drawer, status bar."""

import base64

from PySide6.QtCore import QByteArray, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QCloseEvent, QGuiApplication, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QHBoxLayout,
    QMainWindow,
    QMessageBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from core.base.errors import JsonValue, RKDeckError
from core.jobs.model import JobRecord
from core.usecases import preferences
from gui.desk import Desk, Destination, Notice
from gui.pages.page import Page
from gui.phrases import job_title, kind_text
from gui.shell.closing import ask_before_closing
from gui.shell.drawer import Drawer
from gui.shell.notices import Notices
from gui.shell.pages import Pages
from gui.shell.picker import BoardPicker
from gui.shell.rail import PageEntry, Rail
from gui.shell.status import StatusBar
from gui.text import tr, trn
from gui.theme import ThemeSwitch
from gui.widgets.basic import label, retint_button, row
from gui.widgets.plain import set_title

PAGES = (
    PageEntry("discover", "Discover", "gui.pages.discover.page", "DiscoverPage"),
    PageEntry("library", "Library", "gui.pages.library.page", "LibraryPage"),
    PageEntry("convert", "Convert", "gui.pages.convert.page", "ConvertPage"),
    PageEntry("lab", "Lab", "gui.pages.lab.page", "LabPage"),
    PageEntry("boards", "Boards", "gui.pages.boards.page", "BoardsPage"),
    PageEntry("monitor", "Monitor", "gui.pages.monitor.page", "MonitorPage"),
    PageEntry("jobs", "Jobs", "gui.pages.jobs.page", "JobsPage"),
    PageEntry("settings", "Settings", "gui.pages.settings.page", "SettingsPage"),
)
_RAIL_PX = 158
_FOOT_PX = 34
_SIZE = (1280, 800)
_STATE_DELAY_MS = 1000
_WARM_DELAY_MS = 200


class MainWindow(QMainWindow):
    """Shows one page at a time; pages are built when they are first asked for.

    Attributes:
        stop_everything: whether the user wants all jobs stopped when the window has closed.

    Signals:
        painted: the window was painted for the first time.
        closing_agreed: the user closed the window and agreed to what that means.
    """

    painted = Signal()
    closing_agreed = Signal()

    def __init__(self, desk: Desk, themes: ThemeSwitch, first_page: str = "discover") -> None:
        super().__init__()
        self.desk = desk
        self._themes = themes
        self._titles = {entry.name: entry.title for entry in PAGES}
        self._awaited: Destination | None = None
        self._current: Page | None = None
        self._drawer_page = ""
        self._was_painted = False
        self._may_close = False
        self.stop_everything = False
        self._question: QMessageBox | None = None
        set_title(self, "RKDeck")
        self.resize(*_SIZE)
        self.setMinimumSize(960, 600)
        self._build()
        self.setStyleSheet(themes.sheet)
        self._state_timer = QTimer(self)
        self._state_timer.setSingleShot(True)
        self._state_timer.setInterval(_STATE_DELAY_MS)
        self._state_timer.timeout.connect(self._keep_state)
        self._warm_timer = QTimer(self)
        self._warm_timer.setSingleShot(True)
        self._warm_timer.setInterval(_WARM_DELAY_MS)
        self._warm_timer.timeout.connect(self._on_warm)
        desk.went.connect(self._on_went)
        desk.noticed.connect(self._on_noticed)
        desk.drawer_filled.connect(self._on_drawer_filled)
        desk.jobs.found_interrupted.connect(self._on_found_interrupted)
        themes.changed.connect(self._on_theme_changed)
        self.show_page(first_page)

    def _build(self) -> None:
        self.rail = Rail(PAGES)
        self.rail.setFixedWidth(_RAIL_PX)
        self.rail.chosen.connect(self._on_chosen)
        self._title = label()
        self._title.setObjectName("pageTitle")
        self.picker = BoardPicker(self.desk)
        self._stack = QStackedWidget()
        self._pages = Pages(self.desk, self._stack, PAGES)
        self._pages.built.connect(self._on_built)
        self._pages.failed.connect(self._on_not_built)
        self.drawer = Drawer()
        self.status = StatusBar(self.desk)
        self.status.setFixedHeight(_FOOT_PX)
        middle = QVBoxLayout()
        middle.setContentsMargins(18, 12, 18, 12)
        middle.setSpacing(10)
        middle.addLayout(row(self._title, None, self.picker))
        middle.addWidget(self._stack, 1)
        upper = QHBoxLayout()
        upper.setContentsMargins(0, 0, 0, 0)
        upper.setSpacing(0)
        upper.addWidget(self.rail)
        upper.addLayout(middle, 1)
        upper.addWidget(self.drawer)
        centre = QWidget()
        centre.setObjectName("page")
        whole = QVBoxLayout(centre)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addLayout(upper, 1)
        whole.addWidget(self.status)
        self.setCentralWidget(centre)
        self._notices = Notices(centre, _FOOT_PX)
        self.drawer.shown.connect(self._on_drawer_shown)
        self._notices.followed.connect(self._on_went)

    @property
    def notices(self) -> Notices:
        """The messages in the corner."""
        return self._notices

    @property
    def current(self) -> Page:
        """The page that is shown."""
        assert self._current is not None
        return self._current

    def page(self, name: str) -> Page:
        """A page, built now if it was not visited yet."""
        return self._pages.get(name)

    def visit(self, destination: Destination) -> None:
        """Show a page as soon as it is built, unless another one is asked for meanwhile."""
        self.rail.check(destination.page)
        if self._pages.has(destination.page):
            self.show_page(destination.page, destination.payload)
            return
        self._awaited = destination
        self._pages.begin(destination.page)

    def show_page(self, name: str, payload: object = None) -> None:
        """Show a page now, and what it is asked to show."""
        self._awaited = None
        shown = self.page(name)
        if self._current is not None and self._current is not shown:
            self._current.leave()
        moved = self._current is not shown
        if moved:
            # The drawer belongs to the page that filled it: it waits there, and other pages have their whole width.
            self.drawer.setVisible(self._drawer_page == name and self.drawer.panel is not None)
        self._current = shown
        self._stack.setCurrentWidget(shown)
        self._title.setText(tr(self._titles[name]))
        self.rail.check(name)
        shown.enter(payload)
        if moved:
            shown.focus_first()

    def restore(self, state: dict[str, JsonValue]) -> None:
        """Put the window where it stood."""
        geometry = state.get("geometry")
        if isinstance(geometry, str):
            self.restoreGeometry(QByteArray.fromBase64(geometry.encode("ascii", "ignore")))
            self._stay_on_a_screen()
        page = state.get("page")
        if isinstance(page, str) and page in self._titles and page != "settings":
            self.show_page(page)

    def _stay_on_a_screen(self) -> None:
        """Where a state left it beside all screens, as Qt takes some, nobody would find the window."""
        screens = [screen.availableGeometry() for screen in QGuiApplication.screens()]
        if screens and not any(screen.intersects(self.frameGeometry()) for screen in screens):
            self.move(screens[0].topLeft())

    def bring_to_front(self) -> None:
        """Show the window above the others."""
        self.setWindowState(self.windowState() & ~Qt.WindowState.WindowMinimized)
        self.show()
        self.raise_()
        self.activateWindow()

    def closeEvent(self, event: QCloseEvent) -> None:  # Qt's name
        """Ask first when work would be stopped or goes on unseen."""
        running = self.desk.jobs.running()
        if self._may_close or not running:
            self._state_timer.stop()
            self.closing_agreed.emit()
            event.accept()
            return
        event.ignore()
        if self._question is None:
            self._question = ask_before_closing(self, running)
            self._question.finished.connect(self._on_close_answered)
            self._question.open()

    def paintEvent(self, event: QPaintEvent) -> None:  # Qt's name
        """Tell of the first time."""
        super().paintEvent(event)
        if not self._was_painted:
            self._was_painted = True
            self.painted.emit()
            self._warm_timer.start()

    @Slot(int)
    def _on_close_answered(self, _result: int) -> None:
        question, self._question = self._question, None
        assert question is not None
        pressed = question.clickedButton()
        answer = pressed.objectName() if pressed else "stay"
        question.deleteLater()
        if answer == "stay":
            return
        if answer == "stop":
            self.stop_everything = True
        self._may_close = True
        self.close()

    @Slot()
    def _on_warm(self) -> None:
        self._pages.load()

    @Slot(str)
    def _on_built(self, name: str) -> None:
        if self._awaited is not None and self._awaited.page == name:
            self.show_page(name, self._awaited.payload)

    @Slot(object)
    def _on_not_built(self, error: RKDeckError) -> None:
        self._awaited = None
        self.rail.check(self._page_name())
        self.desk.report(error)

    @Slot(object)
    def _on_chosen(self, name: str) -> None:
        self.visit(Destination(name))
        self._state_timer.start()

    @Slot(object)
    def _on_went(self, destination: Destination) -> None:
        self.visit(destination)

    @Slot(object)
    def _on_noticed(self, notice: Notice) -> None:
        self._notices.show(notice)

    @Slot(object)
    def _on_drawer_filled(self, panel: QWidget | None) -> None:
        self._drawer_page = self._page_name()
        self.drawer.fill(panel)

    @Slot(bool)
    def _on_drawer_shown(self, shown: bool) -> None:  # Qt's signal
        self._notices.leave_right(self.drawer.width() if shown else 0)

    def _page_name(self) -> str:
        return self._pages.name_of(self._current) or "discover"

    @Slot(object)
    def _on_found_interrupted(self, records: tuple[JobRecord, ...]) -> None:
        first = f"{kind_text(records[0].spec.kind)}: {job_title(records[0])}"
        text = trn(
            "{n} job was interrupted: {first}",
            "{n} jobs were interrupted, among them {first}",
            len(records),
            first=first,
        )
        hint = tr("Nothing is lost. Go on with it on the Jobs page.")
        self._notices.show(
            Notice(text, hint, "warn", tr("Show jobs"), Destination("jobs", records[0].spec.id))
        )

    @Slot()
    def _on_theme_changed(self) -> None:
        self.setStyleSheet(self._themes.sheet)
        self.rail.retint()
        self.picker.retint()
        self.drawer.retint()
        for part in self.findChildren(QAbstractButton):
            retint_button(part)
        for page in self._pages.all():
            page.retint()

    def state(self) -> dict[str, JsonValue]:
        """Where the window stands and which page is shown, for the next start."""
        geometry = base64.b64encode(self.saveGeometry().data()).decode("ascii")
        return {"geometry": geometry, "page": self._page_name()}

    @Slot()
    def _keep_state(self) -> None:
        self.desk.bridge.run(preferences.keep_window_state, self.desk.services, self.state())
