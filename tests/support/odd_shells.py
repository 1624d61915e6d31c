"""The command line called in a shell that is not as it should be: what each call printed, and how it ended."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from core.base.paths import AppPaths
from core.boards.records import Board
from core.services import Services
from core.usecases.library import add_path
from core.words import messages
from tests.support.every_verb import JOB, NOWHERE
from tests.support.job_folders import put_interrupted, stored_spec
from tests.support.models import write_random_model
from tests.support.sshd import ROOT

# A name that no 7-bit alphabet has, as people name folders.
MODEL = "modelo-ñ-模型"


class Told(NamedTuple):
    """What one call left behind; None for a stream that the shell kept."""

    code: int
    out: str | None
    err: str | None


@dataclass(frozen=True)
class House:
    """A home folder with a board, a model and a job, and the model beside it."""

    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def model(self) -> Path:
        return self.folder / MODEL

    @property
    def database(self) -> Path:
        return AppPaths(self.home).database_file

    def copy(self, folder: Path) -> "House":
        """The same in another folder; the library still names the first one's model."""
        shutil.copytree(self.folder, folder, symlinks=True, dirs_exist_ok=True)
        return House(folder)

    def hidden(self) -> list[str]:
        """What no list would show, and nobody would clear away."""
        return sorted(str(path.relative_to(self.home)) for path in self.home.rglob(".*"))

    def boards(self) -> list[str]:
        """Those of the database, when its pages are whole."""
        with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True) as plain:
            assert plain.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            names = [str(row[0]) for row in plain.execute("SELECT name FROM boards ORDER BY name")]
        plain.close()
        return names


def build_house(folder: Path) -> House:
    """Furnish it."""
    house = House(folder)
    write_random_model(house.model)
    # Long enough for a figure: the built-in texts take seconds, in each of many shells.
    house.model.with_name(f"{MODEL}.txt").write_text("The quick brown fox jumps over the lazy dog. " * 10)
    paths = AppPaths(house.home)
    with Services.build(paths) as services:
        host, port = NOWHERE.split(":")
        services.boards.add(Board("desk", host, int(port), "me"))
        add_path(services, house.model)
    put_interrupted(paths.jobs, replace(stored_spec("download"), id=JOB))
    return house


def call_all(
    house: House,
    names: Sequence[str],
    *,
    shell: str = "",
    environ: Mapping[str, str | None] | None = None,
    leave: str = "",
    home: str | None = None,
) -> dict[str, Told]:
    """Call the verbs in one shell.

    Args:
        house: whose home it is, and whose model.
        names: of the calls (`every_verb.calls`).
        shell: what the shell does before; `{}` stands for the call where that is not at its end.
        environ: variables, None takes one away.
        leave: descriptors that stay as the shell made them.
        home: for `--home`, in place of the house's; empty for none.
    """
    variables = {
        **os.environ,
        "HF_ENDPOINT": f"http://{NOWHERE}",
        "PYTHONPATH": str(ROOT),
        "OPENBLAS_NUM_THREADS": "1",  # each thread takes its share of a limited memory
        "LEAVE": leave,
        **(environ or {}),
    }
    reading, writing = os.pipe()
    variables["REPORT_FD"] = str(writing)
    called = " ".join(
        f"'{part}'"
        for part in (
            sys.executable,
            "-m",
            "tests.support.every_verb",
            str(house.home) if home is None else home,
            str(house.model),
            *names,
        )
    )
    process = subprocess.Popen(
        ["sh", "-c", shell.replace("{}", called) if "{}" in shell else f"{shell} exec {called}"],
        cwd=house.folder,
        env={name: value for name, value in variables.items() if value is not None},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=(writing,),
        text=True,
    )
    os.close(writing)
    with os.fdopen(reading) as report:
        printed = report.read()
    assert printed, process.communicate()
    process.communicate()
    return {name: Told(*told) for name, told in json.loads(printed).items()}


def says(told: Told, code: str) -> bool:
    """Whether the words of an error are in what was printed."""
    message, _ = messages()[code]
    pattern = ".+".join(re.escape(part) for part in re.split(r"\{\w+\}", message))
    return re.search(pattern, told.err or "") is not None


def damage_pages(database: Path) -> None:
    """As a disk does: the header is whole, what follows is not."""
    data = bytearray(database.read_bytes())
    for at in range(4096, len(data)):
        data[at] = (at * 7919) & 0xFF
    database.write_bytes(data)
