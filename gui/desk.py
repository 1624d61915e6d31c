"""What every page gets: the services, the bridge, the feeds, and the ways to the rest of the window."""

from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from core.base.errors import CancelledError, RKDeckError
from core.base.tasks import TaskPool
from core.services import Services
from gui.bridge import Bridge
from gui.feeds.active import ActiveBoard
from gui.feeds.boards import BoardsFeed
from gui.feeds.jobs import JobsFeed
from gui.feeds.library import LibraryFeed
from gui.feeds.monitor import MonitorHub
from gui.feeds.settings import SettingsKeeper
from gui.text import word_error


@dataclass(frozen=True, slots=True)
class Destination:
    """Somewhere to go: a page, and what to show there (a record or an id the page knows)."""

    page: str
    payload: object = None


@dataclass(frozen=True, slots=True)
class Notice:
    """A short message that does not interrupt.

    Attributes:
        kind: "ok", "info", "warn" or "bad"; a bad one stays until it is closed.
        action: text of its button, with where that leads.
    """

    text: str
    hint: str = ""
    kind: str = "info"
    action: str = ""
    destination: Destination | None = None


class Desk(QObject):
    """Built once per window.

    Signals:
        went: a Destination a page asked to go to.
        noticed: a Notice to show.
        drawer_filled: a QWidget for the drawer on the right (its `windowTitle` is the drawer's title), or None
            to close it.
    """

    went = Signal(object)
    noticed = Signal(object)
    drawer_filled = Signal(object)

    def __init__(self, services: Services, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.services = services
        self.pool = TaskPool()
        self.bridge = Bridge(self.pool, self)
        self.settings = SettingsKeeper(services, self.bridge, self)
        self.jobs = JobsFeed(services, self.bridge, self)
        self.library = LibraryFeed(services, self.bridge, self.jobs, self)
        self.monitor = MonitorHub(services, self.bridge, self)
        self.boards = BoardsFeed(services, self.bridge, self.jobs, self.monitor, self)
        self.active = ActiveBoard(self.settings, self.boards, self)
        self.bridge.failed.connect(self.report)

    def start(self) -> None:
        """Begin to read: jobs, library and boards; results arrive by and by."""
        self.jobs.start()
        self.library.refresh()
        self.boards.reload()

    def close(self) -> None:
        """Stop the threads and the monitor; the services are closed by who built them."""
        self.bridge.close()
        self.jobs.close()
        self.monitor.close()
        self.pool.close()

    def go(self, page: str, payload: object = None) -> None:
        """Show a page."""
        self.went.emit(Destination(page, payload))

    def notice(self, text: str, **details: object) -> None:
        """Show a short message; `details` as the members of Notice."""
        self.noticed.emit(Notice(text, **details))  # type: ignore[arg-type]  # members of Notice

    def report(self, error: RKDeckError) -> None:
        """Show an error in the user's words."""
        if not isinstance(error, CancelledError):
            message, hint = word_error(error)
            self.noticed.emit(Notice(message, hint, kind="bad"))

    def fill_drawer(self, panel: QWidget | None) -> None:
        """Show a panel in the drawer, which takes it over; None closes the drawer."""
        self.drawer_filled.emit(panel)
