"""The columns of the table of jobs."""

import time

from core.base.units import format_duration
from core.jobs.model import JobRecord
from gui.models.list_model import Column
from gui.phrases import ago_text, job_line, job_title, kind_text, state_text
from gui.text import tr

STATE, PROGRESS = 2, 3
WIDTHS = {2: 118, 3: 260, 4: 110, 5: 90}


def job_columns() -> tuple[Column[JobRecord], ...]:
    """The columns, in the language in use."""
    return (
        Column(tr("Kind"), _kind),
        Column(tr("What"), _title, tip=_title),
        Column(tr("State"), _state),
        Column(tr("Progress"), job_line),
        Column(tr("Started"), _started),
        Column(tr("Took"), _took, right=True),
    )


def _kind(record: JobRecord) -> str:
    return kind_text(record.spec.kind)


def _title(record: JobRecord) -> str:
    return job_title(record)


def _state(record: JobRecord) -> str:
    return state_text(record.state)


def _started(record: JobRecord) -> str:
    return ago_text(record.spec.created_unix_s)


def _took(record: JobRecord) -> str:
    seconds = record.result.get("seconds") if record.result else None
    if isinstance(seconds, int | float):
        return format_duration(seconds)
    if record.state.is_terminal:
        return "-"
    return format_duration(max(0.0, time.time() - record.spec.created_unix_s))
