"""The stand-in runtime's NPU meter: how long it computed, told to the imaginary board. Standard library only.

`busy_s` grows only while a forward pass runs. The board turns it into the driver's one-second percentages.
"""

import contextlib
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

BUSY_FOLDER = "run/rkdeck-simulated"


class NpuMeter:
    """Counts computing time and jobs of one process on `cores` cores; writes `npu-busy-<pid>.json`.

    Every begin and every end is written (a rename on the same file system, some ten microseconds), so that
    a runtime waiting for a slow client never looks busy.
    """

    def __init__(self, sysroot: Path, cores: int) -> None:
        folder = sysroot / BUSY_FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / f"npu-busy-{os.getpid()}.json"
        self._cores = cores
        self._busy_s = 0.0
        self._jobs = 0
        self._closed = False
        # Reentrant: the signal handler that closes the meter may interrupt a write of the same thread.
        self._lock = threading.RLock()
        self._write(None)

    @contextlib.contextmanager
    def computing(self, jobs: int) -> Iterator[None]:
        """Count the time of the block as computing, and `jobs` finished jobs on each core at its end."""
        since_s = time.monotonic()
        self._write(since_s)
        try:
            yield
        finally:
            self._busy_s += time.monotonic() - since_s
            self._jobs += jobs
            self._write(None)

    def close(self) -> None:
        """Take the report away; nothing is written afterwards."""
        with self._lock:
            self._closed = True
            self._file.unlink(missing_ok=True)

    def _write(self, since_s: float | None) -> None:
        report = {
            "pid": os.getpid(),
            "busy_s": [round(self._busy_s, 6)] * self._cores,
            "jobs": [self._jobs] * self._cores,
            "since_s": since_s,
        }
        temporary = self._file.with_suffix(".new")
        with self._lock:
            if not self._closed:
                temporary.write_text(json.dumps(report))
                temporary.replace(self._file)
