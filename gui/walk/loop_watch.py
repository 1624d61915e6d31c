"""How long the event loop was blocked: the longest time between two turns of a timer that is always due."""

import time

from PySide6.QtCore import QElapsedTimer, QObject, Qt, QTimer, Slot

_TICK_MS = 2


class LoopWatch(QObject):
    """Watches the loop it lives in.

    Attributes:
        longest_ms: the longest block so far, in milliseconds beyond the timer's own interval.
        longest_work_ms: the most this thread worked between two turns: what is left of a block when the
            operating system let others run meanwhile.
        over_50_ms: how many blocks were longer than 50 ms.
        at: what was going on during the longest one, as `note` said.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.longest_ms = self.longest_work_ms = 0.0
        self._worked_s = 0.0
        self.over_50_ms = 0
        self.at = ""
        self._note = ""
        self._clock = QElapsedTimer()
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(_TICK_MS)
        self._timer.timeout.connect(self._on_tick)

    def start(self) -> None:
        """Begin, or go on after a `stop`."""
        self._clock.start()
        self._worked_s = time.thread_time()
        self._timer.start()

    def stop(self) -> None:
        """Pause: what happens now does not count."""
        self._timer.stop()

    def note(self, text: str) -> None:
        """Say what is going on now."""
        self._note = text

    @property
    def current_note(self) -> str:
        """What was last said to be going on."""
        return self._note

    @Slot()
    def _on_tick(self) -> None:
        blocked_ms = self._clock.nsecsElapsed() / 1e6 - _TICK_MS
        self._clock.restart()
        worked_s = time.thread_time()
        self.longest_work_ms = max(self.longest_work_ms, 1000 * (worked_s - self._worked_s))
        self._worked_s = worked_s
        if blocked_ms > 50:
            self.over_50_ms += 1
        if blocked_ms > self.longest_ms:
            self.longest_ms, self.at = blocked_ms, self._note


def empty_loop_ms(seconds: float) -> float:
    """The longest block of a loop that has nothing to do but to wait: what this computer itself causes."""
    from PySide6.QtCore import QEventLoop

    watch, loop = LoopWatch(), QEventLoop()
    watch.start()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        loop.processEvents(
            QEventLoop.ProcessEventsFlag.AllEvents | QEventLoop.ProcessEventsFlag.WaitForMoreEvents
        )
    watch.stop()
    longest = watch.longest_ms
    watch.deleteLater()
    return longest
