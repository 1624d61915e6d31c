"""Cyclic garbage collection on the main thread only.

CPython collects on whichever thread happens to allocate; a QObject finalised on a worker thread takes the
program down (a segmentation fault within seconds when a QTimer is in the cycle). So automatic collection is
off, and a timer on the main thread collects the generation that is due, as pyqtgraph's GarbageCollector does.
"""

import gc

from PySide6.QtCore import QObject, QTimer, Slot

_INTERVAL_MS = 250


class GcGuard(QObject):
    """Takes garbage collection over for as long as it lives."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thresholds = gc.get_threshold()
        self._timer = QTimer(self)
        self._timer.setInterval(_INTERVAL_MS)
        self._timer.timeout.connect(self._check)

    def start(self) -> None:
        """Switch automatic collection off; what exists by now is exempt from later passes (start-up data)."""
        gc.collect()
        gc.freeze()
        gc.disable()
        self._timer.start()

    def stop(self) -> None:
        """Give collection back to the interpreter."""
        self._timer.stop()
        gc.unfreeze()
        gc.enable()

    @Slot()
    def _check(self) -> None:
        for generation in (2, 1, 0):
            if gc.get_count()[generation] > self._thresholds[generation]:
                gc.collect(generation)
                return
