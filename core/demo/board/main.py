"""The demo's board: a real SSH server on loopback in front of a private folder that looks like an RK3588.

Commands run as `/bin/sh -c` for whoever started it, in `FOLDER/home`, with `FOLDER/root` as the board's
/proc, /sys, /etc and /usr. `FOLDER/root/etc/rkdeck-simulated` marks it as simulated.

As a program: `python -m core.demo.board.main --folder DIR --authorized-key "ssh-ed25519 AAAA..."` prints one JSON
line `{"host","port","user","host_key_sha256","sysroot","store"}` and ends, with everything it started, when
its standard input ends.
"""

import argparse
import contextlib
import json
import os
import pwd
import select
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import paramiko
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from core.demo.board.processes import BoardProcesses
from core.demo.board.server import BoardConnection

HOST = "127.0.0.1"
_MARK = "This is RKDeck's demo board: a simulated Rockchip RK3588 board. Its figures are simulated too.\n"
_FOLDERS = ("home", "store", "tmp", "root/etc", "root/usr/local/bin", "root/usr/local/lib/rkdeck/runtimes")


class _State(Protocol):
    def start(self) -> None: ...
    def stop(self) -> None: ...


class DemoBoard:
    """One simulated board. `start` and `stop`, or use it as a context manager.

    Args:
        folder: the board's own; made when missing. Its host key is kept there.
        authorized_keys: public keys that may log in, `type base64 [comment]`.
        soc: which SoC the board's files describe.
        bare: an SSH server and empty folders only: no simulated /proc and /sys, no runtime.
    """

    def __init__(
        self, folder: Path, authorized_keys: Sequence[str], *, soc: str = "rk3588", bare: bool = False
    ) -> None:
        self.folder = folder.absolute()
        self._authorized = frozenset(" ".join(line.split()[:2]) for line in authorized_keys)
        self._soc = soc
        self._bare = bare
        self._listener: socket.socket | None = None
        self._accepting: threading.Thread | None = None
        self._connections: list[BoardConnection] = []
        self._lock = threading.Lock()
        self._processes: BoardProcesses | None = None
        self._state: _State | None = None
        self._host_key: paramiko.PKey | None = None

    @property
    def sysroot(self) -> Path:
        """The prefix of the board's /proc, /sys, /etc and /usr."""
        return self.folder / "root"

    @property
    def store(self) -> Path:
        """Where its models live."""
        return self.folder / "store"

    @property
    def home(self) -> Path:
        """The home folder of its account."""
        return self.folder / "home"

    @property
    def user(self) -> str:
        """The account's name."""
        return pwd.getpwuid(os.getuid()).pw_name

    @property
    def port(self) -> int:
        """The TCP port on loopback."""
        assert self._listener is not None, "not started"
        return int(self._listener.getsockname()[1])

    @property
    def host_key_sha256(self) -> str:
        """`SHA256:...` of the host key."""
        assert self._host_key is not None, "not started"
        return self._host_key.fingerprint

    def start(self) -> Self:
        """Make the board's files and listen on a free port of the loopback."""
        for name in _FOLDERS:
            (self.folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        (self.sysroot / "etc/rkdeck-simulated").write_text(_MARK)
        self._host_key = _host_key(self.folder / "host_key")
        self._processes = BoardProcesses(self.folder)
        try:
            if not self._bare:
                self._bring_to_life()
            self._listener = socket.create_server((HOST, 0))
        except BaseException:
            self.stop()
            raise
        self._accepting = threading.Thread(target=self._accept, args=(self._listener,), daemon=True)
        self._accepting.start()
        return self

    def _bring_to_life(self) -> None:
        from core.demo.board.state import BoardState
        from core.demo.runtime.install import install_runtime

        install_runtime(self.sysroot)
        self._state = BoardState(self.sysroot, soc=self._soc)
        self._state.start()

    def stop(self) -> None:
        """Switch off: connections are cut, everything the board started is ended."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        if self._accepting is not None:
            self._accepting.join()
        self.drop_connections()
        processes, self._processes = self._processes, None
        if processes is not None:
            processes.end()
        state, self._state = self._state, None
        if state is not None:
            state.stop()

    def drop_connections(self) -> None:
        """Cut all connections, as a pulled cable does; new ones are welcome."""
        with self._lock:
            connections, self._connections = self._connections, []
        for connection in connections:
            connection.close()

    def describe(self) -> dict[str, str | int]:
        """How to reach it, as the program prints it."""
        return {
            "host": HOST,
            "port": self.port,
            "user": self.user,
            "host_key_sha256": self.host_key_sha256,
            "sysroot": str(self.sysroot),
            "store": str(self.store),
        }

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                link, _ = listener.accept()
            except OSError:
                return
            processes, key = self._processes, self._host_key
            if processes is None or key is None:
                link.close()
                return
            connection = BoardConnection(link, key, self._authorized, processes)
            with self._lock:
                self._connections = [entry for entry in self._connections if entry.is_open]
                self._connections.append(connection)
                connection.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _host_key(file: Path) -> paramiko.PKey:
    """The board's ed25519 key, made on first use."""
    if not file.exists():
        private = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
        temporary = file.with_name(file.name + ".new")
        temporary.touch(mode=0o600)
        temporary.write_bytes(private)
        temporary.replace(file)
    return paramiko.Ed25519Key.from_private_key_file(str(file))


def _wait_for_end() -> None:
    """Return when standard input ends or SIGTERM or SIGINT comes.

    The kernel may hand a signal to any thread, and a blocking read in the main thread would then go on; the
    wake-up descriptor is written in whichever thread it is.
    """
    signalled, wake_up = os.pipe()
    os.set_blocking(wake_up, False)
    signal.set_wakeup_fd(wake_up)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    standard_input = sys.stdin.fileno()
    while signalled not in (ready := select.select([standard_input, signalled], [], [])[0]):
        if standard_input in ready and not os.read(standard_input, 4096):
            return


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a board until standard input ends or SIGTERM comes."""
    parser = argparse.ArgumentParser(
        prog="python -m core.demo.board.main", description="RKDeck's simulated board"
    )
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--authorized-key", action="append", default=[], metavar="'TYPE BASE64'")
    parser.add_argument("--soc", default="rk3588")
    parser.add_argument("--bare", action="store_true", help="no simulated /proc and /sys, no runtime")
    options = parser.parse_args(arguments)
    with DemoBoard(options.folder, options.authorized_key, soc=options.soc, bare=options.bare) as board:
        sys.stdout.write(json.dumps(board.describe()) + "\n")
        sys.stdout.flush()
        _wait_for_end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
