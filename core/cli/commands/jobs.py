"""`rkdeck jobs`: list, follow, cancel and resume jobs, also those of another RKDeck."""

import argparse
import datetime
import json

from core.base.errors import JsonValue, RKDeckError, UsageError, error_from_json
from core.base.foreign import lines
from core.base.names import printable
from core.base.opening import read_regular
from core.base.trouble import reason_of
from core.cli.command import Command, Context
from core.cli.following import progress_line, report, run_job
from core.cli.output import Output
from core.jobs.model import JobRecord
from core.usecases import jobs as use
from core.words import kind_name, state_name, value_word

_MAX_LOG_BYTES = 128 << 20
_ACTIONS = ("list", "show", "log", "cancel", "resume", "retry")


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", choices=_ACTIONS, default="list")
    parser.add_argument("id", nargs="?", metavar="ID")
    parser.add_argument("--follow", "-f", action="store_true")


def _run(context: Context) -> int:
    action = context.options.action
    if action == "list":
        return _list(context)
    if not context.options.id:
        raise UsageError("cli.job_required", action=action)
    record = context.services.jobs.find(context.options.id)
    return {"show": _show, "log": _log, "cancel": _cancel, "resume": _again, "retry": _again}[action](
        context, record
    )


def _list(context: Context) -> int:
    records, unreadable = context.services.jobs.store.survey()
    context.output.document(
        {
            "jobs": [record.to_json() for record in records],
            "unreadable": [{"job": job, "error": error.to_json()} for job, error in unreadable.items()],
        }
    )
    if not records and not unreadable:
        context.output.text(
            context.output.tr("No jobs yet. Downloads, conversions and deployments appear here.")
        )
        return 0
    rows = [
        (
            record.spec.id,
            kind_name(record.spec.kind, context.output.language),
            _state(record, context.output),
            _started(record),
            record.spec.title,
        )
        for record in records
    ]
    rows += [
        (job, "-", context.output.tr("cannot be read"), "-", context.output.sentence(error))
        for job, error in unreadable.items()
    ]
    context.output.table(("JOB", "KIND", "STATE", "CREATED", "WHAT"), rows)
    return 0


def _state(record: JobRecord, output: Output) -> str:
    state = state_name(record.state, output.language)
    if record.alive and record.progress is not None:
        return f"{state}: {progress_line(record.progress.to_json(), output)}"
    return state


def _started(record: JobRecord) -> str:
    return datetime.datetime.fromtimestamp(record.spec.created_unix_s).astimezone().strftime("%Y-%m-%d %H:%M")


def _show(context: Context, record: JobRecord) -> int:
    document = record.to_json()
    context.output.document(document)
    context.output.members(
        [(name, printable(text, limit=2000)) for name, text in _shown(record, context.output).items() if text]
    )
    return 0


def _shown(record: JobRecord, output: Output) -> dict[str, str | None]:
    """The members of a job in words; None for what it has not."""
    return {
        "job": record.spec.id,
        "kind": kind_name(record.spec.kind, output.language),
        "title": record.spec.title,
        "lane": record.spec.lane,
        "board": record.spec.board,
        "state": state_name(record.state, output.language),
        "reason": _reason(record.reason, output),
        "resumable": output.tr("yes") if record.spec.resumable else output.tr("no"),
        "created": _started(record),
        "progress": progress_line(record.progress.to_json(), output) if record.progress is not None else None,
        "result": json.dumps(record.result, ensure_ascii=False) if record.result is not None else None,
        "error": output.sentence(error_from_json(record.error)) if record.error is not None else None,
    }


def _reason(code: str | None, output: Output) -> str | None:
    """Why a job came into its state; None where the state or the error says it already ("done", an error's code)."""
    worded = value_word("reason", code, output.language)
    return None if code is None or worded == code else str(worded)


def _log(context: Context, record: JobRecord) -> int:
    output = context.output
    if context.options.follow:
        for event in context.services.jobs.attach(record.spec.id).follow():
            report(event, record.spec.id, output)
    path = context.services.jobs.store.log_path(record.spec.id)
    try:
        # The writer keeps within a sixth of that; a larger file is not its own.
        text = read_regular(path, _MAX_LOG_BYTES).decode("utf-8", "replace")
    except FileNotFoundError:
        text = ""
    except OSError as error:
        raise RKDeckError("jobs.unreadable", reason=reason_of(error)) from error
    output.document({"job": record.spec.id, "log": text})
    for line in lines(text.replace("\r", "\n")):
        output.text(printable(line, limit=2000))
    return 0


def _cancel(context: Context, record: JobRecord) -> int:
    had_ended = record.state.is_terminal
    context.services.jobs.cancel(record.spec.id)
    ended = context.services.jobs.attach(record.spec.id).wait(timeout_s=60)
    document: dict[str, JsonValue] = {"job": record.spec.id, "state": str(ended.state)}
    context.output.document(document)
    state = state_name(ended.state, context.output.language)
    tr, job = context.output.tr, record.spec.id
    context.output.text(
        tr("{job} had ended before, nothing was cancelled: {state}", job=job, state=state)
        if had_ended
        else tr("{job}: {state}", job=job, state=state)
    )
    return 0


def _again(context: Context, record: JobRecord) -> int:
    again = use.resume if context.options.action == "resume" else use.retry
    handle = context.services.jobs.attach(again(context.services, record.spec.id))
    result = run_job(handle, context.output, record.spec.board)
    if not isinstance(result, dict):
        return result.exit_code
    context.output.document(handle.record().to_json())
    context.output.text(printable(json.dumps(result, ensure_ascii=False), limit=4000))
    return 0


COMMANDS = (Command("jobs", _configure, _run, lines=False),)
