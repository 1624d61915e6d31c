"""The log of a home whose disk fills up: nothing is printed, and what is missing is counted once there is room."""

import logging
from pathlib import Path

import pytest

from core.base.log import setup_logging


def test_lines_that_found_no_room_are_counted(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "rkdeck.log"
    handler = setup_logging(tmp_path)
    full = open("/dev/full", "a", encoding="utf-8")  # noqa: SIM115  # the handler closes it; by name none is opened
    handler.stream = full  # type: ignore[attr-defined]  # a file's handler
    try:
        logging.getLogger("here").info("lost 1")
        logging.getLogger("here").info("lost 2")
        assert handler.stream is full  # type: ignore[attr-defined]
        handler.close()
        logging.getLogger("here").info("kept")
        logging.getLogger("here").info("kept too")
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()
    lines = target.read_text().splitlines()
    assert lines[0].endswith("here: kept")
    assert lines[1] == "[2 lines before this one could not be written]"
    assert lines[2].endswith("here: kept too")
    assert len(lines) == 3
    assert capfd.readouterr() == ("", "")
