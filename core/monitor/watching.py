"""Sampling as a loop: even steps on one session, and many boards side by side, each with its own connection.

`samples` is the loop on one session; `Watcher` is what the worker of the live figures runs, whoever shows them.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import AbstractContextManager

from core.base.errors import RKDeckError
from core.base.foreign import members, number
from core.boards.records import Board
from core.monitor.sample import BoardSample, down_sample
from core.monitor.sampler import BoardSampler, ShellSource
from core.remote.backoff import Backoff
from core.serve.service import state_file

Lookup = Callable[[str], Board]
Connect = Callable[[Board, str | None], AbstractContextManager[ShellSource]]
Report = Callable[[BoardSample], None]

_CHECK_RECORD_EVERY_S = 10.0
# What a step may be whatever anybody writes; people are asked for less (core.monitor.feed).
_STEPS_S = (0.01, 86_400.0)
_log = logging.getLogger(__name__)


class Pace:
    """The rests between samples of one board; another thread may shorten or end them."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._stepping = False
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._stepped_s: float | None = None

    @property
    def ended(self) -> bool:
        """Whether `end` was called."""
        return self._ended.is_set()

    def end(self) -> None:
        """No further step."""
        self._ended.set()
        self._wake.set()

    def wake(self) -> None:
        """End the present rest at once; without one, the next."""
        self._wake.set()

    def set_interval(self, seconds: float) -> None:
        """Take longer or shorter steps, beginning with the present one; a `rest` is not shortened."""
        changed, self._interval_s = seconds != self._interval_s, seconds
        if changed and self._stepping:
            self._wake.set()

    def rest(self, seconds: float) -> bool:
        """Wait; returns whether to go on."""
        if not self.ended:
            self._wake.wait(max(0.0, seconds))
            self._wake.clear()
        return not self.ended

    def step(self) -> bool:
        """Wait until one interval after the last step began; returns whether to go on."""
        now_s = time.monotonic()
        if self._stepped_s is not None:
            self._stepping = True
            self.rest(self._stepped_s + self._interval_s - now_s)
            self._stepping = False
        self._stepped_s = time.monotonic()
        return not self.ended


def samples(session: ShellSource, board: Board, pace: Pace) -> Generator[BoardSample]:
    """Yield one sample per step until the pace ends; close the generator to end the shell on the board."""
    serving_file = state_file(board.store) if board.store else None
    with contextlib.closing(
        BoardSampler(session, board.sysroot, sudo=True, board=board.name, serving_file=serving_file)
    ) as sampler:
        while pace.step():
            yield sampler.sample()


class _BoardWatch:
    """One board in a thread of its own: connects, samples, connects again."""

    def __init__(
        self,
        name: str,
        password: str | None,
        interval_s: float,
        lookup: Lookup,
        connect: Connect,
        report: Report,
    ) -> None:
        self._name = name
        self._password = password
        self._lookup = lookup
        self._connect = connect
        self._report = report
        self._delays = Backoff()
        self._pace = Pace(interval_s)
        # A daemon, for it may hang in a connection attempt when the program ends.
        self._thread = threading.Thread(target=self._run, name=f"watch-{name}", daemon=True)
        self._thread.start()

    def use(self, password: str | None) -> None:
        """Use this password from now on; a new one is tried at once when the board is down."""
        if password != self._password:
            self._password = password
            self.retry()

    def retry(self) -> None:
        """When the board is down, try again now."""
        self._delays.reset()
        self._pace.wake()

    def set_interval(self, seconds: float) -> None:
        """From now on one sample in `seconds`."""
        self._pace.set_interval(seconds)

    def end(self) -> None:
        """Report nothing more and let the thread end by itself."""
        self._pace.end()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread; returns whether it has ended."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        going_on = True
        while going_on and not self._pace.ended:
            going_on = self._pace.rest(self._stay())

    def _stay(self) -> float:
        """Sample over one connection until it fails; returns how long to wait before the next, in seconds."""
        try:
            board = self._lookup(self._name)
            with self._connect(board, self._password) as session:
                self._follow(session, board)
        except RKDeckError as error:
            self._tell(down_sample(self._name, time.time(), error))
            return self._delays.after(error)
        except Exception as error:  # noqa: BLE001  # the thread's outermost frame: the window must hear of it
            if self._pace.ended:
                return 0.0
            _log.exception("sampling of %s failed", self._name)
            fault = RKDeckError("monitor.fault", board=self._name, fault=type(error).__name__)
            self._tell(down_sample(self._name, time.time(), fault))
        return self._delays.next_s()

    def _follow(self, session: ShellSource, board: Board) -> None:
        """Sample until the board does not answer, is another one by now, or nobody wants it any more."""
        checked_s = time.monotonic()
        with contextlib.closing(samples(session, board, self._pace)) as found:
            for sample in found:
                self._tell(sample)
                if not sample.is_up:
                    return
                self._delays.reset()
                if time.monotonic() - checked_s > _CHECK_RECORD_EVERY_S:
                    checked_s = time.monotonic()
                    if _reached_by(self._lookup(self._name)) != _reached_by(board):
                        return

    def _tell(self, sample: BoardSample) -> None:
        if not self._pace.ended:
            self._report(sample)


