"""The keeper of one foreign program: `python -m core.jobs.keeper LIFELINE PROGRAM ARGUMENT...`.

It starts the program, ends as it ended, and leaves nothing of it: the program's orphans become the keeper's own
children, and are ended with it. It does the same when its lifeline (a socket) ends, which is how whoever started it
says "enough", or has died, even by SIGKILL. Standard output, standard error and other descriptors are the program's.
"""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence

from core.base.signals import usual_signals
from core.jobs import process

_KILL_TIMEOUT_S = 5.0
_TICK_MS = 20


def keep(lifeline: int, argv: Sequence[str]) -> int:
    """Run a program to its end, or to the lifeline's; nothing below this process is left then.

    What is wrong with starting it is told on the lifeline, as the number of the system's error.

    Returns:
        Its exit code, negative for a signal.
    """
    os.set_inheritable(lifeline, False)
    process.become_subreaper()
    # A signal to the whole group (Ctrl-C, a supervisor's) is for the program, which has it too. A handler here, since
    # what is ignored would be ignored by the program as well.
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _go_on)
    try:
        program = process.start_kept(argv)
    except OSError as error:
        os.write(lifeline, str(error.errno or 0).encode())
        return 1
    try:
        return _watch(program, lifeline)
    finally:
        program.kill()
        program.wait()
        process.kill_descendants(_KILL_TIMEOUT_S)


def _watch(program: "subprocess.Popen[bytes]", lifeline: int) -> int:
    ended = select.poll()
    ended.register(lifeline, 0)  # its end is told unasked (poll(2), POLLHUP)
    while (code := program.poll()) is None:
        if ended.poll(_TICK_MS):
            return -signal.SIGKILL
    return code


def _go_on(number: int, frame: object) -> None:
    """What a signal does here: nothing."""


if __name__ == "__main__":
    usual_signals()
    process.end_as(keep(int(sys.argv[1]), sys.argv[2:]))
