"""Garbage with Qt objects in it is collected on the main thread, whoever makes it."""

import gc
import threading
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from gui.gc_guard import GcGuard

finalised_on: list[int] = []


class Looped(QObject):
    """In a cycle with itself, with a child timer: what crashes when a worker thread collects it."""

    def __init__(self) -> None:
        super().__init__()
        self.me = self
        self.timer = QTimer(self)

    def __del__(self) -> None:
        finalised_on.append(threading.get_ident())


@pytest.fixture
def guard(qapp: QApplication) -> Iterator[GcGuard]:
    made = GcGuard()
    made.start()
    yield made
    made.stop()
    made.deleteLater()


def test_cycles_are_collected_on_the_main_thread_while_threads_churn(guard: GcGuard, qtbot: QtBot) -> None:
    finalised_on.clear()
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            nodes = [[None] for _ in range(2000)]
            for node in nodes:
                node[0] = node  # type: ignore[call-overload]  # a cycle
            stop.wait(0.005)

    threads = [threading.Thread(target=churn) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(100):
        Looped()
    qtbot.waitUntil(lambda: len(finalised_on) >= 100, timeout=20_000)
    stop.set()
    for thread in threads:
        thread.join()
    assert set(finalised_on) == {threading.get_ident()}


def test_the_interpreter_has_its_collector_back_afterwards(qapp: QApplication) -> None:
    made = GcGuard()
    made.start()
    assert not gc.isenabled()
    made.stop()
    assert gc.isenabled()
    made.deleteLater()
