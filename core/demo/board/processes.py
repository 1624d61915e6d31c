"""What a demo board runs: commands as sshd runs them, in the board's own folders, and their end with it."""

import contextlib
import os
import pwd
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO

import paramiko

from core.demo.board import keeper as board_keeper

_CHUNK_BYTES = 128 << 10
_KEEPER_TIMEOUT_S = 20.0


class BoardProcesses:
    """Starts commands inside one board's folder and ends all of them when the board ends.

    Children find the board's life line as an inherited descriptor (`RKDECK_BOARD_FD`): it reads end-of-file
    when the board has died, even by SIGKILL. A keeper process outlives the board for the moment it takes to
    end whoever does not look.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._marker = f"RKDECK_BOARD={secrets.token_hex(8)}"
        self._life_read, self._life_write = os.pipe()
        self._keeper = subprocess.Popen(
            [sys.executable, "-I", "-S", str(board_keeper.__file__), self._marker],
            stdin=self._life_read,
            start_new_session=True,
        )
        self._threads: set[threading.Thread] = set()

    def run(self, channel: paramiko.Channel, command: str | None, announced: Callable[[], None]) -> None:
        """Run a command line on a channel, in the background.

        Args:
            channel: its standard input and outputs.
            command: None: a shell that reads its standard input.
            announced: returns when the client knows that the command was started.
        """
        argv = ["/bin/sh"] if command is None else ["/bin/sh", "-c", command]
        process = subprocess.Popen(
            argv,
            cwd=self.folder / "home",
            env=self._environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(self._life_read,),
            start_new_session=True,
            bufsize=0,
        )
        _Attached(channel, process, announced, self._threads).start()

    def end(self) -> None:
        """Cut the life line and wait until nothing of this board runs any more."""
        os.close(self._life_write)
        try:
            self._keeper.wait(_KEEPER_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._keeper.kill()
            self._keeper.wait()
        os.close(self._life_read)
        for thread in list(self._threads):
            thread.join(_KEEPER_TIMEOUT_S)

    def _environment(self) -> dict[str, str]:
        root = self.folder / "root"
        user = pwd.getpwuid(os.getuid()).pw_name
        marker, _, value = self._marker.partition("=")
        return {
            "HOME": str(self.folder / "home"),
            "PATH": f"{root}/usr/local/bin:/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin",
            "TMPDIR": str(self.folder / "tmp"),
            "USER": user,
            "LOGNAME": user,
            "SHELL": "/bin/sh",
            "LANG": "C.UTF-8",
            marker: value,
            "RKDECK_BOARD_FD": str(self._life_read),
            "RKDECK_BOARD_ROOT": str(root),
        }


class _Attached:
    """One process and the channel it talks over."""

    def __init__(
        self,
        channel: paramiko.Channel,
        process: subprocess.Popen[bytes],
        announced: Callable[[], None],
        threads: set[threading.Thread],
    ) -> None:
        self._channel = channel
        self._process = process
        self._announced = announced
        self._threads = threads

    def start(self) -> None:
        for target in (self._feed, self._finish):
            self._spawn(target)

    def _spawn(self, target: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=self._tracked, args=(target,), daemon=True)
        self._threads.add(thread)
        thread.start()
        return thread

    def _tracked(self, target: Callable[[], None]) -> None:
        try:
            target()
        finally:
            self._threads.discard(threading.current_thread())

    def _feed(self) -> None:
        """Client to standard input. Not reading from the channel is what holds a fast client back."""
        stdin = self._process.stdin
        assert stdin is not None
        with contextlib.suppress(OSError, EOFError), stdin:
            while data := self._channel.recv(_CHUNK_BYTES):
                _write_all(stdin.fileno(), data)
        # A process that stopped reading: what still comes is dropped, as sshd does.
        with contextlib.suppress(OSError, EOFError):
            while self._channel.recv(_CHUNK_BYTES):
                continue
        self._channel.status_event.wait()  # set when the channel or its connection is closed
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGHUP)

    def _finish(self) -> None:
        """Outputs to the client, then the exit status."""
        process, channel = self._process, self._channel
        self._announced()
        stdout, stderr = process.stdout, process.stderr
        assert stdout is not None
        assert stderr is not None
        outputs = [
            self._spawn(lambda: _drain(stdout, channel.sendall)),
            self._spawn(lambda: _drain(stderr, channel.sendall_stderr)),
        ]
        status = process.wait()
        with contextlib.suppress(OSError, EOFError):
            channel.send_exit_status(status if status >= 0 else 128 - status)
        # As with sshd, a background process that keeps the outputs open keeps the channel open.
        for thread in outputs:
            thread.join()
        with contextlib.suppress(OSError, EOFError):
            channel.close()


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _drain(source: IO[bytes], send: Callable[[bytes], None]) -> None:
    """Copy until the source ends; when nobody listens any more, the writer gets a broken pipe."""
    with source, contextlib.suppress(OSError, EOFError):
        while data := os.read(source.fileno(), _CHUNK_BYTES):
            send(data)
