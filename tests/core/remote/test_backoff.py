"""Waiting times between connections."""

import pytest

from core.base.errors import RKDeckError
from core.remote.authentication import LOGIN_REFUSED
from core.remote.backoff import LOGIN_REFUSED_S, Backoff


def test_it_doubles_to_a_limit_and_begins_again() -> None:
    delays = Backoff(jitter=0.0)
    assert [delays.next_s() for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    delays.reset()
    assert delays.next_s() == 1


def test_jitter_shortens_and_spreads() -> None:
    firsts = [Backoff(jitter=0.2).next_s() for _ in range(200)]
    assert 0.8 <= min(firsts) < max(firsts) <= 1.0
    assert len(set(firsts)) > 100
    assert Backoff(seed=1).next_s() == Backoff(seed=1).next_s()


@pytest.mark.parametrize("code", sorted(LOGIN_REFUSED))
def test_a_refused_login_is_not_repeated_soon(code: str) -> None:
    delays = Backoff(jitter=0.0)
    assert delays.after(RKDeckError(code)) == LOGIN_REFUSED_S
    assert delays.after(RKDeckError("remote.refused")) == 1
