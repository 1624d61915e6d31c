"""Disks that are full, or of another kind than the verbs need: one sentence, nothing left, and the advice works."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.demo.hub.server import DemoHub
from core.words import messages
from tests.support.disks import disk, fill, remount
from tests.support.every_verb import calls
from tests.support.hub_fixtures import small_repo
from tests.support.odd_shells import build_house, call_all, says
from tests.support.sshd import ROOT

pytestmark = pytest.mark.needs_root
REPO = "somebody/small"
FULL = tuple(code for code in messages() if "full" in code)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[DemoHub]:
    with DemoHub({REPO: small_repo(tmp_path / "repo")}) as hub:
        yield hub


def rkdeck(hub: DemoHub, home: Path, *arguments: str | Path) -> tuple[int, dict[str, object], str]:
    """The exit code, the last line of JSON, and what was said."""
    done = subprocess.run(
        [sys.executable, "-m", "gui.main", *map(str, arguments), "--json", "--home", str(home)],
        cwd=ROOT, env={**os.environ, "HF_ENDPOINT": hub.url}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout.splitlines()[-1]), done.stderr


def hidden(home: Path) -> list[Path]:
    return list(home.rglob(".*"))


def test_no_job_is_half_made_in_a_home_on_a_full_disk(hub: DemoHub, tmp_path: Path) -> None:
    with disk(tmp_path / "disk", "size=4m") as folder:
        home = folder / "home"
        assert rkdeck(hub, home, "library")[0] == 0
        full = fill(folder)
        code, told, said = rkdeck(hub, home, "download", REPO)
        error = told["error"]
        assert isinstance(error, dict)
        assert code in {1, 3}
        assert error["code"] in FULL
        assert said.count("rkdeck: ") == 1
        assert hidden(home) == []
        assert list((home / "jobs").iterdir()) == []
        full.unlink()
        assert hidden(home) == []
        assert rkdeck(hub, home, "board")[0] == 0


def test_a_download_onto_a_disk_that_was_full_goes_on_as_its_advice_says(
    hub: DemoHub, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    with disk(tmp_path / "disk", "nr_inodes=3") as folder:
        code, told, _ = rkdeck(hub, home, "download", REPO, "--to", folder / "model")
        error = told["error"]
        assert isinstance(error, dict)
        assert (code, error["code"]) == (1, "hub.disk_full")
        assert "`rkdeck jobs retry JOB`" in str(error["hint"])
        remount(folder, "nr_inodes=1000")
        code, again, _ = rkdeck(hub, home, "jobs", "retry", str(told["job"]))
        assert (code, again["state"]) == (0, "succeeded")
        assert (folder / "model" / "config.json").is_file()


def test_every_verb_in_a_home_on_a_full_disk(tmp_path: Path) -> None:
    with disk(tmp_path / "disk", "size=8m") as folder:
        house = build_house(folder / "house")
        usual = call_all(house.copy(tmp_path / "usual"), tuple(calls("")))
        full = fill(folder)
        told = call_all(house, tuple(calls("")))
        full.unlink()
        for name, call in told.items():
            seen = f"{name} {call}"
            assert "Traceback" not in f"{call.out}{call.err}", seen
            assert "This is a fault" not in f"{call.out}{call.err}", seen
            assert call.code == usual[name].code or any(says(call, code) for code in FULL), seen
        assert says(told["board"], "base.database_full")
        assert house.hidden() == []
        assert house.boards() == ["desk"]


def test_every_verb_in_a_home_on_a_disk_that_may_only_be_read(tmp_path: Path) -> None:
    with disk(tmp_path / "disk", "size=8m") as folder:
        house = build_house(folder / "house")
        remount(folder, "ro")
        told = call_all(house, tuple(calls("")))
        remount(folder, "rw")
        for name, call in told.items():
            assert "Traceback" not in f"{call.out}{call.err}", f"{name} {call}"
            assert "This is a fault" not in f"{call.out}{call.err}", f"{name} {call}"
        for name in ("board", "library", "jobs", "download", "monitor"):
            assert says(told[name], "base.home_unusable"), told[name]
        assert house.boards() == ["desk"]


@pytest.mark.parametrize("free_bytes", [0, 32 << 10])
def test_every_verb_beside_a_full_folder_for_temporary_files(tmp_path: Path, free_bytes: int) -> None:
    """None of them needs it but the self-test, whose words name it; without a byte the system's next one is taken."""
    house = build_house(tmp_path / "house")
    usual = call_all(house.copy(tmp_path / "usual"), tuple(calls("")))
    with disk(tmp_path / "disk", "size=1m") as folder:
        full = fill(folder)
        os.truncate(full, full.stat().st_size - free_bytes)
        told = call_all(house, tuple(calls("")), environ={"TMPDIR": str(folder)})
        assert list(folder.iterdir()) == [full]
    for name, call in told.items():
        assert "Traceback" not in f"{call.out}{call.err}", f"{name} {call}"
        if name != "selftest":
            assert call.code == usual[name].code, f"{name} {call}"
    said = f"{folder}, lies on a disk that is full"
    assert (said in f"{told['selftest'].out}{told['selftest'].err}") == (free_bytes > 0), told["selftest"]
    assert (told["selftest"].code == 0) == (free_bytes == 0)


def test_a_demo_without_room_for_it_names_the_folder_and_what_helps(tmp_path: Path) -> None:
    with disk(tmp_path / "disk", "size=3m") as folder:
        done = subprocess.run(
            [sys.executable, "-m", "gui.main", "demo", "--headless"],
            cwd=ROOT, env={**os.environ, "TMPDIR": str(folder)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert list(folder.iterdir()) == []
    assert done.returncode == 1
    assert done.stderr.count("rkdeck: ") == 1
    assert f"rkdeck: The folder for temporary files, {folder}, lies on a disk that is full." in done.stderr
    assert "set TMPDIR" in done.stderr
    assert "report" not in done.stderr
