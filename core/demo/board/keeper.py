"""Clears up after a demo board, however it ended: `python board_keeper.py MARKER`, run apart from the board.

Standard input is a pipe whose other end only the board holds. When it ends, every process that carries the
board's marker in its environment is ended too, in whatever session it hides.
"""

import contextlib
import os
import signal
import sys
import time

_GRACE_S = 1.0
_GIVE_UP_S = 10.0
_STEP_S = 0.02


def marked(marker: str) -> list[int]:
    """Process ids (never our own) whose environment holds `marker`, and that are not dead already."""
    found = []
    needle = b"\0" + marker.encode() + b"\0"
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        with contextlib.suppress(OSError), open(f"/proc/{name}/environ", "rb") as file:
            if needle in b"\0" + file.read() + b"\0":
                found.append(int(name))
    return found


def sweep(marker: str) -> bool:
    """End all marked processes: politely, then not; whether none is left."""
    started = time.monotonic()
    told: set[int] = set()
    while processes := marked(marker):
        waited_s = time.monotonic() - started
        if waited_s > _GIVE_UP_S:
            return False
        for process in processes:
            late = waited_s > _GRACE_S
            if late or process not in told:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL if late else signal.SIGTERM)
                told.add(process)
        time.sleep(_STEP_S)
    return True


def main() -> int:
    """Wait for the board's end, then clear up."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while os.read(0, 4096):
        continue
    return 0 if sweep(sys.argv[1]) else 1


if __name__ == "__main__":
    sys.exit(main())
