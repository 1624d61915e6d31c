"""The supervisor: one small process per job, `python -m core.jobs.supervisor JOBDIR`.

It holds the job's lock, waits for the lane, owns the worker's process group, reads the worker's events from a
private pipe and its output from another, watches for a request to cancel and for the end of the front end
(its standard input ends), and writes what happened. Nothing of the worker is left when it ends. One thread.
"""

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from core.base import atomic
from core.base.errors import RKDeckError
from core.base.locks import FileLock
from core.base.log import register_secret
from core.base.signals import usual_signals
from core.base.trouble import reason_of
from core.jobs import process
from core.jobs.inbox import Inbox
from core.jobs.lanes import Lane
from core.jobs.leaves import forget_leaves
from core.jobs.model import JobSpec, JobState
from core.jobs.output import BoundedLog, secrets_of
from core.jobs.store import EventWriter, JobFolder

# How soon a request to cancel is seen: it is a file, so that any process can make one, and no selector waits for files.
_TICK_S = 0.1
_LOCK_TIMEOUT_S = 10.0
_KILL_TIMEOUT_S = 10.0
_MAX_SECRET_BYTES = 64 << 10
# Of 64 KiB each: more than any pipe holds (at most 1 MiB without privileges; pipe(7)).
_LAST_READS = 17
_CANCELLED, _FRONT_END_GONE, _TERMINATED = "cancelled", "front_end_gone", "supervisor_terminated"
Taker = Callable[[bytes], None]
_ROOT = Path(__file__).parents[2]


class Supervisor:
    """Runs one job once."""

    def __init__(self, folder: JobFolder, spec: JobSpec, writer: EventWriter) -> None:
        self._folder = folder
        self._spec = spec
        self._writer = writer
        self._selector = selectors.DefaultSelector()
        self._stop: str | None = None

    def run(self) -> None:
        """Wait for the lane, run the worker, write the outcome."""
        # A job that runs again was queued by whoever asked for it, under the lock that is now ours.
        if self._writer.state is not JobState.QUEUED:
            self._writer.move(JobState.QUEUED, "submitted")
        secret = self._read_secret()
        os.set_blocking(0, False)
        self._selector.register(0, selectors.EVENT_READ, self._on_front_end)
        lane = Lane(
            self._folder.path.parents[1] / "lanes", self._spec.lane, self._spec.id, self._spec.created_unix_s
        )
        try:
            self._look_for_cancel()
            while self._stop is None and not lane.try_enter():
                self._wait()
            if self._stop is not None:
                self._writer.move(_END_STATES[self._stop], self._stop)
                return
            self._writer.move(JobState.RUNNING, "started")
            self._run_worker(secret)
        finally:
            lane.leave()

    def on_terminate(self, number: int, frame: object) -> None:
        """Stop the worker because the system asks this process to end."""
        self._stop = self._stop or _TERMINATED

    def _read_secret(self) -> bytes:
        line = b""
        # Byte by byte: from the next byte on the descriptor is the selector's, which waits there for the end.
        while not line.endswith(b"\n") and len(line) < _MAX_SECRET_BYTES:
            byte = os.read(0, 1)
            if not byte:
                # Nobody knows whether the worker needs a secret, so even one that survives is not started.
                self._look_for_cancel()
                self._stop = self._stop or _FRONT_END_GONE
                break
            line += byte
        return line

    def _run_worker(self, secret: bytes) -> None:
        secrets = secrets_of(secret)
        for text in secrets:
            register_secret(text.decode("utf-8", "replace"))
        log = BoundedLog(self._folder.log_file, secrets)
        inbox = Inbox(self._writer, log.write)
        events, theirs = os.pipe()
        try:
            worker = process.start_worker(
                self._argv(),
                job_folder=self._folder.path,
                events=theirs,
                cwd=_ROOT,
                extra={"PYTHONUNBUFFERED": "1"},
            )
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            log.close()
            os.close(events)
            reason = reason_of(error)
            self._fail(RKDeckError("jobs.worker_not_started", reason=reason))
            return
        finally:
            os.close(theirs)
        try:
            self._feed(worker, secret)
            code = self._watch(worker, events, log, inbox)
        finally:
            # A worker that ended well may have left children, in its group or out of it. What they printed is read
            # after they are gone, as nobody adds to it then.
            process.signal_group(worker.pid, signal.SIGKILL)
            clean = process.kill_descendants(_KILL_TIMEOUT_S)
            assert worker.stdout is not None
            self._drain(worker.stdout.fileno(), log.write)
            worker.stdout.close()
            os.close(events)
            log.close()
            atomic.sweep(self._folder.path)
        if not clean:
            self._writer.append("log", level="error", text="processes of this job could not be ended")
        self._conclude(code, log, inbox)

    def _argv(self) -> list[str]:
        command = self._spec.worker
        program = ["-m", command.module] if command.module else [str(command.script)]
        return [command.python or sys.executable, *program, str(self._folder.path)]

    @staticmethod
    def _feed(worker: subprocess.Popen[bytes], secret: bytes) -> None:
        assert worker.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            worker.stdin.write(secret)
            worker.stdin.close()

    def _watch(self, worker: subprocess.Popen[bytes], events: int, log: BoundedLog, inbox: Inbox) -> int:
        assert worker.stdout is not None
        output = worker.stdout.fileno()
        for descriptor, take in ((output, log.write), (events, inbox.take)):
            os.set_blocking(descriptor, False)
            self._selector.register(
                descriptor, selectors.EVENT_READ, _Reader(self._selector, descriptor, take)
            )
        ladder = _Ladder(worker, self._spec.grace_s)
        while (code := worker.poll()) is None:
            self._wait()
            if self._stop is not None and not ladder.started:
                self._writer.move(JobState.CANCELLING, self._stop)
            if self._stop is not None:
                ladder.climb()
        self._drain(events, inbox.take)
        inbox.close()
        for descriptor in (output, events):
            with contextlib.suppress(KeyError):
                self._selector.unregister(descriptor)
        return code

    def _wait(self) -> None:
        for key, _ in self._selector.select(_TICK_S):
            key.data()
        self._look_for_cancel()

    def _look_for_cancel(self) -> None:
        if self._stop is None and self._folder.is_to_cancel:
            self._stop = _CANCELLED

    def _on_front_end(self) -> None:
        with contextlib.suppress(BlockingIOError):
            if not os.read(0, 4096):
                self._selector.unregister(0)
                self._on_front_end_gone()

    def _on_front_end_gone(self) -> None:
        if not self._spec.survives_front_end and self._stop is None:
            # A front end that cancels and leaves at once means the first.
            self._stop = _CANCELLED if self._folder.is_to_cancel else _FRONT_END_GONE

    @staticmethod
    def _drain(descriptor: int, take: Taker) -> None:
        """Read what is there, without waiting for the end: a stranger may hold the other end open."""
        with contextlib.suppress(BlockingIOError, OSError):
            os.set_blocking(descriptor, False)
            for _ in range(_LAST_READS):
                data = os.read(descriptor, 1 << 16)
                if not data:
                    return
                take(data)

    def _conclude(self, code: int, log: BoundedLog, inbox: Inbox) -> None:
        # The result first: work that was done in the moment it was called off is done.
        if code == 0 and inbox.result is not None:
            self._writer.append("result", result=inbox.result)
            self._writer.move(JobState.SUCCEEDED, "done")
            forget_leaves(self._folder.path)
        elif self._stop is not None:
            self._writer.move(_END_STATES[self._stop], self._stop)
        elif inbox.error is not None:
            self._fail(inbox.error)
        elif code < 0:
            error = RKDeckError("jobs.worker_killed", signal=-code, last_lines=list(log.last_lines()))
            if self._spec.resumable and -code == signal.SIGKILL:
                # Out of memory, or a person's kill -9: what was done is on the disk, and a new run goes on.
                self._writer.append("error", error=error.to_json())
                self._writer.move(JobState.INTERRUPTED, "worker_killed")
            else:
                self._fail(error)
        elif code > 0:
            self._fail(RKDeckError("jobs.worker_exited", exit_code=code, last_lines=list(log.last_lines())))
        else:
            self._fail(RKDeckError("jobs.no_result", last_lines=list(log.last_lines())))

    def _fail(self, error: RKDeckError) -> None:
        self._writer.append("error", error=error.to_json())
        self._writer.move(JobState.FAILED, error.code)


