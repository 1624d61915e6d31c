"""The models on this computer as a list."""

from PySide6.QtCore import QObject, Signal, Slot

from core.base.observable import ObservableList
from core.jobs.model import JobRecord, JobState
from core.jobs.order import Makes
from core.library.records import LibraryItem
from core.plans.kinds import makes
from core.services import Services
from core.usecases import library as use
from gui.bridge import Bridge, Task
from gui.feeds.jobs import JobsFeed


class LibraryFeed(QObject):
    """Library items, the newest first; looked at again when a job has made one.

    Signals:
        loaded: the list was read (it may be empty: now that is known).
    """

    loaded = Signal()

    def __init__(
        self, services: Services, bridge: Bridge, jobs: JobsFeed, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.items: ObservableList[LibraryItem] = ObservableList()
        self.is_loaded = False
        self._services = services
        self._bridge = bridge
        self._listing: Task | None = None
        jobs.ended.connect(self._on_job_ended)

    def get(self, item_id: str) -> LibraryItem | None:
        """An item by its id."""
        return next((item for item in self.items if item.id == item_id), None)

    @Slot()
    def refresh(self) -> None:
        """Read the list again; of two readings under way the later one counts."""
        self._listing = self._bridge.run(
            use.list_items, self._services, done=self._on_listed, instead_of=self._listing
        )

    def _on_listed(self, items: tuple[LibraryItem, ...]) -> None:
        self.items.replace_all(items, key=_item_id)
        self.is_loaded = True
        self.loaded.emit()

    @Slot(object)
    def _on_job_ended(self, record: JobRecord) -> None:
        if makes(record.spec, Makes.LIBRARY_ITEM) and record.state is JobState.SUCCEEDED:
            self.refresh()


def _item_id(item: LibraryItem) -> str:
    return item.id
