"""Whatever a shell or a disk does to the verbs: one worded sentence, the right exit code, nothing hurt or left."""

import json
import os
import re
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from core.cli.main import VERBS, _load
from tests.support.every_verb import AT_WORK, calls
from tests.support.odd_shells import House, Told, build_house, call_all, damage_pages, says

NAMES = tuple(calls("model"))
# What runs no job: enough where the shell changes only how things are printed.
BRIEF = tuple(name for name in NAMES if name not in AT_WORK)
# Not walked: it builds a whole hub and a board, in homes of its own (tests/e2e/test_demo.py).
NOT_CALLED = {"demo"}
_EXITS = {0, 1, 2, 3}
_FAULTS = ("Traceback", "This is a fault", "Exception ignored", "--- Logging error")


def _nothing(house: House) -> None:
    """Leave the copy as it is."""


@dataclass(frozen=True)
class Shell:
    """What is odd, and what is to be heard of it.

    Attributes:
        prefix: shell commands before the call.
        leave: the descriptors that are odd.
        prepare: done to a copy of the house; returns what `--home` is given, None for the house's own.
        says: the error that any call may end with instead of as usual; None when all end as usual.
        surely: calls that end with it.
        spoils: whether the home is not to be looked at afterwards.
    """

    prefix: str = ""
    environ: Mapping[str, str | None] = field(default_factory=dict)
    leave: str = ""
    names: tuple[str, ...] = BRIEF
    prepare: Callable[[House], str | None] = _nothing
    says: str | None = None
    surely: tuple[str, ...] = ()
    spoils: bool = False


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Furnished once, copied for each shell."""
    return build_house(tmp_path_factory.mktemp("house"))


@pytest.fixture(scope="module")
def usual(house: House, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    """How each call ends in a shell as it should be."""
    told = call_all(house.copy(tmp_path_factory.mktemp("usual")), NAMES, environ=PLAIN)
    assert {name: call.code for name, call in told.items() if call.code not in _EXITS} == {}
    return told


PLAIN: dict[str, str | None] = {"LC_ALL": None, "LANG": "C.UTF-8", "LANGUAGE": None, "PYTHONIOENCODING": None}


def test_every_verb_is_called() -> None:
    called = {arguments[0] for arguments in calls("model").values()}
    assert called - {"--help"} == set(VERBS) - NOT_CALLED


def needs_home(name: str) -> bool:
    verb = calls("model")[name][0]
    return verb in VERBS and name != "usage" and _load(verb).needs_services


def check(shell: Shell, usual: Mapping[str, Told], told: Mapping[str, Told]) -> None:
    """Each call ended as usual, or with the shell's error; in either case with one sentence at most."""
    for name, call in told.items():
        seen = f"{name} {call}"
        assert not any(fault in f"{call.out} {call.err}" for fault in _FAULTS), seen
        assert call.code in _EXITS, seen
        if call.err is not None:
            # Verifying tells what it found as its result, and a job tells what goes on.
            sentences = len(re.findall("^rkdeck: ", call.err, re.MULTILINE))
            assert sentences <= 1, seen
            assert sentences == 1 or call.code == 0 or name == "library-verify", seen
        code = "cli.selftest_failed" if name == "selftest" and shell.says else shell.says
        refused = code is not None and (call.err is None or says(call, code))
        if name in shell.surely:
            assert refused, seen
        if not refused or call.code == 0:
            assert call.code == usual[name].code, f"{seen}, as usual: {usual[name]}"
        if name.endswith("-json") and call.out and "1" not in shell.leave:
            json.loads(call.out.splitlines()[-1])


def surely_all(*but: str) -> tuple[str, ...]:
    return tuple(name for name in BRIEF if needs_home(name) and name not in but)


def _spoiled(change: Callable[[Path], object]) -> Callable[[House], None]:
    def prepare(house: House) -> None:
        change(house.database)

    return prepare


def newer(database: Path) -> None:
    with sqlite3.connect(database) as plain:
        plain.execute("PRAGMA user_version = 9999")
    plain.close()


def folder_for_database(database: Path) -> None:
    database.unlink()
    database.mkdir()


def no_toml(house: House) -> None:
    (house.home / "settings.toml").write_text("= 1")


def fifo_home(house: House) -> str:
    os.mkfifo(house.folder / "fifo")
    return str(house.folder / "fifo")


def looped_home(house: House) -> str:
    (house.folder / "loop").symlink_to("loop")
    return str(house.folder / "loop")


def dangling_home(house: House) -> str:
    (house.folder / "dangling").symlink_to("/proc/nowhere/at-all")
    return str(house.folder / "dangling")


