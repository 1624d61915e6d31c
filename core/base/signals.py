"""The signal settings a process inherits from whoever started it, and which of them would mislead us."""

import signal

# With SIGCHLD ignored the kernel forgets how a child ended, and `subprocess` reports 0 for a killed one.
_NEEDED = (signal.SIGCHLD,)


def usual_signals() -> None:
    """Let signals arrive that we cannot work without, whatever the starter ignored or blocked.

    SIGINT and SIGHUP stay ignored where they are (`nohup`, the background of a shell): there they are meant for
    somebody else. To be called at the start of a program, before it has threads.
    """
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in _NEEDED:
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
