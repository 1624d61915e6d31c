"""When to connect again: at once it would hammer a board that boots, and all at the same moment a whole shelf."""

import random

from core.base.errors import RKDeckError
from core.remote.authentication import LOGIN_REFUSED

FIRST_S, LAST_S = 1.0, 30.0
# A wrong password every half minute would get this computer banned (fail2ban: 5 failures in 10 minutes).
LOGIN_REFUSED_S = 300.0
_JITTER = 0.2


class Backoff:
    """Waiting times that double from the first to the last until `reset`, each shortened by up to a fifth.

    Args:
        first_s: the first wait, in seconds.
        last_s: no wait is longer.
        jitter: the largest part that is taken off, from 0 to 1.
        seed: for waits that can be foretold; None: they differ each time.
    """

    def __init__(
        self,
        first_s: float = FIRST_S,
        last_s: float = LAST_S,
        jitter: float = _JITTER,
        seed: int | None = None,
    ) -> None:
        self._first_s = first_s
        self._last_s = last_s
        self._jitter = jitter
        self._random = random.Random(seed)  # noqa: S311  # no secret depends on it
        self._next_s = first_s

    def reset(self) -> None:
        """Begin with the shortest again: the connection works."""
        self._next_s = self._first_s

    def next_s(self) -> float:
        """The time to wait now, in seconds."""
        delay_s = self._next_s
        self._next_s = min(self._last_s, 2 * delay_s)
        return delay_s * (1.0 - self._jitter * self._random.random())

    def after(self, error: RKDeckError) -> float:
        """The time to wait after a failure, in seconds: long when the server said no to who we are."""
        return LOGIN_REFUSED_S if error.code in LOGIN_REFUSED else self.next_s()