PRINTS = tuple(name for name in ("estimate", "inspect", "library", "board", "jobs", "jobs-show", "help"))
SHELLS: dict[str, Shell] = {
    "stdout is full": Shell("exec >/dev/full;", leave="1", says="cli.cannot_print", surely=PRINTS),
    "stdout is closed": Shell("exec >&-;", leave="1", says="cli.cannot_print", surely=PRINTS),
    "stderr is full": Shell("exec 2>/dev/full;", leave="2"),
    "stderr is closed": Shell("exec 2>&-;", leave="2"),
    "stdin is closed": Shell("exec <&-;"),
    "all is closed": Shell("exec <&- >&- 2>&-;", leave="1,2", says="cli.cannot_print", names=NAMES),
    "a locale nobody has": Shell(environ={"LC_ALL": "xx_YY.UTF-9"}),
    "seven bits": Shell(
        environ={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, says="base.alphabet"
    ),
    "ascii to print with": Shell(environ={"PYTHONIOENCODING": "ascii"}),
    "latin-1 to print with": Shell(environ={"PYTHONIOENCODING": "latin-1:strict"}),
    "no terminal": Shell(environ={"TERM": None, "COLUMNS": "0"}),
    "one column": Shell(environ={"TERM": "dumb", "COLUMNS": "1", "LINES": "-3"}),
    "a time zone nobody has": Shell(environ={"TZ": "Nowhere/Nothing\x01"}),
    "few files": Shell("ulimit -n 20;", names=NAMES, says="base.too_many_files"),
    "no file may grow": Shell("ulimit -f 0;", names=NAMES, says="base.database_disk"),
    "little memory": Shell(
        "ulimit -v 400000;", environ={"BARE": "1"}, names=NAMES, says="base.out_of_memory"
    ),
    "no rights for new files": Shell("umask 0777;", names=NAMES),
    "the folder is gone": Shell("mkdir gone; cd gone; rmdir ../gone;", names=NAMES),
    "no temporary folder": Shell(environ={"TMPDIR": "/proc/nowhere"}, names=NAMES),
    "the home is a file": Shell(
        prepare=lambda house: str(house.model / "config.json"), says="base.home_unusable", surely=surely_all()
    ),
    "the home is below a file": Shell(
        prepare=lambda house: str(house.model / "config.json" / "home"),
        says="base.home_unusable",
        surely=surely_all(),
    ),
    "the home is a pipe": Shell(prepare=fifo_home, says="base.home_unusable", surely=surely_all()),
    "the home is a loop": Shell(prepare=looped_home, says="base.home_unusable", surely=surely_all()),
    "the home leads nowhere": Shell(prepare=dangling_home, says="base.home_unusable", surely=surely_all()),
    "the account's home cannot be written": Shell(
        environ={"HOME": "/proc/nowhere", "XDG_DATA_HOME": None},
        prepare=lambda house: "",
        says="base.home_unusable",
        surely=surely_all(),
    ),
    "the database's pages are damaged": Shell(
        prepare=_spoiled(damage_pages), says="base.database_broken", surely=("board", "library"), spoils=True
    ),
    "the database is none": Shell(
        prepare=_spoiled(lambda file: file.write_bytes(b"no database, but long enough to be one" * 200)),
        says="base.database_broken",
        surely=("board", "library"),
        spoils=True,
    ),
    "the database is empty of all but zeros": Shell(
        prepare=_spoiled(lambda file: file.write_bytes(bytes(8192))),
        says="base.database_broken",
        surely=("board", "library"),
        spoils=True,
    ),
    "the database is newer": Shell(
        prepare=_spoiled(newer), says="base.database_newer", surely=("board", "library")
    ),
    "the database is a folder": Shell(
        prepare=_spoiled(folder_for_database),
        says="base.database_place",
        surely=("board", "library"),
        spoils=True,
    ),
    "the settings are no TOML": Shell(
        prepare=no_toml,
        says="base.settings_unreadable",
        surely=surely_all(),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SHELLS)
def test_every_verb_in(name: str, house: House, usual: Mapping[str, Told], tmp_path: Path) -> None:
    shell = SHELLS[name]
    odd = house.copy(tmp_path)
    home = shell.prepare(odd)
    hidden, boards = odd.hidden(), [] if shell.spoils else odd.boards()
    told = call_all(
        odd, shell.names, shell=shell.prefix, environ={**PLAIN, **shell.environ}, leave=shell.leave, home=home
    )
    check(shell, usual, told)
    assert odd.hidden() == hidden
    if not shell.spoils:
        assert odd.boards() == boards


def test_every_verb_whose_reader_left(house: House, usual: Mapping[str, Told], tmp_path: Path) -> None:
    """As `rkdeck jobs | head -1` does: no word of complaint, and the exit code of a broken pipe."""
    told = call_all(house.copy(tmp_path), BRIEF, shell="{} | true", environ=PLAIN, leave="1")
    for name, call in told.items():
        assert call.err is not None
        assert not any(fault in call.err for fault in _FAULTS), f"{name} {call}"
        expected = {141} if usual[name].out else {usual[name].code}
        assert call.code in expected, f"{name} {call}"
        assert call.code != 141 or usual[name].code or not call.err, f"{name} {call}"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_every_verb_in_a_home_that_may_not_be_written(
    house: House, usual: Mapping[str, Told], tmp_path: Path
) -> None:
    odd = house.copy(tmp_path)
    odd.home.chmod(0o500)
    told = call_all(odd, BRIEF, environ=PLAIN)
    odd.home.chmod(0o700)
    check(Shell(says="base.home_unusable", surely=surely_all()), usual, told)
    assert odd.boards() == ["desk"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("name", ["settings.toml", "logs", "jobs", "locks", "lanes", "rkdeck.sqlite3"])
def test_every_verb_in_a_home_of_which_a_part_may_not_be_touched(
    name: str, house: House, usual: Mapping[str, Told], tmp_path: Path
) -> None:
    odd = house.copy(tmp_path)
    (odd.home / "settings.toml").touch()
    (odd.home / name).chmod(0)
    told = call_all(odd, BRIEF, environ=PLAIN)
    (odd.home / name).chmod(0o700)
    for verb, call in told.items():
        assert not any(fault in f"{call.out} {call.err}" for fault in _FAULTS), f"{verb} {call}"
        assert call.code in _EXITS, f"{verb} {call}"
        assert call.code or call.code == usual[verb].code, f"{verb} {call}"
    assert odd.boards() == ["desk"]
