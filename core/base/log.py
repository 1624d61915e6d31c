"""Logging to a rotated file, with secrets blotted out of every record."""

import contextlib
import logging
import logging.handlers
import sys
import threading
from io import TextIOWrapper
from pathlib import Path

from core.base.blot import BLOT, without_secrets
from core.base.opening import regular_only

_secrets: set[str] = set()
_secrets_lock = threading.Lock()
_MIN_SECRET_LENGTH = 4


def register_secret(text: str) -> None:
    """Blot `text` out of every later log record and job log; too short ones would blot out words."""
    if len(text) >= _MIN_SECRET_LENGTH:
        with _secrets_lock:
            _secrets.add(text)


def redact(text: str) -> str:
    """Blot out registered secrets, and what is a secret by its form (`core.base.blot`)."""
    with _secrets_lock:
        known = sorted(_secrets, key=len, reverse=True)
    for secret in known:
        text = text.replace(secret, BLOT)
    return without_secrets(text)


class RedactingFormatter(logging.Formatter):
    """Formats first and blots afterwards, so that arguments and tracebacks are covered too."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the finished line without secrets."""
        return redact(super().format(record))


class _PatientFile(logging.handlers.RotatingFileHandler):
    """A log whose disk may be full: a line that cannot be written is counted, and told with the next that can.

    logging itself would print a trace for each such line, and one more when the file is closed.
    """

    def __init__(self, file: Path) -> None:
        super().__init__(file, maxBytes=2 << 20, backupCount=4, encoding="utf-8", delay=True)
        self._lost = 0

    def _open(self) -> TextIOWrapper:
        """Open the file for more: a pipe of that name would keep every line waiting, a link lead it anywhere."""
        return open(self.baseFilename, "a", encoding="utf-8", opener=regular_only)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, behind it how many before it are missing."""
        line = super().format(record)
        return f"{line}\n[{self._lost} lines before this one could not be written]" if self._lost else line

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line, or count it."""
        before = self._lost
        super().emit(record)
        if self._lost == before:
            self._lost = 0

    def handleError(self, record: logging.LogRecord) -> None:  # logging's name
        """Count a line the system did not take; anything else is a fault of ours, and shown."""
        if isinstance(sys.exception(), OSError):
            self._lost += 1
        else:
            super().handleError(record)

    def close(self) -> None:
        """Close the file; what was left in the buffer of a full disk is lost, and its loss was counted."""
        with contextlib.suppress(OSError):
            super().close()


def setup_logging(folder: Path, name: str = "rkdeck", level: int = logging.INFO) -> logging.Handler:
    """Log everything to `folder/name.log` (5 files of 2 MiB), as front ends do; returns the handler to close."""
    return _installed(_PatientFile(folder / f"{name}.log"), level)


def log_to_stderr(folder: Path) -> logging.Handler:
    """Log warnings to standard error, as workers do: whoever started them keeps that, in `folder` or elsewhere.

    A job's supervisor puts it into the job's own log, the monitor's feed into the front end's.
    """
    del folder
    return _installed(logging.StreamHandler(), logging.WARNING)


def _installed(handler: logging.Handler, level: int) -> logging.Handler:
    handler.setFormatter(RedactingFormatter("%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level)
    # paramiko and the HTTP client narrate every packet at INFO and DEBUG.
    for chatty in ("paramiko", "httpx", "httpx2", "httpcore", "urllib3", "filelock"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    return handler
