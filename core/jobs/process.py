"""Every POSIX call about processes: sessions, groups, death signals, and finding what a job left behind."""

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, NoReturn

import psutil

from core.jobs.mark import JOB_MARKER, job_mark

EVENTS_DESCRIPTOR = "RKDECK_EVENTS_FD"
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_POLL_S = 0.02


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def become_subreaper() -> None:
    """Orphans of our descendants become our children (Linux 3.4+), so that a daemon cannot hide."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def start_detached(argv: Sequence[str], *, cwd: Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, with a pipe as its standard input."""
    return subprocess.Popen(
        list(argv), stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=cwd, start_new_session=True
    )


def disown(child: subprocess.Popen[bytes]) -> None:
    """Stop waiting for a child that goes on without us; init takes it over when we end."""
    child.returncode = 0  # keeps Popen from warning about a child that is meant to stay


def start_worker(
    argv: Sequence[str], *, job_folder: Path, events: int, cwd: Path, extra: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start a worker as leader of its own session; it dies at once when this process dies.

    Standard output and error come together in one pipe; `events` is inherited as the private descriptor.
    """
    environment = {**os.environ, **extra, JOB_MARKER: job_mark(job_folder), EVENTS_DESCRIPTOR: str(events)}
    return subprocess.Popen(
        list(argv),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=cwd,
        env=environment,
        pass_fds=(events,),
        start_new_session=True,
        preexec_fn=_dying_with(os.getpid()),  # noqa: PLW1509  # the supervisor has one thread
    )


def start_kept(argv: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a program with our descriptors, as far as they are inherited; it dies at once when this process dies."""
    return subprocess.Popen(
        list(argv),
        close_fds=False,
        preexec_fn=_dying_with(os.getpid()),  # noqa: PLW1509  # a keeper has one thread
    )


def _dying_with(parent: int) -> Callable[[], None]:
    """What a child does before its program, to end when the process `parent` does."""

    def die_with_parent() -> None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # The parent may have died before the line above, and then no signal comes.
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    return die_with_parent


def end_as(code: int) -> NoReturn:
    """End this process as another one ended: with its exit code or, where that is negative, by its signal."""
    if code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the other one has left its own
        if -code not in {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


def signal_group(leader_pid: int, number: signal.Signals) -> None:
    """Signal a whole process group; harmless when it is gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader_pid, number)


def descendants() -> list[psutil.Process]:
    """Everything below this process, zombies excluded; with the subreaper set, daemons included."""
    return [process for process in psutil.Process().children(recursive=True) if _running(process)]


def marked(job_folder: Path) -> list[psutil.Process]:
    """Processes of this user that carry the job's mark in their environment."""
    found, mark = [], job_mark(job_folder)
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(JOB_MARKER) == mark and _running(process):
                found.append(process)
    return found


def kill_all(processes: Sequence[psutil.Process]) -> None:
    """SIGKILL each of them; harmless for those already gone."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()


def kill_descendants(timeout_s: float) -> bool:
    """Kill everything below this process, a subreaper, and reap it; whether nothing is left.

    What is found is killed, and the kernel says when there is no more: a list of processes is made one by one, and
    misses who was started after its beginning by somebody who ended before its end.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        kill_all(descendants())
        if not reap():
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)


def reap() -> bool:
    """Take the exit status of adopted orphans, so that they do not stay as zombies; whether there are more children.

    Only for the moments after the worker's own status was read: it would be taken here too.
    """
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue
    except ChildProcessError:
        return False
    return True


def _running(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
