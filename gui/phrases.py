"""Phrases that several pages share: what a job is and does, how far it is, verdicts, how long ago."""

import time
from collections.abc import Mapping

from core import words
from core.base.names import printable
from core.base.notes import Note
from core.base.units import UNKNOWN, format_bytes, format_day, format_duration
from core.boards.doctor.findings import Verdict
from core.jobs.model import JobRecord, JobState, Progress
from gui.text import language, tr

STATE_ROLES = {
    JobState.QUEUED: "muted",
    JobState.RUNNING: "info",
    JobState.CANCELLING: "warn",
    JobState.SUCCEEDED: "ok",
    JobState.FAILED: "bad",
    JobState.CANCELLED: "muted",
    JobState.INTERRUPTED: "warn",
}
VERDICT_ROLES: Mapping[Verdict, str] = {"ok": "ok", "warning": "warn", "failed": "bad", "unknown": "muted"}


def kind_text(kind: str) -> str:
    """What a job does, as a noun."""
    return words.kind_name(kind, language())


def state_text(state: JobState) -> str:
    """Where a job stands, in a word."""
    return words.state_name(state, language())


def phase_text(progress: Progress) -> str:
    """What a job is doing now; what a toolkit calls its own stages stays in its words."""
    return words.phase_name(progress.phase, progress.facts, language())


def hub_wait_text(left_s: int) -> str:
    """That a hub asked to come back later, and when it is asked again."""
    return words.phase_name("wait_hub", {"seconds": left_s}, language())


def job_title(record: JobRecord) -> str:
    """What a job is about, without the words of any language (its order says it so)."""
    return printable(record.spec.title, 200)


def verdict_text(verdict: str) -> str:
    """Whether something fits."""
    return words.verdict_name(verdict, language())


def progress_amounts(progress: Progress) -> str:
    """How much is done of how much, in the progress's unit."""
    if progress.unit == "bytes":
        total = f" / {format_bytes(progress.total)}" if progress.total is not None else ""
        return f"{format_bytes(progress.done)}{total}"
    total = f" / {progress.total:g}" if progress.total is not None else ""
    return f"{progress.done:g}{total}"


def rate_text(progress: Progress) -> str:
    """The rate, empty while it is unknown or means nothing."""
    if progress.unit == "bytes" and progress.rate_per_s:
        return f"{format_bytes(progress.rate_per_s)}/s"
    return ""


def remaining_text(progress: Progress) -> str:
    """How long it will take still, empty while that cannot be told."""
    if not progress.total or not progress.rate_per_s or progress.done >= progress.total:
        return ""
    return tr("{time} left", time=format_duration((progress.total - progress.done) / progress.rate_per_s))


def activity_text(progress: Progress) -> str:
    """What a job is doing now, and that nothing moves while that is so."""
    doing = phase_text(progress)
    if not progress.stalled:
        return doing
    if progress.stalled_s is None:
        return tr("{doing}: nothing is moving", doing=doing)
    seconds = max(0, int(progress.stalled_s))
    time_text = f"{seconds} s" if seconds < 60 else format_duration(seconds)
    return tr("{doing}: nothing has moved for {time}", doing=doing, time=time_text)


def job_line(record: JobRecord) -> str:
    """A job's state in one line: what it does now, how far it is, how fast."""
    progress = record.progress
    if record.state is not JobState.RUNNING or progress is None:
        return state_text(record.state)
    parts = [activity_text(progress), progress_amounts(progress)]
    if not progress.stalled:  # the rate until then is no guide
        parts += [rate_text(progress), remaining_text(progress)]
    return " · ".join(part for part in parts if part)


def note_text(note: Note) -> str:
    """A remark of the estimator."""
    return words.note_text(note, language())


def ago_text(t_unix_s: float | None) -> str:
    """How long ago something was; None is unknown."""
    day = UNKNOWN if t_unix_s is None else format_day(t_unix_s)
    if t_unix_s is None or day == UNKNOWN:
        return tr("unknown")
    seconds = max(0.0, time.time() - t_unix_s)
    if seconds < 60:
        return tr("just now")
    if seconds < 3600:
        return tr("{n} min ago", n=int(seconds // 60))
    if seconds < 86400:
        return tr("{n} h ago", n=int(seconds // 3600))
    return day
