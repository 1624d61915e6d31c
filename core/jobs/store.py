"""Job folders on disk: read by anyone, written only by the holder of a job's lock.

```
HOME/jobs/deploy-261128-183000-0a1b2c/
  spec.json     the intent: written before anything is done, never changed. Its "params" are the kind's order
                (`core.jobs.order`): {..., "kind": "deploy", "params": {"board": "desk", "keep": 3, ...}, ...}
  events.jsonl  the history, only ever added to, lines like
                {"schema": 1, "t_unix_s": 1795890600.31, "event": "state", "state": "running", "reason": "started"}
  log.txt, lock, starting, cancel, and what a stage keeps between its runs
```

docs/job-folder.md draws it whole.
"""

import contextlib
import io
import json
import math
import secrets
import shutil
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from core.base import atomic
from core.base.errors import JsonValue, RKDeckError, UsageError
from core.base.foreign import lines, members, unix_s
from core.base.locks import FileLock, lock_is_held
from core.base.opening import NotRegularError, is_there, open_regular, regular_only, touch_regular
from core.base.trouble import reason_of
from core.jobs import process
from core.jobs.leaves import LEAVES_NAME
from core.jobs.model import (
    JobEvent,
    JobRecord,
    JobSpec,
    JobState,
    Progress,
    check_transition,
    spec_from_json,
)

# A worker's line may have 8 MiB; written as ASCII it grows to three times that at most.
_MAX_LINE_BYTES = 32 << 20
_TAIL_BYTES = 4 << 10
# The supervisor lets a worker write tens of MiB (`core.jobs.inbox`); a job that runs again adds to what is there.
_MAX_HISTORY_BYTES = 128 << 20
_MAX_EVENTS = 200_000  # the newest are kept
_SHORTEST_EVENT = len(b'{"event":"log"}')
# How the writer writes a progress line; hours of work leave tens of thousands of them.
_PROGRESS = b'"event": "progress"'
# Between the intent and the lock of who starts it lie two system calls; the rest is for a slow disk.
_STARTING_S = 10.0
_KILL_TIMEOUT_S = 5.0


