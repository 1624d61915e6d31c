"""Another program holds the database: who only reads goes on, who must write says so in one sentence, and in time."""

import contextlib
import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator

import pytest

from core.base.paths import AppPaths
from tests.support.odd_shells import House, build_house
from tests.support.sshd import ROOT

# The command line as it is, with less patience: half a second in place of thirty.
_CALL = """
import sys
from core.base import database
from gui.main import main
database._BUSY_TIMEOUT_S = 0.5
sys.exit(main())
"""
WRITES = ["BEGIN EXCLUSIVE"]
KEEPS = ["PRAGMA locking_mode = EXCLUSIVE", *WRITES]
READERS = [("board",), ("library",), ("jobs",), ("toolkit",)]
WRITERS = [("board", "remove", "desk"), ("library", "add", "MODEL")]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    return build_house(tmp_path_factory.mktemp("house"))


@contextlib.contextmanager
def held(house: House, statements: list[str]) -> Iterator[None]:
    """By another program's connection, until the end."""
    other = sqlite3.connect(AppPaths(house.home).database_file, isolation_level=None)
    for statement in statements:
        other.execute(statement)
    try:
        yield
    finally:
        other.close()


def rkdeck(house: House, *arguments: str) -> "subprocess.CompletedProcess[str]":
    told = [str(house.model) if word == "MODEL" else word for word in arguments]
    return subprocess.run(
        [sys.executable, "-c", _CALL, *told, "--home", str(house.home)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def check_busy(done: "subprocess.CompletedProcess[str]") -> None:
    assert done.returncode == 1, done
    assert done.stderr.count("rkdeck: ") == 1
    assert "rkdeck: Another program keeps the database" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("arguments", READERS, ids=" ".join)
def test_a_verb_that_only_reads_goes_on_while_another_program_writes(
    house: House, arguments: tuple[str, ...]
) -> None:
    with held(house, WRITES):
        done = rkdeck(house, *arguments)
    assert done.returncode == 0, done


@pytest.mark.parametrize("arguments", WRITERS, ids=" ".join)
def test_a_verb_that_writes_says_who_is_in_the_way_and_does_it_afterwards(
    house: House, arguments: tuple[str, ...]
) -> None:
    with held(house, WRITES):
        check_busy(rkdeck(house, *arguments))
    done = rkdeck(house, *arguments)
    assert done.returncode == 0, done


@pytest.mark.parametrize("arguments", [("board",), ("library",), *WRITERS], ids=" ".join)
def test_a_database_that_another_program_keeps_for_itself_is_told_by_every_verb(
    house: House, arguments: tuple[str, ...]
) -> None:
    with held(house, KEEPS):
        check_busy(rkdeck(house, *arguments))
        told = json.loads(rkdeck(house, *arguments, "--json").stdout.splitlines()[-1])
    assert told["error"]["code"] == "base.database_busy"


def test_the_advice_works_meanwhile(house: House) -> None:
    with held(house, KEEPS):
        done = rkdeck(house, "board")
        check_busy(done)
        assert "`rkdeck jobs` shows what is running" in done.stderr
        assert rkdeck(house, "jobs").returncode == 0
