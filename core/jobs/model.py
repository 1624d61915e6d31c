"""What a job is: its intent, its states, its events."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from core.base.errors import JsonValue, RKDeckError
from core.jobs.members import Members

SCHEMA = 1
DEFAULT_GRACE_S = 3.0


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing more happens by itself."""
        return self in _TERMINAL


_TERMINAL = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.INTERRUPTED})
_ENDS = frozenset({JobState.FAILED, JobState.CANCELLED, JobState.INTERRUPTED})
TRANSITIONS: Mapping[JobState | None, frozenset[JobState]] = {
    None: frozenset({JobState.QUEUED}),
    JobState.QUEUED: frozenset({JobState.RUNNING}) | _ENDS,
    JobState.RUNNING: frozenset({JobState.CANCELLING, JobState.SUCCEEDED}) | _ENDS,
    # A worker may still finish in the instant it is asked to stop.
    JobState.CANCELLING: frozenset({JobState.SUCCEEDED}) | _ENDS,
    JobState.SUCCEEDED: frozenset(),
    JobState.FAILED: frozenset({JobState.QUEUED}),
    JobState.CANCELLED: frozenset({JobState.QUEUED}),
    JobState.INTERRUPTED: frozenset({JobState.QUEUED}),
}


def check_transition(old: JobState | None, new: JobState) -> None:
    """Raise `jobs.wrong_move` unless the table allows the move."""
    if new not in TRANSITIONS[old]:
        raise RKDeckError("jobs.wrong_move", old=None if old is None else str(old), new=str(new))


@dataclass(frozen=True, slots=True)
class WorkerCommand:
    """A worker program: a module of ours, or a script under another Python."""

    module: str | None = None
    script: str | None = None
    python: str | None = None

    def to_json(self) -> dict[str, JsonValue]:
        """Return the stored form."""
        return {"module": self.module, "script": self.script, "python": self.python}


@dataclass(frozen=True, slots=True)
class JobSpec:
    """The intent, written before anything is done.

    Attributes:
        lane: jobs of one lane wait for each other.
        survives_front_end: whether it goes on when the program that asked for it ends.
        resumable: whether a new run continues the old one's work; else it starts from the beginning.
        grace_s: seconds between SIGTERM and SIGKILL.
    """

    id: str
    kind: str
    lane: str
    title: str
    params: dict[str, JsonValue]
    worker: WorkerCommand
    survives_front_end: bool = False
    resumable: bool = False
    created_unix_s: float = 0.0
    board: str | None = None
    grace_s: float = DEFAULT_GRACE_S

    def to_json(self) -> dict[str, JsonValue]:
        """Return the stored form."""
        return {
            "schema": SCHEMA,
            "id": self.id,
            "kind": self.kind,
            "lane": self.lane,
            "title": self.title,
            "params": self.params,
            "worker": self.worker.to_json(),
            "survives_front_end": self.survives_front_end,
            "resumable": self.resumable,
            "created_unix_s": self.created_unix_s,
            "board": self.board,
            "grace_s": self.grace_s,
        }


def spec_from_json(value: JsonValue) -> JobSpec:
    """Read a stored intent; what its params mean is its order's affair.

    Raises:
        RKDeckError: `jobs.other_schema` for a form that a later RKDeck writes, `jobs.bad_spec` when a member is
            missing or is not what it should be.
    """
    if not isinstance(value, dict):
        raise RKDeckError("jobs.bad_spec", member="schema")
    members = Members("", value)
    try:
        schema = members.whole("schema", SCHEMA)
        if schema != SCHEMA:
            raise RKDeckError("jobs.other_schema", schema=schema, known=SCHEMA)
        worker = members.inner("worker")
        return JobSpec(
            id=members.text("id"),
            kind=members.text("kind"),
            lane=members.text("lane"),
            title=members.text("title"),
            params=members.json("params"),
            worker=WorkerCommand(
                *(worker.optional(worker.text, name) for name in ("module", "script", "python"))
            ),
            survives_front_end=members.flag("survives_front_end"),
            resumable=members.flag("resumable"),
            created_unix_s=members.number("created_unix_s"),
            board=members.optional(members.text, "board"),
            grace_s=members.number("grace_s"),
        )
    except RKDeckError as error:
        if "member" not in error.facts:
            raise
        raise RKDeckError("jobs.bad_spec", member=error.facts["member"]) from error


@dataclass(frozen=True, slots=True)
class JobEvent:
    """One line of a job's history; `data` depends on `event` (state, progress, log, step, result, error)."""

    t_unix_s: float
    event: str
    data: dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is; `total`, the rate and the time left are None while unknown.

    Attributes:
        eta_s: seconds left, where the worker tells that itself.
        stalled: nothing moves, though the work goes on trying.
        stalled_s: for how many seconds, where the worker tells that.
        facts: what the phase's words tell, as the level that is measured.
    """

    phase: str
    done: float
    total: float | None
    unit: str
    rate_per_s: float | None
    eta_s: float | None = None
    stalled: bool = False
    stalled_s: float | None = None
    facts: Mapping[str, JsonValue] = field(default_factory=dict)

    def to_json(self) -> dict[str, JsonValue]:
        """Return the event's members."""
        return {
            "phase": self.phase,
            "done": self.done,
            "total": self.total,
            "unit": self.unit,
            "rate_per_s": self.rate_per_s,
            "eta_s": self.eta_s,
            "stalled": self.stalled,
            "stalled_s": self.stalled_s,
            "facts": dict(self.facts),
        }


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job as its folder tells it.

    Attributes:
        alive: whether a supervisor holds the job's lock.
        reason: why it came into this state.
    """

    spec: JobSpec
    state: JobState
    alive: bool
    reason: str | None = None
    progress: Progress | None = None
    result: dict[str, JsonValue] | None = None
    error: dict[str, JsonValue] | None = None

    def to_json(self) -> dict[str, JsonValue]:
        """Return the document of `rkdeck jobs show --json`."""
        return {
            "job": self.spec.id,
            "kind": self.spec.kind,
            "title": self.spec.title,
            "lane": self.spec.lane,
            "board": self.spec.board,
            "state": str(self.state),
            "alive": self.alive,
            "reason": self.reason,
            "resumable": self.spec.resumable,
            "created_unix_s": self.spec.created_unix_s,
            "progress": self.progress.to_json() if self.progress else None,
            "result": self.result,
            "error": self.error,
        }


@dataclass(frozen=True, slots=True)
class LogChunk:
    """Whole lines from a byte offset on.

    Attributes:
        lines: printable text (a toolkit's or board's words are a stranger's).
        next_offset: where the next piece begins.
        skipped_bytes: left out at the front because the log is longer than was asked for.
        complete: whether this reaches the end of the file as it is now.
    """

    lines: tuple[str, ...]
    next_offset: int
    skipped_bytes: int
    complete: bool


@dataclass(frozen=True, slots=True)
class JobsSeen:
    """What differs from the last look: new or changed jobs (newest first), and ids that are gone."""

    changed: tuple[JobRecord, ...]
    gone: tuple[str, ...]
    first: bool = False
