"""Watching the jobs of a home folder, whichever process runs them, and telling what changed."""

import contextlib
import logging
import threading

from core.base.errors import RKDeckError
from core.base.events import EventHub
from core.jobs.model import JobRecord, JobsSeen
from core.jobs.store import JobStore

_log = logging.getLogger(__name__)
_BUSY_S = 0.2
_QUIET_S = 1.0


class JobWatcher:
    """Looks at the job folders on a thread of its own and publishes `JobsSeen` when something differs.

    Reading a job's history costs about a millisecond; only jobs whose files changed are read again.
    """

    def __init__(self, store: JobStore, events: EventHub) -> None:
        self._store = store
        self._events = events
        self._known: dict[str, tuple[tuple[int, ...], JobRecord]] = {}
        self._stop = threading.Event()
        self._look = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look; the first look publishes every job there is."""
        self._thread = threading.Thread(target=self._run, name="job-watcher", daemon=True)
        self._thread.start()

    def look_now(self) -> None:
        """Do not wait for the next look: a job was just started."""
        self._look.set()

    def close(self) -> None:
        """Stop looking."""
        self._stop.set()
        self._look.set()
        if self._thread is not None:
            self._thread.join(5.0)

    def _run(self) -> None:
        first = True
        while not self._stop.is_set():
            self._look.clear()
            try:
                seen = self._difference(first=first)
            except OSError:
                _log.exception("cannot look at the jobs")
            else:
                if seen.changed or seen.gone or first:
                    self._events.publish(seen)
                first = False
            busy = any(not record.state.is_terminal for _, record in self._known.values())
            self._look.wait(_BUSY_S if busy else _QUIET_S)

    def _difference(self, *, first: bool) -> JobsSeen:
        marks = self._store.marks()
        gone = tuple(job_id for job_id in self._known if job_id not in marks)
        for job_id in gone:
            del self._known[job_id]
        changed: list[JobRecord] = []
        for job_id, mark in marks.items():
            known = self._known.get(job_id)
            if known is not None and known[0] == mark and known[1].state.is_terminal:
                continue
            # A job at work may die without a word: whether its lock is held is asked each time.
            with contextlib.suppress(RKDeckError, OSError):
                if known is not None and not known[1].state.is_terminal and not known[1].alive:
                    self._store.settle(job_id)
                record = (
                    self._store.get(job_id)
                    if known is None or known[0] != mark
                    else _alive(known[1], self._store)
                )
                if known is None or record != known[1]:
                    changed.append(record)
                self._known[job_id] = (mark, record)
        changed.sort(key=lambda record: record.spec.created_unix_s, reverse=True)
        return JobsSeen(tuple(changed), gone, first)


def _alive(record: JobRecord, store: JobStore) -> JobRecord:
    """The record with a fresh look at its lock."""
    alive = store.folder(record.spec.id).is_alive
    return record if alive == record.alive else store.get(record.spec.id)
