"""A way to a server over loopback that can fail as networks do: without telling anybody."""

import contextlib
import socket
import threading
from dataclasses import dataclass, field

_CHUNK_BYTES = 65536


@dataclass(slots=True)
class _Way:
    """One connection and both its halves; `open` is set while bytes pass."""

    near: socket.socket
    far: socket.socket
    open: threading.Event = field(default_factory=threading.Event)
    lost: bool = False


class Network:
    """Carries TCP connections to a port of this computer.

    `freeze` is a pulled cable: bytes stop, both ends keep their sockets. `thaw` lets them flow again. `lose` is a
    router that forgot everything: what was connected is never carried again and never ended, and nobody new comes
    through before `thaw`.
    """

    def __init__(self, port: int, listener: socket.socket | None = None) -> None:
        """Listen on loopback, or on `listener` (as one made in another network namespace)."""
        self._target = port
        self._listener = listener or socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._lock = threading.Lock()
        self._up = threading.Event()
        self._up.set()
        self._ways: list[_Way] = []
        self._is_closed = False
        self._to_server_bytes = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def to_server_bytes(self) -> int:
        """How much reached the server, over all connections."""
        with self._lock:
            return self._to_server_bytes

    @property
    def connections(self) -> int:
        """How many were made, the first included."""
        with self._lock:
            return len(self._ways)

    def freeze(self) -> None:
        """Carry nothing until `thaw`; connections stay."""
        self._up.clear()
        with self._lock:
            for way in self._ways:
                way.open.clear()

    def lose(self) -> None:
        """The same, and never carry what is connected now again."""
        self.freeze()
        with self._lock:
            for way in self._ways:
                way.lost = True

    def thaw(self) -> None:
        """Carry again."""
        with self._lock:
            for way in self._ways:
                if not way.lost:
                    way.open.set()
        self._up.set()

    def close(self) -> None:
        """End everything."""
        with self._lock:
            self._is_closed = True
            ways = list(self._ways)
        for link in (self._listener, *(end for way in ways for end in (way.near, way.far))):
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
            link.close()
        for way in ways:
            way.open.set()
        self._up.set()

    def __enter__(self) -> "Network":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self._up.wait()
                try:
                    way = _Way(near, socket.create_connection(("127.0.0.1", self._target)))
                except OSError:  # the server is gone
                    near.close()
                    continue
                with self._lock:
                    if self._is_closed:  # in this very moment
                        near.close()
                        way.far.close()
                        return
                    self._ways.append(way)
                    if self._up.is_set():
                        way.open.set()
                for to_server in (True, False):
                    threading.Thread(target=self._carry, args=(way, to_server), daemon=True).start()

    def _carry(self, way: _Way, to_server: bool) -> None:
        source, sink = (way.near, way.far) if to_server else (way.far, way.near)
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK_BYTES):
                way.open.wait()
                sink.sendall(data)
                if to_server:
                    with self._lock:
                        self._to_server_bytes += len(data)
            way.open.wait()
            sink.shutdown(socket.SHUT_WR)
