"""The front ends' side of jobs: submit, follow, cancel, resume; also jobs of another process."""

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from core.base.errors import CancelledError, JsonValue, RKDeckError, UsageError, error_from_json
from core.base.locks import FileLock
from core.base.opening import regular_only, remove_any
from core.base.paths import AppPaths
from core.jobs import process
from core.jobs.model import JobEvent, JobRecord, JobSpec, JobState
from core.jobs.order import JobOrder, JobSecrets, lane_of
from core.jobs.store import EventWriter, JobFolder, JobStore, last_state, new_job_id

_START_TIMEOUT_S = 20.0
_WAIT_POLL_S = 0.05
_ROOT = Path(__file__).parents[2]
NO_SECRETS = JobSecrets()


class JobHandle:
    """One job, of this process or of another."""

    def __init__(self, store: JobStore, job_id: str) -> None:
        self._store = store
        self.id = job_id

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return self._store.folder(self.id).path

    def record(self) -> JobRecord:
        """Read the job as it is now."""
        return self._store.get(self.id)

    def follow(self, poll_s: float = 0.1) -> Iterator[JobEvent]:
        """All events from the first on, until the job has ended.

        A job whose supervisor died without a word is marked INTERRUPTED on the way.
        """
        folder, offset, state = self._store.folder(self.id), 0, None
        while True:
            # The lock before the events: what a supervisor wrote before it let go is then seen.
            alive = folder.is_alive
            events, offset = folder.events(offset)
            yield from events
            state = last_state(events) or state
            if not events:
                if not alive and state is not None and state.is_terminal:
                    return
                if not alive:
                    self._store.settle(self.id)
                time.sleep(poll_s)

    def wait(self, timeout_s: float | None = None) -> JobRecord:
        """Wait for the end.

        Raises:
            RKDeckError: `jobs.wait_timeout`.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        folder, offset, state = self._store.folder(self.id), 0, JobState.QUEUED
        while True:
            alive = folder.is_alive
            events, offset = folder.events(offset)
            state = last_state(events) or state
            if state.is_terminal and not alive:
                return self.record()
            if not alive and not events:
                self._store.settle(self.id)
            if deadline is not None and time.monotonic() > deadline:
                raise RKDeckError("jobs.wait_timeout", job=self.id, seconds=timeout_s, state=str(state))
            time.sleep(_WAIT_POLL_S)

    def result(self, timeout_s: float | None = None) -> dict[str, JsonValue]:
        """Wait for the end and return the worker's result.

        Raises:
            RKDeckError: the job's own error, `jobs.interrupted`, `jobs.wait_timeout`, or
                `jobs.result_unreadable` when the history is damaged.
            CancelledError: `jobs.cancelled`.
        """
        record = self.wait(timeout_s)
        if record.state is JobState.SUCCEEDED:
            if record.result is None:
                raise RKDeckError("jobs.result_unreadable", job=self.id)
            return record.result
        if record.state is JobState.CANCELLED:
            raise CancelledError("jobs.cancelled", job=self.id)
        if record.state is JobState.FAILED:
            raise error_from_json(record.error or {})
        raise RKDeckError("jobs.interrupted", job=self.id, reason=record.reason)

    def cancel(self) -> None:
        """Ask for cancellation; harmless when the job has ended."""
        if not self.record().state.is_terminal:
            self._store.folder(self.id).ask_to_cancel()


class _Supervisor(NamedTuple):
    """One that was started here, and whether its job goes on without us: the folder may be gone when that is asked."""

    process: "subprocess.Popen[bytes]"
    survives: bool


class JobManager:
    """Starts supervisors and keeps the pipes that tell them this front end lives."""

    def __init__(self, paths: AppPaths) -> None:
        self._paths = paths
        self.store = JobStore(paths.jobs)
        self._lock = threading.Lock()
        self._supervisors: dict[str, _Supervisor] = {}

    def submit(self, order: JobOrder, secrets: JobSecrets = NO_SECRETS) -> JobHandle:
        """Write the intent, then start the job's supervisor.

        Args:
            order: what is to be done; its kind says how.
            secrets: for the worker (`core.services.Services.submit` finds those the kind needs).

        Raises:
            RKDeckError: `jobs.bad_order` for an order its worker could not read; no job is made of it.
        """
        kind, params = order.kind, order.to_json()
        type(order).from_json(params)
        spec = JobSpec(
            id=new_job_id(kind.name),
            kind=kind.name,
            lane=lane_of(order),
            title=order.job_title,
            params=params,
            worker=kind.worker,
            survives_front_end=kind.survives_front_end,
            resumable=kind.resumable,
            created_unix_s=time.time(),
            board=order.job_board,
            grace_s=kind.grace_s,
        )
        self._start(self.store.create(spec), secrets)
        return self.attach(spec.id)

    def attach(self, job_id: str) -> JobHandle:
        """Take hold of any job of this home folder."""
        return JobHandle(self.store, self.store.folder(job_id).id)

    def find(self, text: str) -> JobRecord:
        """The one job whose id begins with `text`."""
        return self.store.find(text)

    def cancel(self, job_id: str) -> None:
        """Ask a job to stop, whoever started it."""
        self.attach(job_id).cancel()

    def cancel_started(self) -> None:
        """Ask the jobs that this front end started to stop, those that would go on without it excepted."""
        with self._lock:
            started = [job_id for job_id, supervisor in self._supervisors.items() if not supervisor.survives]
        for job_id in started:
            # Its folder may have been taken away meanwhile; then it ends of itself.
            with contextlib.suppress(UsageError):
                self.cancel(job_id)

    def resume(self, job_id: str, secrets: JobSecrets = NO_SECRETS) -> JobHandle:
        """Go on with an interrupted job; a kind that cannot be resumed starts from the beginning.

        Raises:
            UsageError: `jobs.not_resumable_now` unless it is INTERRUPTED.
        """
        return self._again(job_id, secrets, frozenset({JobState.INTERRUPTED}))

    def retry(self, job_id: str, secrets: JobSecrets = NO_SECRETS) -> JobHandle:
        """Run a failed, cancelled or interrupted job once more."""
        return self._again(
            job_id, secrets, frozenset({JobState.INTERRUPTED, JobState.FAILED, JobState.CANCELLED})
        )

    def close(self, timeout_s: float = 15.0) -> None:
        """Let go: jobs that end with the front end are interrupted and waited for; the others go on."""
        with self._lock:
            supervisors, self._supervisors = self._supervisors, {}
        for supervisor, survives in supervisors.values():
            _close_pipe(supervisor)
            if survives:
                process.disown(supervisor)
        deadline = time.monotonic() + timeout_s
        for supervisor, _ in supervisors.values():
            if supervisor.returncode is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    supervisor.wait(max(0.1, deadline - time.monotonic()))
                if supervisor.returncode is None:
                    process.disown(supervisor)

    def _again(self, job_id: str, secrets: JobSecrets, allowed: frozenset[JobState]) -> JobHandle:
        self.store.reconcile()
        folder = self.store.folder(job_id)
        # Before the lock as well: a job at work holds it for as long as it takes.
        _check_state(folder, last_state(folder.milestones()), allowed)
        with FileLock(folder.lock_file):
            writer = EventWriter(folder)
            _check_state(folder, writer.state, allowed)
            remove_any(folder.cancel_file)
            resumed = folder.read_spec().resumable
            writer.move(JobState.QUEUED, "resumed" if resumed else "restarted_from_beginning")
        self._start(folder, secrets)
        return self.attach(job_id)

    def _start(self, folder: JobFolder, secrets: JobSecrets) -> None:
        with FileLock(folder.starting_file):
            self._start_locked(folder, secrets)

    def _start_locked(self, folder: JobFolder, secrets: JobSecrets) -> None:
        self._wait_for_former(folder.id)
        survives = folder.read_spec().survives_front_end
        argv = [sys.executable, "-m", "core.jobs.supervisor", str(folder.path)]
        with open(folder.log_file, "ab", opener=regular_only) as log:
            supervisor = process.start_detached(argv, cwd=_ROOT, log=log)
        with self._lock:
            self._supervisors[folder.id] = _Supervisor(supervisor, survives)
        assert supervisor.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            supervisor.stdin.write(secrets.to_line().encode() + b"\n")
            supervisor.stdin.flush()
        # A front end may live for days after its last job; a supervisor must not stay a zombie for as long.
        threading.Thread(target=self._see_out, args=(folder.id, supervisor), daemon=True).start()
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not folder.is_alive and supervisor.poll() is None:
            if time.monotonic() > deadline:
                raise RKDeckError("jobs.supervisor_not_started", job=folder.id)
            time.sleep(0.005)

    def _wait_for_former(self, job_id: str) -> None:
        """A job that runs again has a supervisor that freed the lock and is on its way out."""
        with self._lock:
            former = self._supervisors.pop(job_id, None)
        if former is not None:
            _close_pipe(former.process)
            with contextlib.suppress(subprocess.TimeoutExpired):
                former.process.wait(_START_TIMEOUT_S)

    def _see_out(self, job_id: str, supervisor: subprocess.Popen[bytes]) -> None:
        supervisor.wait()
        _close_pipe(supervisor)
        with self._lock:
            known = self._supervisors.get(job_id)
            if known is not None and known.process is supervisor:
                del self._supervisors[job_id]


def _check_state(folder: JobFolder, state: JobState | None, allowed: frozenset[JobState]) -> None:
    if state not in allowed:
        raise UsageError("jobs.not_resumable_now", job=folder.id, state=str(state or JobState.QUEUED))


def _close_pipe(supervisor: subprocess.Popen[bytes]) -> None:
    assert supervisor.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        supervisor.stdin.close()
