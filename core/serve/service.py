"""Serving on a board: start a runtime for a deployed model, stop it, say what runs. One NPU tenant at a time.

A runtime is any executable below `/usr/local/lib/rkdeck/runtimes` that answers `describe` and `serve` as
`docs/runtime-protocol.md` says; which library it drives is its own affair.
"""

import contextlib
import json
import secrets
import time
from collections.abc import Callable

from core.base.errors import JsonValue, RefusedError, RKDeckError
from core.base.foreign import MAX_PID, digits, lines
from core.base.log import register_secret
from core.base.names import printable
from core.base.notes import because
from core.base.runtime_protocol import ABI, RUNTIMES_FOLDER, read_description
from core.remote.scripts import rows
from core.remote.session import SshSession
from core.serve.chat import ask, chat, models
from core.serve.records import Answer, Host, Runtime, Servable, Serving, TokenLogprob, run_folder, state_file
from core.serve.scripts import RUNTIMES, START, STOP, TENANTS
from core.serve.status import Status, read_status
from core.vendor.kinds import ModelKind

__all__ = [
    "Answer",
    "Host",
    "Runtime",
    "Servable",
    "Serving",
    "TokenLogprob",
    "ask",
    "chat",
    "choose_runtime",
    "current_serving",
    "find_runtimes",
    "models",
    "npu_tenants",
    "start_serving",
    "state_file",
    "stop_serving",
]

START_TIMEOUT_S = 300.0
STOP_TIMEOUT_S = 5.0
_POLL_S = 0.1
_LOCKED = 42  # exit status of the start script
_MAX_RUNTIMES = 50


def current_serving(session: SshSession, board: Host) -> Serving | None:
    """Return what the board serves from its store, or None.

    Raises:
        RKDeckError: `serve.no_store`, `serve.status_failed`.
    """
    return read_status(session, board.name, _store(board)).serving


def find_runtimes(session: SshSession, board: Host) -> tuple[Runtime, ...]:
    """Return the runtimes installed on the board, asked one by one what they are."""
    result = session.run(RUNTIMES, [board.sysroot + RUNTIMES_FOLDER])
    found = [_runtime(path, told) for path, told in rows(result.text, 2, _MAX_RUNTIMES)]
    return tuple(runtime for runtime in found if runtime is not None)


def npu_tenants(session: SshSession, board: Host) -> tuple[tuple[int, str], ...]:
    """Return (pid, name) of the processes that visibly use a Rockchip NPU library; root sees all of them."""
    result = session.run(TENANTS, [f"{board.sysroot}/proc"])
    found = []
    for line in lines(result.text):
        pid, _, name = line.partition(" ")
        if (known := digits(pid, 1, MAX_PID)) is not None:
            found.append((known, printable(name, 64) or "unknown"))
    return tuple(found)


def start_serving(
    session: SshSession,
    board: Host,
    deployment: Servable,
    *,
    timeout_s: float = START_TIMEOUT_S,
    on_wait: Callable[[float], None] | None = None,
) -> Serving:
    """Start a runtime for a deployed model and wait until it is ready.

    Args:
        session: the connection to the board.
        board: where.
        deployment: what; a simulated file gets a simulated runtime and no other does.
        timeout_s: for loading; afterwards the runtime is stopped again.
        on_wait: called with the seconds waited so far, a few times a second; may raise to give up, which
            stops the runtime, too.

    Raises:
        RefusedError: `serve.already_serving`, `serve.npu_taken`, `serve.no_engine`.
        RKDeckError: `serve.no_store`, `serve.no_runtime`, `serve.runtime_abi`, `serve.start_failed` with the
            runtime's own words, `serve.start_timeout`.
    """
    store = _store(board)
    _refuse_second_tenant(session, board)
    runtime = choose_runtime(session, board, deployment.kind, deployment.name, simulated=deployment.simulated)
    pid = _launch(session, board, store, runtime, deployment)
    began = time.monotonic()
    try:
        while True:
            status = read_status(session, board.name, store, started_pid=pid)
            if (
                not status.alive
            ):  # what it wrote last may have come between the looks at its file and at itself
                status = read_status(session, board.name, store, started_pid=pid)
            if status.serving is not None and status.serving.pid == pid:
                return status.serving
            _raise_failure(board, deployment, runtime, status)
            waited_s = time.monotonic() - began
            if waited_s > timeout_s:
                raise RKDeckError(
                    "serve.start_timeout", board=board.name, name=deployment.name, seconds=timeout_s
                )
            if on_wait is not None:
                on_wait(waited_s)
            time.sleep(_POLL_S)
    except BaseException:
        _abandon(session, store, pid)
        raise


