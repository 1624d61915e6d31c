"""What a board's run folder says: read in one round trip, believed only as far as the process lives."""

import re
from dataclasses import dataclass

from core.base import foreign
from core.base.errors import JsonValue, RKDeckError
from core.base.log import register_secret
from core.base.names import printable
from core.base.notes import because
from core.base.runtime_protocol import RuntimeState, StartRefusal, read_state
from core.remote.session import SshSession
from core.serve.records import Serving, run_folder
from core.serve.scripts import STATUS

_MAX_TEXT = 300
# As `secrets.token_urlsafe(32)` makes them (service._launch).
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_STATE, _START_TICKS = 0, 19  # of /proc/<pid>/stat after the name: fields 3 and 22 (proc(5))


@dataclass(frozen=True, slots=True)
class Status:
    """One look into a run folder.

    Attributes:
        serving: what runs, or None.
        failure: the runtime's reason for not starting, in its own words, or a note that it gave none; None: no refusal.
        alive: whether the process asked about lives.
        log: the end of its log.
        token: only when asked for.
    """

    serving: Serving | None
    failure: JsonValue
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
    for line in foreign.lines(result.text):
        name, _, text = line.partition(" ")
        if name == "log":
            log.append(printable(text, 400))
        else:
            entries.setdefault(name, text)
    token = entries.get("token")
    if token is None or not TOKEN.fullmatch(token):
        token = None  # none of ours: a board that chose it could blot words out of our log
    else:
        register_secret(token)
    state, fields = read_state(entries.get("state")), _stat_fields(entries.get("stat"))
    deployment = foreign.members(entries.get("deployment"))
    return Status(
        serving=_serving(board, folder, state, deployment, fields)
        if isinstance(state, RuntimeState) and entries.get("ours") == str(state.pid)
        else None,
        failure=(state.message or because("no_reason")) if isinstance(state, StartRefusal) else None,
        alive=_alive(fields),
        log=tuple(log),
        token=token,
    )


def _serving(
    board: str, folder: str, state: RuntimeState, deployment: dict[str, JsonValue], fields: list[str]
) -> Serving | None:
    port, ticks = state.port, state.start_ticks
    if port is None or ticks is None or not _alive(fields) or fields[_START_TICKS] != str(ticks):
        return None
    return Serving(
        board=board,
        name=foreign.text(deployment.get("name"), _MAX_TEXT),
        version=foreign.text(deployment.get("version"), _MAX_TEXT),
        model=state.model or "unknown",
        sha256=state.sha256,
        dtype=state.dtype,
        max_context=state.max_context,
        runtime=state.runtime,
        simulated=state.simulated,
        pid=state.pid,
        start_ticks=ticks,
        port=port,
        run_folder=folder,
        started_uptime_s=state.started_uptime_s,
        tokens_per_s=state.tokens_per_s,
        ttft_ms=state.ttft_ms,
    )


def _stat_fields(text: str | None) -> list[str]:
    """The fields of `/proc/<pid>/stat` after the name, which may itself hold blanks and brackets."""
    return [] if text is None else text.rpartition(")")[2].split()


def _alive(fields: list[str]) -> bool:
    return len(fields) > _START_TICKS and fields[_STATE] not in {"Z", "X"}
