"""One connection's part in an upload: orders and blocks go out, answers come in, each by a thread of its own."""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from core.base.errors import RKDeckError
from core.remote.session import SshSession
from core.transfer.pace import Limit
from core.transfer.receiving import Receiver

UNIT_BYTES = 64 << 10  # as in receive.sh
BLOCK_BYTES = 1 << 20  # as in receive.sh and lane.sh
_PIECE_BYTES = 256 << 10
_SILENT_S = 60.0


@dataclass(frozen=True, slots=True)
class Order:
    """What a script on the board is told.

    Attributes:
        head: the line.
        offset: in the file, of the block that follows or is taken; None: none does.
        data: the block that follows.
        name: under which the board keeps the block; empty: it becomes the next of the file.
        end: of the file on the board afterwards; None: it does not grow.
        answer: the one that says that it was carried out.
    """

    head: str
    offset: int | None = None
    data: bytes = b""
    name: str = ""
    end: int | None = None
    answer: str = "ok"


@dataclass(frozen=True, slots=True)
class Done:
    """An order was carried out; when (`time.monotonic`), and the number that was answered."""

    lane: "Lane"
    order: Order
    number: int
    at_s: float


@dataclass(frozen=True, slots=True)
class Broken:
    """A connection is of no more use."""

    lane: "Lane"
    error: RKDeckError


class Lane:
    """A script on the board that takes orders; its owner gives them and hears of them through `tell`."""

    def __init__(
        self,
        receiver: Receiver,
        limit: Limit,
        tell: Callable[[Done | Broken], None],
        session: SshSession | None = None,
    ) -> None:
        """Take a script that is ready, and the session that ends with it (None: it belongs to somebody else)."""
        self.pending: deque[Order] = deque()  # the owner's: given, not answered
        self.heard_s = time.monotonic()
        self.retired = False  # gets no more blocks
        self._receiver = receiver
        self._limit = limit
        self._tell = tell
        self._session = session
        self._moved_s = time.monotonic()
        self._out: queue.SimpleQueue[Order | None] = queue.SimpleQueue()
        self._in: queue.SimpleQueue[Order | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=work, name=f"upload {name}", daemon=True)
            for name, work in (("blocks", self._send), ("answers", self._hear))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def blocks(self) -> int:
        """How many blocks are on their way."""
        return sum(1 for order in self.pending if order.data)

    def give(self, order: Order) -> None:
        """Let an order be sent after those before."""
        if not self.pending:
            self.heard_s = time.monotonic()
        self.pending.append(order)
        self._out.put(order)
        self._in.put(order)

    def rest(self) -> None:
        """Give no more orders; returns when those given are sent and answered, or the connection is broken."""
        self._out.put(None)
        self._in.put(None)
        for thread in self._threads:
            thread.join()

    def close(self) -> None:
        """End the connection, if it is this lane's own, which ends the script and the threads."""
        if self._session is not None:
            self._session.close()  # the script is not asked first: the connection may hang
        self.rest()

    def _send(self) -> None:
        while (order := self._out.get()) is not None:
            try:
                if not self._receiver.put(f"{order.head}\n".encode()) or not self._send_block(order.data):
                    return  # why is heard by the other thread
            except RKDeckError as error:
                self._tell(Broken(self, error))
                return

    def _send_block(self, data: bytes) -> bool:
        view, step = memoryview(data), self._limit.piece_bytes or _PIECE_BYTES
        for start in range(0, len(data), step):
            piece = view[start : start + step]
            self._limit.wait(len(piece))
            if not self._receiver.put(piece, self._moved):
                return False
        return True

    def _moved(self, _: int) -> None:
        self._moved_s = time.monotonic()

    def _hear(self) -> None:
        while (order := self._in.get()) is not None:
            try:
                number = self._answer(order)
            except RKDeckError as error:
                self._tell(Broken(self, error))
                return
            self._tell(Done(self, order, number, time.monotonic()))

    def _answer(self, order: Order) -> int:
        """The answer to an order; what is slow but moves is no reason to give up."""
        while True:
            try:
                return self._receiver.answer(order.answer, _SILENT_S)
            except RKDeckError as error:
                if error.code != "remote.stalled" or time.monotonic() - self._moved_s > _SILENT_S:
                    raise
