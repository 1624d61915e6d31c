"""Looking at processes that may end in the same moment."""

import psutil


def command_of(process: psutil.Process) -> list[str]:
    """The command line; empty for one that is gone, or dead and not yet collected."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:  # ZombieProcess is one of these
        return []