_END_STATES = {
    _CANCELLED: JobState.CANCELLED,
    _FRONT_END_GONE: JobState.INTERRUPTED,
    _TERMINATED: JobState.INTERRUPTED,
}


class _Reader:
    """Takes what a non-blocking descriptor has, and stops listening at its end."""

    def __init__(self, selector: selectors.BaseSelector, descriptor: int, take: Taker) -> None:
        self._selector = selector
        self._descriptor = descriptor
        self._take = take

    def __call__(self) -> None:
        try:
            data = os.read(self._descriptor, 1 << 16)
        except BlockingIOError:
            return
        if data:
            self._take(data)
        else:
            self._selector.unregister(self._descriptor)


class _Ladder:
    """SIGTERM to the worker's group, a time of grace, SIGKILL to the group and everything below us."""

    def __init__(self, worker: subprocess.Popen[bytes], grace_s: float) -> None:
        self._worker = worker
        self._grace_s = grace_s
        self._started_s: float | None = None

    @property
    def started(self) -> bool:
        """Whether the worker was asked to stop."""
        return self._started_s is not None

    def climb(self) -> None:
        """Do what is due now."""
        if self._started_s is None:
            self._started_s = time.monotonic()
            process.signal_group(self._worker.pid, signal.SIGTERM)
        elif time.monotonic() - self._started_s > self._grace_s:
            process.signal_group(self._worker.pid, signal.SIGKILL)
            process.kill_all(process.descendants())


def main() -> int:
    """Supervise the job whose folder is the first argument."""
    usual_signals()
    folder = JobFolder(Path(sys.argv[1]))
    lock = FileLock(folder.lock_file)
    try:
        lock.acquire(timeout_s=_LOCK_TIMEOUT_S)
    except RKDeckError:
        return 1  # another supervisor has the job
    process.become_subreaper()
    supervisor = Supervisor(folder, folder.read_spec(), EventWriter(folder))
    signal.signal(signal.SIGTERM, supervisor.on_terminate)
    supervisor.run()
    lock.release()
    return 0


if __name__ == "__main__":
    sys.exit(main())
