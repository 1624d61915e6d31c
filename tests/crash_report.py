"""Where a test process died of a signal: xdist says only that it did, so each one leaves its stacks in a file."""

import faulthandler
import os
import shutil
import tempfile
from pathlib import Path
from typing import IO

import pytest

_FOLDER = "RKDECK_TEST_STACKS"


class CrashReport:
    """Registered in every process of a run; the one that prints the summary shows what the others left."""

    def __init__(self) -> None:
        self._file: IO[str] | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """After pytest's own faulthandler, which writes where nobody looks when the process is xdist's."""
        if not hasattr(session.config, "workerinput"):
            os.environ[_FOLDER] = tempfile.mkdtemp(prefix="rkdeck-stacks-")
        elif (folder := os.environ.get(_FOLDER)) and Path(folder).is_dir():
            self._file = (Path(folder) / f"{os.getpid()}.txt").open("w")
            faulthandler.enable(file=self._file)

    @pytest.hookimpl(tryfirst=True)
    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, config: pytest.Config
    ) -> None:
        """Print the stacks of the dead, if any."""
        if hasattr(config, "workerinput"):
            return
        folder = Path(os.environ[_FOLDER])
        for path in sorted(folder.glob("*.txt")):
            if stacks := path.read_text():
                terminalreporter.section(f"stacks of the crashed process {path.stem}")
                terminalreporter.write(stacks)
        shutil.rmtree(folder, ignore_errors=True)
