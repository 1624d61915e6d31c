"""Short calls beside the main thread."""

import threading
import time
import weakref

import pytest

from core.base.errors import CancelledError
from core.base.tasks import CancelToken, TaskPool
from tests.support.waiting import wait_until


def test_calls_run_side_by_side_and_give_results_and_errors() -> None:
    pool = TaskPool(4)
    barrier = threading.Barrier(4)
    futures = [pool.submit(barrier.wait, 10) for _ in range(4)]
    assert sorted(future.result(10) for future in futures) == [0, 1, 2, 3]
    with pytest.raises(ZeroDivisionError):
        pool.submit(lambda: 1 // 0).result(10)
    pool.close()


def test_more_calls_than_threads_wait_their_turn() -> None:
    pool = TaskPool(2)
    running, most, lock = 0, 0, threading.Lock()

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1

    for future in [pool.submit(work) for _ in range(20)]:
        future.result(10)
    assert most == 2
    pool.close()


def test_a_closed_pool_takes_nothing_and_cancels_what_waits() -> None:
    before = set(threading.enumerate())
    pool = TaskPool(1)
    release = threading.Event()
    first = pool.submit(release.wait, 10)
    waiting = pool.submit(lambda: None)
    wait_until(first.running, timeout_s=30)
    threads = set(threading.enumerate()) - before
    pool.close()
    assert waiting.cancelled()
    with pytest.raises(CancelledError):
        pool.submit(lambda: None)
    release.set()
    assert first.result(10)
    assert threads
    wait_until(lambda: not any(thread.is_alive() for thread in threads), timeout_s=30)


def test_an_idle_thread_keeps_nothing_of_the_last_call_alive() -> None:
    class Thing:
        pass

    pool, thing = TaskPool(1), Thing()
    reference = weakref.ref(thing)
    pool.submit(id, thing).result(10)
    del thing
    wait_until(lambda: reference() is None, timeout_s=30)
    pool.close()


def test_a_token_wakes_sleepers_and_tells_callbacks_once() -> None:
    token, told = CancelToken(), []
    forget = token.on_cancel(lambda: told.append("forgotten"))
    token.on_cancel(lambda: told.append("first"))
    forget()
    sleeper = threading.Thread(target=token.wait, args=(30,))
    sleeper.start()
    token.cancel()
    token.cancel()
    sleeper.join(10)
    assert not sleeper.is_alive()
    assert told == ["first"]
    token.on_cancel(lambda: told.append("late"))
    assert told == ["first", "late"]
    with pytest.raises(CancelledError):
        token.raise_if_cancelled()
