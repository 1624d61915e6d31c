"""Several connections for one file, where one keeps a core of the board busy or the server asks for little at a time.

An SSH server works on a connection with one core; Dropbear besides lets no more than 24 KiB be under way, so that
the way there and back limits it too.

The script on the first connection appends to the file, and only it does, so what is there is always a beginning
that can be verified and used by the next try. Further connections bring blocks of 1 MiB that the board keeps under
names beside the lock; once one is there, the first connection is told to append it when its turn has come. Nothing
is sent that lies more than 8 MiB beyond what the board has said to be in the file: so much may be sent twice.
"""

import contextlib
import heapq
import itertools
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from core.base.errors import RKDeckError
from core.remote.session import SshSession
from core.transfer.lane import BLOCK_BYTES, UNIT_BYTES, Broken, Done, Lane, Order
from core.transfer.pace import Limit
from core.transfer.receiving import Receiver
from core.transfer.source import SourceFile

WINDOW_BYTES = 8 << 20
_BLOCKS_EACH = 2
# What one connection gets at a time while it is the only one: fewer programs are started on the board.
_ALONE_BYTES = 4 << 20
_TICKS_PER_S = 100  # USER_HZ, the same on every Linux (proc(5))
_READY_TIMEOUT_S = 15.0
_POLL_S = 1.0
_JOIN_TIMEOUT_S = 30.0
_LEAST_S = 1e-6


@dataclass(frozen=True, slots=True)
class Sharing:
    """When further connections are tried.

    Attributes:
        least_bytes: that must be left to send.
        least_limit_bytes_per_s: a rate limit below this is reached with one connection anyway.
        probe_s, probe_bytes: for so long, and so much, a number of connections is measured.
        settle_s: after a connection came, before measuring.
        fast_bytes_per_s: with so much there is nothing to gain (a line of 1 Gbit/s is full).
        busy_share: of one core, that the server must spend on the connection, or
        narrow_bytes: the server must let no more than that be under way.
        gain: by which a further connection must be faster, or it is given up.
        near_limit: share of a rate limit at which it counts as reached.
        hung_s: a connection that is silent for so long while the first one is well is given up.
        most: connections.
    """

    least_bytes: int = 256 << 20
    least_limit_bytes_per_s: int = 32 << 20
    probe_s: float = 2.0
    probe_bytes: int = 16 << 20
    settle_s: float = 0.5
    fast_bytes_per_s: float = 110e6
    busy_share: float = 0.7
    narrow_bytes: int = 256 << 10
    gain: float = 1.1
    near_limit: float = 0.9
    hung_s: float = 10.0
    most: int = 3

    def suits(self, left_bytes: int, limit: Limit) -> bool:
        """Whether it is worth finding out."""
        rate = limit.bytes_per_s
        enough = rate is None or rate >= self.least_limit_bytes_per_s
        return self.most > 1 and left_bytes >= self.least_bytes and enough


@dataclass(frozen=True, slots=True)
class _Joined:
    lane: Lane


@dataclass(frozen=True, slots=True)
class _Refused:
    error: RKDeckError


