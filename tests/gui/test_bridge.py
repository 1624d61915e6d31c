"""Threads reach Qt through one door, in batches."""

import threading
import time
from dataclasses import dataclass

import pytest
import shiboken6
from PySide6.QtCore import QObject
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from core.base.errors import CancelledError, RKDeckError
from core.base.events import EventHub
from core.base.tasks import CancelToken, TaskPool
from gui.bridge import Bridge
from tests.gui.page_parts import SLACK_MS


@dataclass(frozen=True, slots=True)
class Counted:
    """An event."""

    name: str
    number: int


class Listener(QObject):
    """Notes what it hears and on which thread."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[object] = []
        self.threads: set[int] = set()

    def hear(self, value: object) -> None:
        self.heard.append(value)
        self.threads.add(threading.get_ident())


@pytest.fixture
def pool() -> TaskPool:
    return TaskPool()


@pytest.fixture
def bridge(qapp: QApplication, pool: TaskPool) -> Bridge:
    return Bridge(pool)


def test_events_of_a_thread_arrive_in_order_on_the_main_thread(bridge: Bridge, qtbot: QtBot) -> None:
    events, listener = EventHub(), Listener()
    bridge.listen(events, Counted, listener.hear)

    def flood() -> None:
        for number in range(20_000):
            events.publish(Counted("a", number))

    thread = threading.Thread(target=flood)
    thread.start()
    qtbot.waitUntil(lambda: len(listener.heard) == 20_000, timeout=20_000)
    thread.join()
    assert [event.number for event in listener.heard] == list(range(20_000))  # type: ignore[attr-defined]
    assert listener.threads == {threading.get_ident()}


def test_of_one_key_only_the_latest_undelivered_message_arrives(bridge: Bridge, qtbot: QtBot) -> None:
    events, listener = EventHub(), Listener()
    bridge.listen(events, Counted, listener.hear, key=lambda event: event.name)
    for number in range(1000):
        events.publish(Counted("a", number))
        events.publish(Counted("b", number))
    qtbot.waitUntil(lambda: len(listener.heard) >= 2, timeout=SLACK_MS)
    assert listener.heard == [Counted("a", 999), Counted("b", 999)]


def test_a_flood_leaves_the_event_loop_its_turns(bridge: Bridge, qtbot: QtBot) -> None:
    class Slow(Listener):
        def hear(self, value: object) -> None:
            super().hear(value)
            time.sleep(0.004)

    class Turns(QObject):
        """Counts how much is delivered between two turns of the event loop."""

        def __init__(self, listener: Listener) -> None:
            super().__init__()
            self.listener, self.last, self.most = listener, 0, 0
            self.startTimer(0)

        def timerEvent(self, _event: object) -> None:
            now = len(self.listener.heard)
            self.most, self.last = max(self.most, now - self.last), now

    slow = Slow()
    turns = Turns(slow)
    sink = bridge.sink(slow.hear)
    for number in range(100):
        sink(number)
    qtbot.waitUntil(lambda: len(slow.heard) == 100, timeout=SLACK_MS)
    qtbot.waitUntil(lambda: turns.last == 100, timeout=SLACK_MS)
    assert turns.most <= 3  # of 4 ms each, in slices of 8


def test_result_and_error_of_a_call_come_back(bridge: Bridge, qtbot: QtBot) -> None:
    done, failed = Listener(), Listener()
    bridge.run(threading.get_ident, done=done.hear, failed=failed.hear)
    qtbot.waitUntil(lambda: bool(done.heard), timeout=SLACK_MS)
    assert done.heard != [threading.get_ident()]

    def refuse() -> None:
        raise RKDeckError("hub.not_found", what="x")

    bridge.run(refuse, done=done.hear, failed=failed.hear)
    qtbot.waitUntil(lambda: bool(failed.heard), timeout=SLACK_MS)
    error = failed.heard[0]
    assert isinstance(error, RKDeckError)
    assert error.code == "hub.not_found"


@pytest.mark.expects_log
def test_what_nobody_expected_is_logged_and_told_without_its_trace(
    bridge: Bridge, qtbot: QtBot, caplog: pytest.LogCaptureFixture
) -> None:
    def fault() -> None:
        raise ZeroDivisionError("oops")

    with qtbot.waitSignal(bridge.failed, timeout=SLACK_MS) as told:
        bridge.run(fault)
    assert told.args is not None
    assert told.args[0].code == "window.fault"
    assert "ZeroDivisionError" in caplog.text


def test_a_dropped_call_says_nothing_and_is_told_to_stop(bridge: Bridge, qtbot: QtBot) -> None:
    listener, token, stopped = Listener(), CancelToken(), threading.Event()

    def work(cancel: CancelToken) -> None:
        cancel.wait(30)
        stopped.set()
        cancel.raise_if_cancelled()

    task = bridge.run(work, cancel=token, done=listener.hear, failed=listener.hear)
    task.drop()
    assert stopped.wait(10)
    after = Listener()
    bridge.run(lambda: 1, done=after.hear)
    qtbot.waitUntil(lambda: bool(after.heard), timeout=SLACK_MS)
    assert listener.heard == []


def test_a_cancelled_call_comes_back_as_cancelled(bridge: Bridge, qtbot: QtBot) -> None:
    listener = Listener()

    def work(cancel: CancelToken) -> None:
        cancel.wait(30)
        cancel.raise_if_cancelled()

    task = bridge.run(work, cancel=CancelToken(), failed=listener.hear)
    task.cancel()
    qtbot.waitUntil(lambda: bool(listener.heard), timeout=SLACK_MS)
    assert isinstance(listener.heard[0], CancelledError)


def test_a_receiver_that_is_gone_hears_nothing(bridge: Bridge, qtbot: QtBot) -> None:
    gone, here = Listener(), Listener()
    heard, release = gone.heard, threading.Event()
    bridge.run(lambda: release.wait(10), done=gone.hear)
    del gone
    release.set()
    bridge.run(lambda: 1, done=here.hear)
    qtbot.waitUntil(lambda: bool(here.heard), timeout=SLACK_MS)
    assert heard == []


def test_a_widget_that_is_deleted_but_still_referred_to_hears_nothing(bridge: Bridge, qtbot: QtBot) -> None:
    deleted, here = Listener(), Listener()
    release = threading.Event()
    bridge.run(lambda: release.wait(10), done=deleted.hear)
    shiboken6.delete(deleted)
    release.set()
    bridge.run(lambda: 1, done=here.hear)
    qtbot.waitUntil(lambda: bool(here.heard), timeout=SLACK_MS)
    assert deleted.heard == []


def test_a_closed_bridge_delivers_nothing(bridge: Bridge, qtbot: QtBot) -> None:
    listener = Listener()
    sink = bridge.sink(listener.hear)
    sink(1)
    bridge.close()
    sink(2)
    QApplication.processEvents()
    assert listener.heard == []


def test_what_fails_after_the_end_is_no_news(
    bridge: Bridge, pool: TaskPool, caplog: pytest.LogCaptureFixture
) -> None:
    """A visit that is under way when the window closes meets a closed database."""
    go_on, began = threading.Event(), threading.Event()
    workers: list[threading.Thread] = []

    def fail() -> None:
        workers.append(threading.current_thread())
        began.set()
        go_on.wait(20)
        raise ValueError("closed database")

    bridge.run(fail)
    assert began.wait(20)
    bridge.close()
    go_on.set()
    pool.close()
    workers[0].join(20)
    assert caplog.records == []
