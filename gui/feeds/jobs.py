"""All jobs of the home folder as a list, whichever process runs them."""

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal

from core.base.errors import RKDeckError
from core.base.observable import ObservableList
from core.jobs.model import JobRecord, JobsSeen
from core.services import Services
from core.usecases import jobs as use
from core.usecases.jobs import JobsWatch
from gui.bridge import Bridge


class JobsFeed(QObject):
    """Jobs, the newest first.

    Attributes:
        records: every job.

    Signals:
        changed: a JobRecord that is new or differs.
        ended: a JobRecord that came to its end while the window was open.
        counted: the number of running jobs may have changed.
        found_interrupted: a tuple of JobRecord, once: what an earlier RKDeck left unfinished.
    """

    changed = Signal(object)
    ended = Signal(object)
    counted = Signal()
    found_interrupted = Signal(object)

    def __init__(self, services: Services, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.records: ObservableList[JobRecord] = ObservableList()
        self._services = services
        self._bridge = bridge
        self._watcher: JobsWatch | None = None
        self._asked: dict[str, _Asking] = {}
        bridge.listen(services.events, JobsSeen, self._on_seen)

    def start(self) -> None:
        """Open the job service and watch it."""
        self._bridge.run(use.open_jobs, self._services, done=self._on_opened)

    def close(self) -> None:
        """Stop watching."""
        if self._watcher is not None:
            self._watcher.close()

    def get(self, job_id: str) -> JobRecord | None:
        """A job by its id."""
        return next((record for record in self.records if record.spec.id == job_id), None)

    def running(self) -> list[JobRecord]:
        """The jobs that have not ended."""
        return [record for record in self.records if not record.state.is_terminal]

    def look_now(self) -> None:
        """A job was just started: do not wait for the next look."""
        if self._watcher is not None:
            self._watcher.look_now()

    def cancel(self, job_id: str) -> None:
        """Ask a job to stop."""
        self._ask(use.cancel, job_id)

    def resume(self, job_id: str) -> None:
        """Go on with an interrupted job."""
        self._ask(use.resume, job_id)

    def retry(self, job_id: str) -> None:
        """Run a job once more."""
        self._ask(use.retry, job_id)

    def settle(self, job_id: str, error: RKDeckError | None) -> None:
        """A job has been asked for something."""
        self._asked.pop(job_id).deleteLater()
        self.look_now()
        if error is not None:
            self._bridge.failed.emit(error)

    def _ask(self, function: Callable[..., object], job_id: str) -> None:
        """Ask a job for something; a second click while the first is on its way asks for nothing."""
        if job_id not in self._asked:
            asking = self._asked[job_id] = _Asking(job_id, self)
            asking.start(function, self._services, self._bridge)

    def _on_opened(self, opened: tuple[JobsWatch, tuple[JobRecord, ...]]) -> None:
        self._watcher, interrupted = opened
        self._watcher.start()
        if interrupted:
            self.found_interrupted.emit(interrupted)

    def _on_seen(self, seen: JobsSeen) -> None:
        before = {record.spec.id: record for record in self.records}
        now = {**before, **{record.spec.id: record for record in seen.changed}}
        for job_id in seen.gone:
            now.pop(job_id, None)
        newest_first = sorted(now.values(), key=lambda record: record.spec.created_unix_s, reverse=True)
        self.records.replace_all(newest_first, key=_job_id)
        for record in seen.changed:
            self.changed.emit(record)
            known = before.get(record.spec.id)
            if record.state.is_terminal and not seen.first and (known is None or not known.state.is_terminal):
                self.ended.emit(record)
        self.counted.emit()


class _Asking(QObject):
    """Carries the answer back with the job's id: an error alone does not tell whose it is."""

    def __init__(self, job_id: str, feed: JobsFeed) -> None:
        super().__init__(feed)
        self._job_id = job_id
        self._feed = feed

    def start(self, function: Callable[..., object], services: Services, bridge: Bridge) -> None:
        bridge.run(function, services, self._job_id, done=self._on_done, failed=self._on_failed)

    def _on_done(self, _answer: object) -> None:
        self._feed.settle(self._job_id, None)

    def _on_failed(self, error: RKDeckError) -> None:
        self._feed.settle(self._job_id, error)


def _job_id(record: JobRecord) -> str:
    return record.spec.id
