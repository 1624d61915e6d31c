"""The sampling shell of one board: started once, asked by one line per tick, restarted when it fails.

The client drives it, so that nothing keeps running on the board when the link is cut (a loop on the server
side survives a closed channel on Dropbear). One object belongs to one thread; several boards are several
objects, each in a thread of the monitor worker.
"""

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from core.base.errors import RKDeckError
from core.monitor.builder import SampleBuilder
from core.monitor.frames import Frame, FrameReader
from core.monitor.identity import Identity, parse_identity
from core.monitor.sample import DOWN, BoardSample, Missing, down_sample
from core.remote.quoting import remote_command
from core.remote.scripts import board_script

SLOW_EVERY = 10
REDISCOVER_EVERY = 60
DEFAULT_TIMEOUT_S = 5.0
_CHUNK_S = 0.5


class Shell(Protocol):
    """A running `sh -s` on a board."""

    def send(self, data: bytes) -> None:
        """Write to its standard input."""

    def receive(self, timeout_s: float) -> bytes:
        """Return what it printed; empty at its end. Raises TimeoutError."""

    def close(self) -> None:
        """Close its input and forget it."""


class ShellSource(Protocol):
    """Opens shells and answers one question; an SSH session."""

    def open_shell(self, argv: Sequence[str] = ...) -> Shell:
        """Start a shell that reads commands from its standard input."""

    def succeeds(self, argv: Sequence[str], timeout_s: float) -> bool:
        """Whether a command ends with status 0."""


class BoardSampler:
    """Samples one board over a session. `sample` never raises for what a board or a link does.

    Args:
        session: opens the shells.
        sysroot: prefix of /proc, /sys and /etc; empty on a board.
        sudo: sample as root where `sudo -n` needs no password, else as the user; not below a prefix.
        board: the name that samples carry.
        serving_file: state file of the board's serving, which may come and go; its process is watched.
        timeout_s: how long one tick may take before the board counts as down.
    """

    def __init__(
        self,
        session: ShellSource,
        sysroot: str = "",
        *,
        sudo: bool = False,
        board: str = "",
        serving_file: str | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._session = session
        self._sysroot = sysroot
        self._root = "." if sysroot else ""
        self._sudo = sudo
        self._board = board
        self._timeout_s = timeout_s
        self._clock = clock
        self._shell: Shell | None = None
        self._reader = FrameReader()
        self._builder = SampleBuilder(board, self._root)
        self._pids: tuple[int, ...] = ()
        self._serving_file = serving_file
        self._serving_pid: int | None = None
        self._number = 0
        self._is_root_shell = False

    @property
    def identity(self) -> Identity:
        """What the board said about itself; empty before the first sample."""
        return self._builder.identity

    @property
    def is_open(self) -> bool:
        """Whether a shell is held."""
        return self._shell is not None

    def watch(self, pids: Iterable[int]) -> None:
        """From the next sample on, read the memory of these processes, besides the serving one."""
        self._pids = tuple(sorted({int(pid) for pid in pids}))
        if self._shell is not None:
            try:
                self._send_watch(self._shell)
            except (OSError, EOFError, RKDeckError):
                self.close()

    def use(self, session: ShellSource) -> None:
        """Sample over another session, after a reconnect."""
        self.close()
        self._session = session

    def sample(self) -> BoardSample:
        """Return one sample; `link` is "down", and all else unknown, when the board does not answer."""
        had_shell = self._shell is not None
        try:
            try:
                return self._tick()
            except (OSError, EOFError) as error:
                self.close()
                refused_root = self._is_root_shell and not had_shell
                # A timeout has used up the tick: a second one would keep the caller twice as long as promised.
                if isinstance(error, TimeoutError) or not (had_shell or refused_root):
                    raise
                return self._tick_once_more(as_user=refused_root)
        except RKDeckError as error:
            self.close()
            return down_sample(self._board, self._clock(), error)
        except (OSError, EOFError) as error:
            self.close()
            return BoardSample(self._board, self._clock(), DOWN, missing={"link": _why(error)})

    def _tick_once_more(self, *, as_user: bool) -> BoardSample:
        """Sample over a fresh shell, where the end of the last one is no proof that the link is dead.

        There are two such ends. A shell that had answered before may have been ended by somebody on the board.
        One as root that never answered may be a sudo that runs `true` but no shell: the user's own rights must
        do then, and from now on, unless they fail as well: that was the link, and root is wanted again.
        """
        wanted, self._sudo = self._sudo, self._sudo and not as_user
        try:
            return self._tick()
        except (OSError, EOFError, RKDeckError):
            self._sudo = wanted
            raise

    def close(self) -> None:
        """End the shell; the next sample starts another."""
        shell, self._shell = self._shell, None
        if shell is not None:
            with contextlib.suppress(OSError, EOFError, RKDeckError):
                shell.close()

    def _tick(self) -> BoardSample:
        deadline = time.monotonic() + self._timeout_s
        shell = self._shell or self._start(deadline)
        self._number += 1
        if self._number % REDISCOVER_EVERY == 0:
            self._identify(shell, deadline, "D\nI\n")
        kind = "L" if self._number % SLOW_EVERY == 1 else "S"
        shell.send(f"{kind} {self._number}\n".encode())
        frame = self._await(shell, self._number, deadline)
        sample = self._builder.build(frame, self._clock(), self._serving_file)
        if self._builder.serving_pid != self._serving_pid:
            self._serving_pid = self._builder.serving_pid
            self._send_watch(shell)
        return sample

    def _start(self, deadline: float) -> Shell:
        argv: tuple[str, ...] = ("sh", "-s")
        self._is_root_shell = self._sudo and not self._sysroot and self._may_sudo()
        if self._is_root_shell:
            argv = ("sudo", "-n", *argv)
        self._reader = FrameReader()
        self._builder = SampleBuilder(self._board, self._root)
        shell = self._shell = self._session.open_shell(argv)
        if self._sysroot:
            # Below a prefix the shell works with relative paths, so that the prefix may hold any character.
            shell.send(f"{remote_command(['cd', self._sysroot])} || exit 1\nR=.\n".encode())
        shell.send(script_text())
        self._send_watch(shell)
        self._identify(shell, deadline, "I\n")
        return shell

    def _may_sudo(self) -> bool:
        # Probed first: sudo would ask for a password and take our script for it.
        return self._session.succeeds(("sudo", "-n", "true"), self._timeout_s)

    def _identify(self, shell: Shell, deadline: float, line: str) -> None:
        shell.send(line.encode())
        self._builder.identify(parse_identity(self._await(shell, None, deadline), self._root))

    def _send_watch(self, shell: Shell) -> None:
        pids = {*self._pids, *([] if self._serving_pid is None else [self._serving_pid])}
        lines = " ".join(["P", *map(str, sorted(pids))]), remote_command(["V", self._serving_file or ""])
        shell.send("".join(f"{line}\n" for line in lines).encode())

    def _await(self, shell: Shell, number: int | None, deadline: float) -> Frame:
        """The frame of this number; late answers to earlier questions are dropped."""
        while True:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            try:
                data = shell.receive(min(left_s, _CHUNK_S))
            except TimeoutError:
                continue
            if not data:
                raise EOFError
            for frame in self._reader.feed(data):
                if frame.number == number:
                    return frame


def script_text() -> bytes:
    """The sampling script, as it is sent to a board."""
    return board_script("sampler.sh").encode()


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return Missing.NO_ANSWER
    return Missing.SHELL_ENDED if isinstance(error, EOFError) else Missing.CONNECTION_LOST
