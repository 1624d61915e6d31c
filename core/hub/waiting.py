"""When a hub asks to come back later: what it says, waiting for it with a countdown, and giving that up."""

import math
import re
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TypeVar

from core.base.errors import RKDeckError
from core.base.events import EventHub
from core.base.foreign import digits, number
from core.hub.protocol import FileBody, Hub
from core.hub.records import ModelDetail, SearchPage, SearchQuery

# The Hub counts in windows of five minutes (its documentation, "Rate limits"). Longer waits are told, not kept.
MAX_WAIT_S = 300.0
_MAX_TOLD_S = 1_000_000_000
_MOST_WAITS = 5
_MAX_HEADER_CHARACTERS = 1000
_TICK_S = 1.0
# draft-ietf-httpapi-ratelimit-headers-09, as far as the Hub uses it: "resolvers";r=0;t=30
_LIMIT = re.compile(r'"[^"]{1,100}"\s*;\s*r\s*=\s*(\d{1,18})\s*;\s*t\s*=\s*(\d{1,18})', re.ASCII)
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class HubWait:
    """An event: a hub asked to come back later, and somebody waits.

    Attributes:
        left_s: whole seconds until it is asked again; 0 when the wait is over.
    """

    left_s: int


def told_wait_s(headers: Mapping[str, str]) -> float | None:
    """How long an answer asks to wait, in seconds; None when it does not, or in no sensible number.

    Args:
        headers: of an answer: `RateLimit` where nothing remains, else `Retry-After`, seconds or a date.
    """
    limits = _LIMIT.findall(headers.get("RateLimit", "")[:_MAX_HEADER_CHARACTERS])
    spent = [int(seconds) for remaining, seconds in limits if int(remaining) == 0]
    if spent and max(spent) <= _MAX_TOLD_S:
        return float(max(spent))
    after = headers.get("Retry-After", "").strip()[:_MAX_HEADER_CHARACTERS]
    seconds = digits(after, 0, _MAX_TOLD_S)
    if seconds is not None or not after.endswith("GMT"):
        return seconds
    until_unix_s = _unix_s(after)
    if until_unix_s is None:
        return None
    # From the hub's clock to the hub's clock: ours may be hours off.
    now_unix_s = _unix_s(headers.get("Date", "").strip()[:_MAX_HEADER_CHARACTERS])
    left_s = until_unix_s - (time.time() if now_unix_s is None else now_unix_s)
    return float(max(0, math.ceil(left_s))) if left_s <= _MAX_TOLD_S else None


def _unix_s(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None


def asked_wait_s(error: RKDeckError) -> float | None:
    """How long a hub's error asks to wait, a second at least; None when it does not ask."""
    told = number(error.facts.get("retry_after_s"), 0, _MAX_TOLD_S)
    return None if told is None else max(1.0, told)


def count_down(seconds: float, tell: Callable[[int], None], sleep: Callable[[float], object]) -> None:
    """Sleep in steps, telling the whole seconds that are left before each."""
    until_s = time.monotonic() + seconds
    while (left_s := until_s - time.monotonic()) > 0:
        tell(math.ceil(left_s))
        sleep(min(left_s, _TICK_S))


class Waits:
    """The waits of one program. Any thread may call."""

    def __init__(self, events: EventHub | None = None) -> None:
        self._events = events
        self._lock = threading.Lock()
        self._given_up = threading.Event()

    def give_up(self) -> None:
        """End every wait that goes on now; who waits gets the hub's error."""
        with self._lock:
            self._given_up.set()
            self._given_up = threading.Event()

    def wait(self, seconds: float) -> bool:
        """Wait; returns whether it came to its end."""
        with self._lock:
            given_up = self._given_up

        def sleep(step_s: float) -> None:
            if given_up.wait(step_s):
                raise _GivenUpError

        try:
            count_down(seconds, self._tell, sleep)
        except _GivenUpError:
            return False
        finally:
            self._tell(0)
        return True

    def _tell(self, left_s: int) -> None:
        if self._events is not None:
            self._events.publish(HubWait(left_s))


class _GivenUpError(Exception):
    pass


class PatientHub:
    """A hub that is asked again when it says when, for `MAX_WAIT_S` at most; the adapter of `core.hub.protocol.Hub`.

    Attributes:
        asked: the hub itself; a download waits by its own rules (`core.hub.download.Patience`).
    """

    def __init__(self, asked: Hub, waits: Waits) -> None:
        self.asked = asked
        self._waits = waits

    @property
    def name(self) -> str:
        """See `Hub.name`."""
        return self.asked.name

    @property
    def endpoint(self) -> str:
        """See `Hub.endpoint`."""
        return self.asked.endpoint

    def search_page(self, query: SearchQuery, cursor: str | None = None) -> SearchPage:
        """See `Hub.search_page`."""
        return self._patiently(lambda: self.asked.search_page(query, cursor))

    def details(self, repo: str, revision: str | None = None) -> ModelDetail:
        """See `Hub.details`."""
        return self._patiently(lambda: self.asked.details(repo, revision))

    def read_range(self, repo: str, commit: str, path: str, start: int, length: int) -> bytes:
        """See `Hub.read_range`."""
        return self._patiently(lambda: self.asked.read_range(repo, commit, path, start, length))

    def open_file(
        self, repo: str, commit: str, path: str, start: int, size_bytes: int
    ) -> AbstractContextManager[FileBody | None]:
        """See `Hub.open_file`."""
        return self.asked.open_file(repo, commit, path, start, size_bytes)

    def close(self) -> None:
        """See `Hub.close`."""
        self._waits.give_up()
        self.asked.close()

    def _patiently(self, ask: Callable[[], _Answer]) -> _Answer:
        left_s = MAX_WAIT_S
        for _ in range(_MOST_WAITS):
            try:
                return ask()
            except RKDeckError as error:
                wait_s = asked_wait_s(error)
                if wait_s is None or wait_s > left_s or not self._waits.wait(wait_s):
                    raise
                left_s -= wait_s
        return ask()
