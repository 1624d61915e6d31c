"""An imaginary board's `/proc`, `/sys` and `/etc`, kept alive at 1 Hz and marked as simulated.

Nothing moves by itself but time: the NPU's load, jobs and heat follow what stand-in runtimes report in
`run/rkdeck-simulated/npu-busy-<pid>.json`, and free memory falls by their real resident sets.
"""

import contextlib
import json
import logging
import secrets
import threading
import time
from pathlib import Path

import psutil

from core.demo.board.state_model import BoardMoment, Work, advance, first_moment, read_work, window_shares
from core.demo.board.state_text import CPUS, constant_files, moving_files
from core.vendor.platforms import get_platform

BUSY_FOLDER = "run/rkdeck-simulated"
BUSY_PREFIX = "npu-busy-"
_TICK_S = 1.0
_FIRST_UPTIME_S = 60.0
_MAX_REPORT_BYTES = 64 << 10
_MIRRORED = ("status", "stat", "cmdline")
_log = logging.getLogger(__name__)


class BoardState:
    """The living files of one imaginary board below `root`.

    Args:
        root: the board's sysroot; made if absent.
        soc: a platform name of `resources/platforms.toml`.
    """

    def __init__(self, root: Path, soc: str = "rk3588") -> None:
        self._root = root
        self._soc = get_platform(soc)
        self._moment = first_moment(self._soc.npu_cores_max, CPUS, _FIRST_UPTIME_S)
        self._work: dict[int, Work] = {}
        self._written: dict[str, str] = {}
        self._process_files: set[int] = set()
        self._last_s = time.monotonic()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        (root / BUSY_FOLDER).mkdir(parents=True, exist_ok=True)
        for path, text in constant_files(self._soc, *self._names()).items():
            self._write(path, text)
        self._write_moment()

    @property
    def moment(self) -> BoardMoment:
        """The figures last written."""
        return self._moment

    def start(self) -> None:
        """Write once a second from a thread until `stop`."""
        if self._thread is None:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._run, name="board-state", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread and wait for it."""
        thread, self._thread = self._thread, None
        self._stopping.set()
        if thread is not None:
            thread.join()

    def tick(self) -> None:
        """Close the present window: read what runtimes report and write every file that changed."""
        now_s = time.monotonic()
        dt_s, self._last_s = now_s - self._last_s, now_s
        cores = self._soc.npu_cores_max
        shares, jobs = [0.0] * cores, [0] * cores
        processes = self._runtimes()
        for pid, report in processes.items():
            now = read_work(report, cores, now_s)
            if now is None:
                continue
            before = self._work.get(pid, Work((0.0,) * cores, (0,) * cores))
            self._work[pid] = now
            for core, share in enumerate(window_shares(before.busy_s, now.busy_s, dt_s)):
                shares[core] = min(1.0, shares[core] + share)
                jobs[core] += max(0, now.jobs[core] - before.jobs[core])
        self._work = {pid: work for pid, work in self._work.items() if pid in processes}
        rss_bytes = self._mirror(list(processes))
        self._moment = advance(self._moment, dt_s, tuple(shares), tuple(jobs), rss_bytes)
        self._write_moment()

    def _run(self) -> None:
        while not self._stopping.wait(_TICK_S):
            try:
                self.tick()
            except OSError as error:
                # The folder is being taken away, or the disk is full: the board stands still, and says so.
                _log.warning("simulated board not written: %s", error)

    def _runtimes(self) -> dict[int, dict[str, object]]:
        """The reports of living processes by pid; those of dead ones are removed."""
        found: dict[int, dict[str, object]] = {}
        for path in sorted((self._root / BUSY_FOLDER).glob(f"{BUSY_PREFIX}*.json")):
            digits = path.stem.removeprefix(BUSY_PREFIX)
            if not digits.isdecimal():
                continue
            if not _reporter_lives(path, int(digits)):
                path.unlink(missing_ok=True)
                continue
            with contextlib.suppress(FileNotFoundError, ValueError):
                report = json.loads(path.read_bytes()[:_MAX_REPORT_BYTES])
                if isinstance(report, dict):
                    found[int(digits)] = report
        return found

    def _mirror(self, pids: list[int]) -> int:
        """Copy what the kernel says about runtimes to the imaginary /proc; return their resident bytes."""
        total = 0
        for pid in pids:
            with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
                total += psutil.Process(pid).memory_info().rss
                for name in _MIRRORED:
                    text = Path(f"/proc/{pid}/{name}").read_text("utf-8", "replace")
                    self._write(f"proc/{pid}/{name}", text)
                self._process_files.add(pid)
        for pid in self._process_files - set(pids):
            for name in _MIRRORED:
                self._written.pop(f"proc/{pid}/{name}", None)
                (self._root / f"proc/{pid}/{name}").unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                (self._root / f"proc/{pid}").rmdir()
        self._process_files &= set(pids)
        return total

    def _names(self) -> tuple[str, str]:
        """Serial and machine id, drawn once and kept: it stays the same board after a restart."""
        names = []
        for path in ("proc/device-tree/serial-number", "etc/machine-id"):
            file = self._root / path
            kept = file.read_text("utf-8").strip("\0\n") if file.is_file() else ""
            names.append(kept or secrets.token_hex(16))
        return names[0], names[1]

    def _write_moment(self) -> None:
        for path, text in moving_files(self._soc, self._moment).items():
            self._write(path, text)

    def _write(self, path: str, text: str) -> None:
        """Replace a file in one step; no flush to the disk, for nothing here outlives the demo."""
        if self._written.get(path) == text:
            return
        target = self._root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.new")
        temporary.write_bytes(text.encode())
        temporary.replace(target)
        self._written[path] = text


def _reporter_lives(report: Path, pid: int) -> bool:
    """Whether the process that wrote the report still runs: not dead, not a zombie, not a later one's pid."""
    try:
        process = psutil.Process(pid)
        return (
            process.status() != psutil.STATUS_ZOMBIE and process.create_time() <= report.stat().st_mtime + 1
        )
    except (psutil.NoSuchProcess, FileNotFoundError):
        return False
