"""Worker of the live figures: samples the boards it is told to on standard input, a JSON line each, until that ends.

Argument: the home folder. It reads the registry and the known host keys there; passwords come with the orders.
"""

import contextlib
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from core.base.errors import RKDeckError
from core.base.log import log_to_stderr
from core.base.paths import AppPaths
from core.base.signals import usual_signals
from core.boards.connect import connect
from core.boards.records import Board
from core.jobs.protocol._wire import Wire, WireClosed
from core.monitor.sample import BoardSample
from core.monitor.watching import Watcher
from core.remote.session import SshSession
from core.services import Services

_CLOSE_TIMEOUT_S = 1.0


def main() -> int:
    """Run until standard input ends, as it does when the front end ends in whatever way."""
    usual_signals()
    wire = Wire(os.dup(sys.stdout.fileno()))
    # Whatever a library prints must not end up between the samples.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        with Services.build(AppPaths(Path(sys.argv[1])), log_to_stderr, repairs=False) as services:
            _watch(services, wire)
    except RKDeckError as error:
        with contextlib.suppress(WireClosed):
            wire.send("error", error=error.to_json())
        return error.exit_code
    return 0


def _watch(services: Services, wire: Wire) -> None:
    host_keys = services.host_keys

    def open_session(board: Board, password: str | None) -> SshSession:
        return connect(board, host_keys, password=password)

    def report(sample: BoardSample) -> None:
        # Who does not listen has gone, and then standard input ends, too.
        with contextlib.suppress(WireClosed):
            wire.send("sample", sample=sample.to_wire())

    # One thread for the registry, as the database keeps a connection for each thread that ever asked.
    with ThreadPoolExecutor(1) as registry:
        watcher = Watcher(_on(registry, services.boards.get), open_session, report)
        watcher.obey(sys.stdin.buffer)
        watcher.close(_CLOSE_TIMEOUT_S)


def _on(pool: ThreadPoolExecutor, get: Callable[[str], Board]) -> Callable[[str], Board]:
    return lambda name: pool.submit(get, name).result()


if __name__ == "__main__":
    sys.exit(main())