class JobFolder:
    """The files of one job."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.id = path.name

    @property
    def spec_file(self) -> Path:
        """The intent."""
        return self.path / "spec.json"

    @property
    def events_file(self) -> Path:
        """The history, one JSON object a line."""
        return self.path / "events.jsonl"

    @property
    def lock_file(self) -> Path:
        """Held by the supervisor: the job is alive while it is."""
        return self.path / "lock"

    @property
    def log_file(self) -> Path:
        """What the worker printed."""
        return self.path / "log.txt"

    @property
    def cancel_file(self) -> Path:
        """Its presence asks for cancellation."""
        return self.path / "cancel"

    def ask_to_cancel(self) -> None:
        """Ask whoever runs the job to stop it; harmless when somebody has.

        Raises:
            OSError: when the file cannot be made.
        """
        with contextlib.suppress(NotRegularError):  # whatever has the name asks
            touch_regular(self.cancel_file)

    @property
    def is_to_cancel(self) -> bool:
        """Whether somebody asks for cancellation."""
        return is_there(self.cancel_file)

    @property
    def starting_file(self) -> Path:
        """Held (`flock`) by a front end from the intent until the supervisor has the lock."""
        return self.path / "starting"

    @property
    def leaves_file(self) -> Path:
        """What the worker may have left outside this folder; there while that is so (`core.jobs.leaves`)."""
        return self.path / LEAVES_NAME

    def read_spec(self) -> JobSpec:
        """Read the intent."""
        return spec_from_json(atomic.read_json(self.spec_file))

    @property
    def is_alive(self) -> bool:
        """Whether a supervisor holds the lock."""
        return lock_is_held(self.lock_file)

    def events(self, offset: int = 0) -> tuple[list[JobEvent], int]:
        """Whole lines from byte `offset` on, and the offset behind the last of them.

        A torn last line (a killed writer, a full disk) stays unread; a damaged one in the middle is left out.
        """
        try:
            with open_regular(self.events_file) as file:
                file.seek(offset)
                data = file.read(_MAX_HISTORY_BYTES)
        except FileNotFoundError:
            return [], offset
        end = data.rfind(b"\n") + 1
        events = (
            _event(line) for line in io.BytesIO(data[:end])
        )  # one by one: millions of lines may be blank
        return list(deque((event for event in events if event is not None), _MAX_EVENTS)), offset + end

    @property
    def has_ended(self) -> bool:
        """Whether the history closes with a final state, told from its last bytes alone."""
        try:
            with open_regular(self.events_file) as file:
                file.seek(max(0, file.seek(0, 2) - _TAIL_BYTES))
                data = file.read(_TAIL_BYTES)
        except FileNotFoundError:
            return False
        # As every reader does: a last line that is torn, even of its end alone, does not count.
        whole = lines(data[: data.rfind(b"\n") + 1])
        last = _event(whole[-1]) if whole else None
        state = last_state([last]) if last is not None else None
        return state is not None and state.is_terminal

    def milestones(self) -> list[JobEvent]:
        """All events but the progress lines that a later one has overtaken; cheap for long histories."""
        kept: deque[bytes] = deque(maxlen=_MAX_EVENTS)
        try:
            with open_regular(self.events_file, max_bytes=_MAX_HISTORY_BYTES) as file:
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    if kept and _PROGRESS in line and _PROGRESS in kept[-1]:
                        kept[-1] = line
                    elif len(line) >= _SHORTEST_EVENT:
                        kept.append(line)
        except FileNotFoundError:
            return []
        return [event for line in kept if (event := _event(line)) is not None]


def _event(line: bytes) -> JobEvent | None:
    if not line.strip() or len(line) > _MAX_LINE_BYTES:
        return None
    value = members(line)
    t_unix_s, event = unix_s(value.pop("t_unix_s", None)), value.pop("event", None)
    return None if t_unix_s is None or not isinstance(event, str) else JobEvent(t_unix_s, event, value)


class EventWriter:
    """Appends to a job's history; only for the holder of its lock. `move` is the one way to a new state."""

    def __init__(self, folder: JobFolder) -> None:
        self._folder = folder
        self.state = last_state(folder.milestones())
        self._mend_torn_line()

    def append(self, event: str, /, **data: JsonValue) -> None:
        """Add one event, flushed to the kernel (a killed process loses nothing).

        Raises:
            OSError: when not all of it could be written.
        """
        t_unix_s = data.pop("t_unix_s", None) or time.time()
        line = json.dumps({"schema": 1, "t_unix_s": t_unix_s, "event": event, **data}, ensure_ascii=True)
        with open(self._folder.events_file, "ab", buffering=0, opener=regular_only) as file:
            # A disk that fills up takes a part without a word; the next write then says why.
            rest = memoryview(line.encode() + b"\n")
            while rest:
                rest = rest[file.write(rest) :]

    def move(self, state: JobState, reason: str) -> None:
        """Bring the job into another state.

        Raises:
            RKDeckError: `jobs.wrong_move`.
        """
        check_transition(self.state, state)
        self.append("state", state=str(state), reason=reason)
        self.state = state

    def _mend_torn_line(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            with open_regular(self._folder.events_file) as file:
                size = file.seek(0, 2)
                file.seek(max(0, size - 1))
                torn = file.read(1) not in {b"", b"\n"}
            if torn:
                with open(self._folder.events_file, "ab", opener=regular_only) as history:
                    history.write(b"\n")


def last_state(events: list[JobEvent]) -> JobState | None:
    """The state the events end in, None when they name none."""
    for event in reversed(events):
        if event.event == "state":
            with contextlib.suppress(ValueError):
                return JobState(str(event.data.get("state")))
    return None


class JobStore:
    """All jobs of a home folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def create(self, spec: JobSpec) -> JobFolder:
        """Write the intent of a new job; its folder appears whole or not at all."""
        hidden = self._folder / f".{spec.id}"
        hidden.mkdir(mode=0o700)
        try:
            # Locked, so that a start elsewhere does not take it for what a killed one left.
            with FileLock(JobFolder(hidden).lock_file):
                atomic.write_json(hidden / "spec.json", spec.to_json())
                hidden.replace(self._folder / spec.id)
                atomic.fsync_folder(self._folder)
        except BaseException:
            shutil.rmtree(hidden, ignore_errors=True)  # what went wrong is told, not that this did too
            raise
        return JobFolder(self._folder / spec.id)

    def folder(self, job_id: str) -> JobFolder:
        """The folder of a job.

        Raises:
            UsageError: `jobs.unknown`.
        """
        path = self._folder / job_id
        if "/" in job_id or job_id.startswith(".") or not (path / "spec.json").is_file():
            raise UsageError("jobs.unknown", job=job_id)
        return JobFolder(path)

    def find(self, text: str) -> JobRecord:
        """The one job whose id begins with `text`.

        Raises:
            UsageError: `jobs.unknown`, `jobs.ambiguous`.
        """
        names = [folder.id for folder in self._folders() if folder.id.startswith(text)]
        if not text or not names:
            raise UsageError("jobs.unknown", job=text)
        if len(names) > 1 and text not in names:
            raise UsageError("jobs.ambiguous", job=text, jobs=list(names))
        return self.get(text if text in names else names[0])

    def get(self, job_id: str) -> JobRecord:
        """Read one job."""
        return _record(self.folder(job_id))

    def list(self) -> list[JobRecord]:
        """All readable jobs, the newest first; `survey` tells of the others."""
        return [*self.survey()[0]]

    def survey(self) -> tuple[tuple[JobRecord, ...], dict[str, RKDeckError]]:
        """All readable jobs, the newest first, and why the others cannot be read, by their ids."""
        records, unreadable = [], {}
        for folder in self._folders():
            try:
                records.append(_record(folder))
            except RKDeckError as error:
                unreadable[folder.id] = error
            except FileNotFoundError:
                continue  # it was removed meanwhile
            except OSError as error:
                unreadable[folder.id] = RKDeckError("jobs.unreadable", reason=reason_of(error))
        records.sort(key=lambda record: record.spec.created_unix_s, reverse=True)
        return tuple(records), unreadable

    def marks(self) -> dict[str, tuple[int, ...]]:
        """Every job's id with a mark that changes when its history does; reads no file."""
        found: dict[str, tuple[int, ...]] = {}
        for folder in self._folders():
            try:
                status = folder.events_file.stat()
                found[folder.id] = (status.st_mtime_ns, status.st_size)
            except FileNotFoundError:
                found[folder.id] = ()
        return found

    def log_path(self, job_id: str) -> Path:
        """Where a job's log is."""
        return self.folder(job_id).log_file

    def reconcile(self) -> tuple[JobRecord, ...]:
        """Mark as INTERRUPTED what should run and does not, and end what it left behind.

        Returns:
            The jobs that were marked now.
        """
        marked: list[JobRecord] = []
        for folder in self._folders():
            with contextlib.suppress(RKDeckError, OSError):
                if _interrupt_if_dead(folder):
                    marked.append(_record(folder))
        self._sweep_unborn()
        return tuple(marked)

    def unsettled(self) -> tuple[JobFolder, ...]:
        """The jobs whose workers may have left something outside their folders, dead or at work."""
        return tuple(folder for folder in self._folders() if folder.leaves_file.exists())

    def _sweep_unborn(self) -> None:
        """Remove the folders of jobs that were being made when their front end was killed."""
        for path in self._folder.glob(".*"):
            folder = JobFolder(path)
            with contextlib.suppress(OSError):
                young = abs(time.time() - path.stat().st_mtime) < _STARTING_S
                if young and not folder.lock_file.exists():
                    continue
                lock = FileLock(folder.lock_file)
                if path.is_dir() and lock.try_acquire():
                    try:
                        shutil.rmtree(path)
                    finally:
                        lock.release()

    def settle(self, job_id: str) -> None:
        """Do for one job what `reconcile` does for all."""
        _interrupt_if_dead(self.folder(job_id))

    def _folders(self) -> Iterator[JobFolder]:
        for path in sorted(self._folder.iterdir()):
            if not path.name.startswith(".") and (path / "spec.json").is_file():
                yield JobFolder(path)


def _interrupt_if_dead(folder: JobFolder) -> bool:
    if folder.has_ended:
        return False
    state = last_state(folder.milestones())
    if state is not None and state.is_terminal:
        return False
    touched_s = max(folder.spec_file.stat().st_mtime, _mtime(folder.events_file))
    # Both ways: a clock that was set back must not keep a dead job waiting. One that is set while a supervisor
    # starts must not end its job either, so who starts it holds a lock meanwhile.
    young = abs(time.time() - touched_s) < _STARTING_S
    if state in {None, JobState.QUEUED} and (young or lock_is_held(folder.starting_file)):
        return False
    lock = FileLock(folder.lock_file)
    if not lock.try_acquire():
        return False
    try:
        # Read again under the lock: a supervisor may have written the end between our look and its release.
        writer = EventWriter(folder)
        if writer.state is not None and writer.state.is_terminal:
            return False
        _end_leftovers(folder)
        atomic.sweep(folder.path)
        if writer.state is None:
            writer.move(JobState.QUEUED, "found")
        writer.move(JobState.INTERRUPTED, "supervisor_gone")
    finally:
        lock.release()
    return True


def _mtime(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _end_leftovers(folder: JobFolder) -> None:
    deadline = time.monotonic() + _KILL_TIMEOUT_S
    while left := process.marked(folder.path):
        process.kill_all(left)
        if time.monotonic() > deadline:
            raise RKDeckError("jobs.leftovers", job=folder.id, pids=[item.pid for item in left])
        time.sleep(0.05)


def _record(folder: JobFolder) -> JobRecord:
    spec = folder.read_spec()
    # The lock first: a job that ends between the two looks is then shown as ended, not as dead.
    alive = folder.is_alive
    state, reason, progress, result, error = JobState.QUEUED, None, None, None, None
    for event in folder.milestones():
        if event.event == "state":
            with contextlib.suppress(ValueError):
                state = JobState(str(event.data.get("state")))
                reason = str(event.data.get("reason"))
            if state is JobState.QUEUED:
                progress = result = error = None
        elif event.event == "progress":
            progress = _progress(event.data) or progress
        elif event.event == "result":
            result = _dictionary(event.data.get("result"))
        elif event.event == "error":
            error = _dictionary(event.data.get("error"))
    return JobRecord(spec, state, alive, reason, progress, result, error)


def _progress(data: dict[str, JsonValue]) -> Progress | None:
    done, total, rate, eta = (data.get(key) for key in ("done", "total", "rate_per_s", "eta_s"))
    stalled_s = data.get("stalled_s")
    if not isinstance(done, int | float):
        return None
    return Progress(
        str(data.get("phase", "")),
        done,
        total if isinstance(total, int | float) else None,
        str(data.get("unit", "")),
        rate if isinstance(rate, int | float) else None,
        eta if isinstance(eta, int | float) else None,
        data.get("stalled") is True,
        stalled_s if isinstance(stalled_s, int | float) and math.isfinite(stalled_s) else None,
        _dictionary(data.get("facts")) or {},
    )


def _dictionary(value: JsonValue) -> dict[str, JsonValue] | None:
    return value if isinstance(value, dict) else None


def new_job_id(kind: str) -> str:
    """A fresh id: kind, second and four random characters, so that lists read well."""
    stamp = time.strftime("%y%m%d-%H%M%S")
    return f"{kind}-{stamp}-{secrets.token_hex(3)}"