class Convoy:
    """Sends whole blocks until there are no more, or until one connection alone is as good.

    Attributes:
        connections: the most that carried blocks at once.
        alone_because: why there are no more: see `UploadResult`.
        twice_bytes: sent again because a connection was lost.
    """

    def __init__(
        self,
        session: SshSession,
        receiver: Receiver,
        partial: str,
        pid: str,
        sharing: Sharing,
        limit: Limit,
    ) -> None:
        self.connections = 1
        self.alone_because = "ended"
        self.twice_bytes = 0
        self._window_bytes = receiver.window_bytes
        self._session, self._partial, self._pid = session, partial, pid
        self._sharing, self._limit = sharing, limit
        self._events: queue.SimpleQueue[Done | Broken | _Joined | _Refused] = queue.SimpleQueue()
        self._main = Lane(receiver, limit, self._events.put)
        self._lanes = [self._main]
        self._helpers: list[threading.Thread] = []
        self._over = False
        self._lock = threading.Lock()
        # Blocks: lost ones to be sent again, those kept on the board by their place, names to use again.
        self._lost: list[int] = []
        self._kept: dict[int, str] = {}
        self._names: list[str] = []
        self._numbers = itertools.count()
        # How many connections pay: the stage, since when and from where it is measured, the rate before.
        #   probe (one is measured) -> asking (how busy was the server?) -> opening -> trial (measured with one more)
        #   -> opening ...; from anywhere -> settled, with the reason in `alone_because`.
        self._stage = "probe"
        self._since_s = time.monotonic()
        self._since_bytes: int | None = None
        self._ticks: tuple[float, int] | None = None
        self._rate = 0.0

    def run(self, source: SourceFile, offset: int, progress: Callable[[int], None]) -> int:
        """Send blocks from `offset` on; returns from where the rest is to be sent as such.

        Raises:
            RKDeckError: what ends the first connection; `remote.source_changed`.
        """
        self._source = source
        # Told to be appended; said to be in the file; not yet given to anybody; where whole blocks end.
        self._ordered = self._there = self._next = offset
        self._end = offset + (source.size_bytes - offset) // BLOCK_BYTES * BLOCK_BYTES
        self._ask_for_ticks()
        while self._there < self._end:
            self._hand_out()
            try:
                self._handle(self._events.get(timeout=_POLL_S))
            except queue.Empty:
                self._drop_hung()
            progress(self._there)
            self._decide()
        self._main.rest()
        return self._there

    def close(self) -> None:
        """End the further connections; the first one's script must be at rest, or closed."""
        with self._lock:
            self._over = True
        for lane in self._lanes[1:]:
            lane.close()
        for helper in self._helpers:
            helper.join(_JOIN_TIMEOUT_S)
        with contextlib.suppress(queue.Empty):
            while True:  # a connection that came too late
                event = self._events.get_nowait()
                if isinstance(event, _Joined):
                    event.lane.close()
        self._main.rest()

    def _hand_out(self) -> None:
        """Let finished blocks be appended, and give every connection something to do."""
        while (name := self._kept.pop(self._ordered, None)) is not None:
            self._main.give(Order(f"t {name}", self._ordered, name=name, end=self._ordered + BLOCK_BYTES))
            self._ordered += BLOCK_BYTES
        for lane in self._lanes:
            while not lane.retired and lane.blocks < _BLOCKS_EACH and (free := self._free_blocks()):
                lane.give(self._order(lane, *free))

    def _free_blocks(self) -> tuple[int, int] | None:
        """The place and size of what nobody has; several blocks for one alone; None when it is too far ahead."""
        offset = self._lost[0] if self._lost else self._next
        size, bound = BLOCK_BYTES, min(self._end, self._there + WINDOW_BYTES)
        if offset + size > bound:
            return None
        if self._lost:
            return heapq.heappop(self._lost), size
        if len(self._lanes) == 1 and offset == self._ordered:
            size = min(_ALONE_BYTES, bound - offset)
        self._next += size
        return offset, size

    def _order(self, lane: Lane, offset: int, size: int) -> Order:
        data = self._source.block(offset, size)
        if lane is self._main and offset == self._ordered:
            self._ordered += size
            return Order(f"d {size // UNIT_BYTES}", offset, data, end=self._ordered)
        name = self._names.pop() if self._names else str(next(self._numbers))
        if lane is not self._main:
            return Order(name, offset, data, name)
        self._kept[offset] = name  # it will be there before any order that follows
        return Order(f"p {name}", offset, data, name)

    def _handle(self, event: Done | Broken | _Joined | _Refused) -> None:
        match event:
            case Done():
                self._answered(event)
            case Broken():
                self._broke(event)
            case _Joined():
                self._lanes.append(event.lane)
                self.connections = max(self.connections, len(self._lanes))
                self._stage, self._since_bytes = "trial", None
                self._since_s = time.monotonic() + self._sharing.settle_s
            case _Refused():
                self._settle(event.error.code)

    def _answered(self, done: Done) -> None:
        lane, order = done.lane, done.order
        if lane not in self._lanes:
            return  # it was given up, its blocks are with others
        lane.pending.popleft()
        lane.heard_s = done.at_s
        if order.answer == "cpu":
            self._heard_of_ticks(done)
        elif order.end is not None:
            self._there = order.end
            if order.name:
                self._names.append(order.name)
        elif lane is not self._main and order.offset is not None:
            self._kept[order.offset] = order.name

    def _broke(self, broken: Broken) -> None:
        if broken.lane is self._main:
            raise broken.error
        if broken.lane in self._lanes:
            self._leave(broken.lane)
            self._settle(broken.error.code)

    def _leave(self, lane: Lane) -> None:
        """Do without a connection; what it has not brought is sent again.

        The names of its blocks are not used again: one that is under way may still arrive on the board.
        """
        self._lanes.remove(lane)
        for order in lane.pending:
            if order.offset is not None:
                heapq.heappush(self._lost, order.offset)
                self.twice_bytes += BLOCK_BYTES
        lane.pending.clear()
        self._help(lane.close)

    def _drop_hung(self) -> None:
        now = time.monotonic()
        if self._main.pending and now - self._main.heard_s > self._sharing.hung_s:
            return  # nothing moves at all
        for lane in self._lanes[1:]:
            if lane.pending and now - lane.heard_s > self._sharing.hung_s:
                self._leave(lane)
                self._settle("remote.stalled")

    def _settle(self, reason: str) -> None:
        """Try no more connections."""
        self._stage, self.alone_because = "settled", reason

    def _decide(self) -> None:
        """Whether it is time to measure, and what follows from it."""
        for lane in self._lanes[1:]:
            if lane.retired and not lane.pending:
                self._leave(lane)
        if self._stage == "settled":
            if len(self._lanes) == 1:
                self._end = self._next  # the rest goes without blocks
            return
        now = time.monotonic()
        if self._stage not in {"probe", "trial"} or now < self._since_s:
            return
        if self._since_bytes is None:
            self._since_s, self._since_bytes = now, self._there
        seconds, moved = now - self._since_s, self._there - self._since_bytes
        rate = moved / max(seconds, _LEAST_S)
        known = seconds >= self._sharing.settle_s or moved >= self._sharing.probe_bytes
        if known and rate >= self._sharing.fast_bytes_per_s:  # of what the board has confirmed
            self._settle("fast")
        elif seconds >= self._sharing.probe_s and moved >= self._sharing.probe_bytes:
            self._judge(rate)

    def _judge(self, rate: float) -> None:
        """What to do now that it is known how fast it goes, in bytes/s."""
        best, self._rate = self._rate, rate
        limit = self._limit.bytes_per_s
        if self._stage == "probe":
            self._stage = "asking"
            self._ask_for_ticks()
        elif rate < best * self._sharing.gain:
            self._lanes[-1].retired = True
            self._settle("no_gain")
        elif len(self._lanes) >= self._sharing.most:
            self._settle("most")
        elif limit is not None and rate >= limit * self._sharing.near_limit:
            self._settle("limit")
        else:
            self._open()

    def _ask_for_ticks(self) -> None:
        self._main.give(Order("c", answer="cpu"))

    def _heard_of_ticks(self, done: Done) -> None:
        """Compare how long the server has worked with how long it took."""
        if self._ticks is None:
            self._ticks = (done.at_s, done.number)
            return
        then_s, before = self._ticks
        share = (done.number - before) / _TICKS_PER_S / max(done.at_s - then_s, _LEAST_S)
        limit = self._limit.bytes_per_s
        if limit is not None and self._rate >= limit * self._sharing.near_limit:
            self._settle("limit")
        elif share < self._sharing.busy_share and self._window_bytes > self._sharing.narrow_bytes:
            self._settle("line")
        else:
            self._open()

    def _open(self) -> None:
        self._stage = "opening"
        self._help(self._connect)

    def _connect(self) -> None:
        """Make one more connection; its script on the board is ready when the others hear of it."""
        session: SshSession | None = None
        try:
            session = self._session.beside()
            receiver = Receiver(session, self._partial, "lane.sh", [self._partial, self._pid])
            receiver.answer("ready", _READY_TIMEOUT_S)
        except RKDeckError as error:
            if session is not None:
                session.close()
            self._events.put(_Refused(error))
            return
        with self._lock:
            if not self._over:
                self._events.put(_Joined(Lane(receiver, self._limit, self._events.put, session)))
                return
        session.close()

    def _help(self, work: Callable[[], None]) -> None:
        helper = threading.Thread(target=work, name="upload connection", daemon=True)
        self._helpers.append(helper)
        helper.start()