def _reached_by(board: Board) -> tuple[object, ...]:
    """What decides how and where a board is sampled; probing it again changes none of this."""
    return board.host, board.port, board.user, board.identity_file, board.store, board.sysroot


class Watcher:
    """Samples a changing set of boards side by side.

    A board that fails is reported as down, with the reason, at each failure, and tried again after 1, 2, 4 and
    at most 30 s; after a refused login after 5 minutes. `retry` and another password end that wait.

    Args:
        lookup: a board by its name; raises RKDeckError for one that is unknown. Called from many threads.
        connect: opens a session with a password, if there is one.
        report: called with each sample, from many threads.
        interval_s: between the samples of a board.
    """

    def __init__(self, lookup: Lookup, connect: Connect, report: Report, interval_s: float = 1.0) -> None:
        self._lookup = lookup
        self._connect = connect
        self._report = report
        self._interval_s = interval_s
        self._watches: dict[str, _BoardWatch] = {}

    def watch(self, boards: Mapping[str, str | None]) -> None:
        """Watch these boards (name and password) and no others."""
        for name in self._watches.keys() - boards.keys():
            self._watches.pop(name).end()
        for name, password in boards.items():
            if name in self._watches:
                self._watches[name].use(password)
            else:
                self._watches[name] = _BoardWatch(
                    name, password, self._interval_s, self._lookup, self._connect, self._report
                )

    def set_interval(self, seconds: float) -> None:
        """From now on one sample per board in `seconds`."""
        self._interval_s = seconds
        for watch in self._watches.values():
            watch.set_interval(seconds)

    def retry(self, names: Iterable[str]) -> None:
        """Try these boards now, if they are down and watched."""
        for name in names:
            if name in self._watches:
                self._watches[name].retry()

    def obey(self, lines: Iterable[bytes]) -> None:
        """Do what the front end writes, until it ends.

        A line is a JSON object with any of `"interval_s": 1.0`, `"watch": {"desk": "password", "lab": null}` and
        `"retry": ["desk"]`.
        """
        for line in lines:
            order = members(line)
            interval_s, watch, retry = (order.get(name) for name in ("interval_s", "watch", "retry"))
            step_s = number(interval_s, *_STEPS_S)
            if step_s is not None:
                self.set_interval(step_s)
            if isinstance(watch, dict):
                self.watch({name: word if isinstance(word, str) else None for name, word in watch.items()})
            if isinstance(retry, list):
                self.retry(name for name in retry if isinstance(name, str))
            if not order or (interval_s is not None and step_s is None):
                # Without the line itself: it may hold passwords.
                _log.error("the front end sent a line that is no order")

    def close(self, timeout_s: float) -> bool:
        """End all threads; returns whether that was done in time."""
        watches, self._watches = list(self._watches.values()), {}
        deadline_s = time.monotonic() + timeout_s
        for watch in watches:
            watch.end()
        return all(watch.join(max(0.0, deadline_s - time.monotonic())) for watch in watches)
