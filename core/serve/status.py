"""What a board's run folder says: read in one round trip, believed only as far as the process lives."""

import json
from dataclasses import dataclass
from typing import Any

from core.base.errors import RKDeckError
from core.base.log import register_secret
from core.base.names import printable
from core.remote.session import SshSession
from core.serve.records import Serving, run_folder
from core.serve.scripts import STATUS

_MAX_PID = 1 << 22  # Linux PID_MAX_LIMIT
_MAX_PORT = 65535
_STATE, _START_TICKS = 0, 19  # of /proc/<pid>/stat after the name: fields 3 and 22 (proc(5))


@dataclass(frozen=True, slots=True)
class Status:
    """One look into a run folder.

    Attributes:
        serving: what runs, or None.
        failure: the runtime's reason for not starting, in its own words.
        alive: whether the process asked about lives.
        log: the end of its log.
        token: only when asked for.
    """

    serving: Serving | None
    failure: str | None
    alive: bool
    log: tuple[str, ...]
    token: str | None


def read_status(
    session: SshSession, board: str, store: str, *, started_pid: int | None = None, with_token: bool = False
) -> Status:
    """Look into the run folder of `store`.

    Args:
        session: the connection.
        board: its name, for the record.
        store: the board's store.
        started_pid: a process that was just started and may have no state file yet.
        with_token: also fetch the token; it is registered as a secret.

    Raises:
        RKDeckError: `serve.status_failed` when the board cannot even look.
    """
    folder = run_folder(store)
    result = session.run(STATUS, [folder, str(started_pid or ""), "token" if with_token else ""])
    if result.exit_status != 0:
        raise RKDeckError("serve.status_failed", board=board, reason=result.complaint)
    entries: dict[str, str] = {}
    log = []
    for line in result.text.splitlines():
        name, _, text = line.partition(" ")
        if name == "log":
            log.append(printable(text, 400))
        else:
            entries.setdefault(name, text)
    token = entries.get("token") or None
    if token:
        register_secret(token)
    state, fields = _object(entries.get("state")), _stat_fields(entries.get("stat"))
    error = state.get("error")
    return Status(
        serving=_serving(board, folder, state, _object(entries.get("deployment")), fields),
        failure=_words(error) if isinstance(error, dict) else None,
        alive=_alive(fields),
        log=tuple(log),
        token=token,
    )


def _serving(
    board: str, folder: str, state: dict[str, Any], deployment: dict[str, Any], fields: list[str]
) -> Serving | None:
    pid, port, ticks = (_whole(state.get(key)) for key in ("pid", "port", "start_ticks"))
    if pid is None or port is None or ticks is None or not (0 < pid <= _MAX_PID and 0 < port <= _MAX_PORT):
        return None
    if not _alive(fields) or fields[_START_TICKS] != str(ticks):
        return None
    last = state.get("last") if isinstance(state.get("last"), dict) else {}
    assert isinstance(last, dict)
    return Serving(
        board=board,
        name=_text(deployment.get("name")),
        version=_text(deployment.get("version")),
        model=_text(state.get("model")) or "unknown",
        sha256=_text(state.get("sha256")),
        dtype=_text(state.get("dtype")),
        max_context=_whole(state.get("max_context")),
        runtime=_text(state.get("runtime")),
        simulated=state.get("simulated") is True,
        pid=pid,
        start_ticks=ticks,
        port=port,
        run_folder=folder,
        started_uptime_s=number(state.get("started_uptime_s")),
        tokens_per_s=number(last.get("tokens_per_s")),
        ttft_ms=number(last.get("ttft_ms")),
    )


def _stat_fields(text: str | None) -> list[str]:
    """The fields of `/proc/<pid>/stat` after the name, which may itself hold blanks and brackets."""
    return [] if text is None else text.rpartition(")")[2].split()


def _alive(fields: list[str]) -> bool:
    return len(fields) > _START_TICKS and fields[_STATE] not in {"Z", "X"}


def _words(error: dict[str, Any]) -> str:
    return _text(error.get("message")) or "no reason given"


def _object(text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return printable(value, 300) if isinstance(value, str) else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def number(value: object) -> float | None:
    """The number in a JSON document of a board, or None."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
