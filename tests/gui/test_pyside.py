"""The installed PySide6 keeps its reference counts: 6.12.0 on Python 3.11 does not, and aborts."""

import sys

from PySide6.QtCore import QObject, Signal


class Emitter(QObject):
    """Has a signal."""

    fired = Signal(object)


def test_emitting_leaves_the_count_of_true_alone() -> None:
    emitter = Emitter()
    before = sys.getrefcount(True)
    for _ in range(200):
        emitter.fired.emit(None)
    assert abs(sys.getrefcount(True) - before) < 20
