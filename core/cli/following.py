"""Following a job to its end: events become JSON lines or a progress line; Ctrl+C cancels the job."""

from core.base.errors import CancelledError, JsonValue, RKDeckError, error_from_json
from core.base.foreign import number
from core.base.names import printable
from core.base.units import format_bytes, format_duration, format_rate
from core.cli.output import Output
from core.hub.waiting import HubWait
from core.jobs.manager import JobHandle
from core.jobs.model import JobEvent
from core.words import phase_name

_MINUTE_S = 60


def follow(handle: JobHandle, output: Output, board: str | None = None) -> dict[str, JsonValue]:
    """Report a job's events until it ends and return its result.

    Raises:
        RKDeckError: the job's own error; CancelledError when it was cancelled, here or elsewhere.
    """
    try:
        for event in handle.follow():
            report(event, handle.id, output, board)
    except KeyboardInterrupt:
        output.note(output.tr("cancelling ..."))
        handle.cancel()
        for event in handle.follow():
            if event.event == "state":
                report(event, handle.id, output, board)
        raise CancelledError("cli.interrupted") from None
    return handle.result()


def report(event: JobEvent, job: str, output: Output, board: str | None = None) -> None:
    """Show one event; the closing `result` and `error` lines are left to the verb."""
    if event.event in {"result", "error"}:
        return
    if event.event == "state":
        if event.data.get("state") == "queued":
            output.event("queued", job=job, board=board, t_unix_s=event.t_unix_s)
        return
    if event.event == "progress":
        output.progress(progress_line(event.data, output))
    if event.event == "log" and not output.json:
        output.note(_log_line(event.data, output))
    output.event(event.event, job=job, board=board, t_unix_s=event.t_unix_s, **event.data)


def run_job(
    handle: JobHandle, output: Output, board: str | None = None
) -> dict[str, JsonValue] | RKDeckError:
    """Follow a job; prints its closing JSON line and returns the result or the error it ended with."""
    output.note(output.tr("job {id}", id=handle.id))
    try:
        result = follow(handle, output, board)
    except RKDeckError as error:
        output.error(error, job=handle.id, board=board)
        return error
    output.result(result, job=handle.id, board=board)
    return result


def _log_line(data: dict[str, JsonValue], output: Output) -> str:
    """A line of a log: in the reader's language where it was told as code and facts."""
    error = data.get("error")
    if isinstance(error, dict):
        return output.sentence(error_from_json(error))
    return printable(str(data.get("text", "")), limit=2000)


def progress_line(data: dict[str, JsonValue], output: Output) -> str:
    """Write progress for people: phase, share, amounts and rate."""
    tr, facts = output.tr, data.get("facts")
    done, total, rate = (number(data.get(key)) for key in ("done", "total", "rate_per_s"))
    phase = phase_name(str(data.get("phase", "")), facts if isinstance(facts, dict) else {}, output.language)
    if data.get("unit") == "bytes":
        amounts = tr("{done} of {total}", done=format_bytes(done), total=format_bytes(total))
        speed = f", {format_rate(rate)}" if rate is not None else ""
        if data.get("stalled") is True:
            since = number(data.get("stalled_s"))
            speed = ", " + (
                tr("stalled") if since is None else tr("stalled for {time}", time=_whole_seconds(since))
            )
        elif (left := number(data.get("eta_s"))) is not None:
            speed += ", " + tr("{time} left", time=format_duration(left))
    else:
        amounts = "" if done is None else f"{done:g}"
        if done is not None and total is not None:
            amounts = tr("{done} of {total}", done=amounts, total=f"{total:g}")
        speed = ""
    share = f" {done / total:4.0%}" if done is not None and total else ""
    if not done and total is None:  # waiting: there is nothing to count
        return phase
    return f"{phase}{share} ({amounts}{speed})"


class HubCountdown:
    """Shows that a hub is waited for: a line at the beginning, the seconds on a terminal."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._is_waiting = False

    def show(self, wait: HubWait) -> None:
        """Take the news of a wait."""
        text = phase_name("wait_hub", {"seconds": wait.left_s}, self._output.language)
        if wait.left_s and not self._is_waiting:
            self._output.note(text)
        elif wait.left_s:
            self._output.progress(text)
        self._is_waiting = wait.left_s > 0


def _whole_seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < _MINUTE_S else format_duration(seconds)