def stop_serving(session: SshSession, board: Host, *, timeout_s: float = STOP_TIMEOUT_S) -> Serving | None:
    """Stop what the board serves: SIGTERM, after `timeout_s` SIGKILL, and wait for its end.

    The process is known by pid, start time and the state file it was started with, so no other one is ever hit,
    whatever a state file says.

    Returns:
        What was stopped; None when nothing ran (left-over files are removed then).

    Raises:
        RKDeckError: `serve.no_store`, `serve.stop_failed`.
    """
    store = _store(board)
    serving = read_status(session, board.name, store).serving
    pid, ticks = (0, 0) if serving is None else (serving.pid, serving.start_ticks)
    result = _stop(session, store, pid, str(ticks), timeout_s)
    if result != 0:
        raise RKDeckError("serve.stop_failed", board=board.name, pid=pid)
    return serving


def _stop(
    session: SshSession, store: str, pid: int, ticks: str, timeout_s: float, *, just_started: bool = False
) -> int:
    arguments = [run_folder(store), str(pid), ticks, str(max(1, round(timeout_s * 10)))]
    arguments += ["started"] if just_started else []
    return session.run(STOP, arguments, timeout_s=timeout_s + 30).exit_status


def _abandon(session: SshSession, store: str, pid: int) -> None:
    """Take back a start that will not be used; over a dead connection there is nothing to take back."""
    with contextlib.suppress(RKDeckError):
        result = session.run("sed 's/^.*) //' \"/proc/$1/stat\" 2>/dev/null || :", [str(pid)])
        fields = result.text.split()
        _stop(session, store, pid, fields[19] if len(fields) > 19 else "0", 1.0, just_started=True)


def _refuse_second_tenant(session: SshSession, board: Host) -> None:
    serving = current_serving(session, board)
    if serving is not None:
        raise RefusedError(
            "serve.already_serving", board=board.name, model=serving.name or serving.model, pid=serving.pid
        )
    tenants = npu_tenants(session, board)
    if tenants:
        pid, name = tenants[0]
        raise RefusedError("serve.npu_taken", board=board.name, process=name, pid=pid)


def choose_runtime(
    session: SshSession, board: Host, kind: ModelKind, name: str, *, simulated: bool | None
) -> Runtime:
    """The runtime on a board that would serve a file: the first that fits it and speaks this form of the protocol.

    Args:
        session: the connection to the board.
        board: where.
        kind: of the file.
        name: what it is called, for messages.
        simulated: whether it is a simulated file; None where nobody knows yet.

    Raises:
        RefusedError: `serve.no_engine`.
        RKDeckError: `serve.no_runtime`, `serve.runtime_abi`.
    """
    fitting = [
        found
        for found in find_runtimes(session, board)
        if kind.name in found.kinds and simulated in {None, found.simulated}
    ]
    for runtime in fitting:
        if runtime.abi == ABI:
            return runtime
    if fitting:
        raise RKDeckError(
            "serve.runtime_abi", board=board.name, runtime=fitting[0].name, version=fitting[0].version,
            abi=fitting[0].abi, wanted=ABI,
        )  # fmt: skip
    if not kind.simulated:
        raise RefusedError(
            "serve.no_engine", board=board.name, folder=RUNTIMES_FOLDER, name=name, kind=kind.name, engine=kind.engine
        )  # fmt: skip
    raise RKDeckError("serve.no_runtime", board=board.name, folder=RUNTIMES_FOLDER, name=name)


def _launch(session: SshSession, board: Host, store: str, runtime: Runtime, deployment: Servable) -> int:
    token = secrets.token_urlsafe(32)
    register_secret(token)
    about = {"name": deployment.name, "version": deployment.version, "sha256": deployment.sha256}
    result = session.run(
        [
            "sh",
            "-c",
            START,
            "rkdeck-serve",
            run_folder(store),
            runtime.path,
            deployment.path,
            deployment.name,
        ],
        stdin=f"{token}\n{json.dumps(about)}\n".encode(),
    )
    if result.exit_status == _LOCKED:
        raise RefusedError("serve.already_starting", board=board.name)
    pid = digits(result.text, 1, MAX_PID)
    if result.exit_status != 0 or pid is None:
        raise RKDeckError(
            "serve.start_failed",
            board=board.name,
            name=deployment.name,
            runtime=runtime.name,
            reason=result.complaint or because("board_shell_ended", status=result.exit_status),
        )
    return pid


def _raise_failure(board: Host, deployment: Servable, runtime: Runtime, status: Status) -> None:
    reason: JsonValue = status.failure
    if reason is None and not status.alive:
        complaints = [line for line in status.log if line.startswith(("E ", "E:"))]
        said = complaints or status.log
        reason = said[-1] if said else because("ended_silently")
    if reason is not None:
        raise RKDeckError(
            "serve.start_failed",
            board=board.name,
            name=deployment.name,
            runtime=runtime.name,
            reason=reason,
        )


def _runtime(path: str, text: str) -> Runtime | None:
    """A runtime that describes itself; anything else in the folder is none."""
    found = read_description(text)
    if found is None:
        return None
    return Runtime(path, found.name, found.version, found.simulated, found.abi, found.kinds)


def _store(board: Host) -> str:
    if not board.store:
        raise RKDeckError("serve.no_store", board=board.name)
    return board.store
