"""A job's folder in which something else has the name of a file: named at once, and no other job is hidden by it."""

import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from core.base import atomic
from core.base.locks import FileLock, lock_is_held
from core.base.opening import NotRegularError
from core.jobs.output import BoundedLog
from core.jobs.store import EventWriter, JobFolder, JobStore
from tests.core.base.test_opening import MAKERS
from tests.support.job_folders import put_interrupted, stored_spec

# None of these may hold a test: pytest-timeout ends a read of a pipe.
pytestmark = pytest.mark.timeout(60)
LOGS = (
    "import logging, sys; from pathlib import Path; from core.base.log import setup_logging;"
    "setup_logging(Path(sys.argv[1])); logging.error('said'); print('on')"
)
FILES = ["lock", "events.jsonl", "log.txt", "spec.json", "leaves.json", "starting", "cancel"]


def put(folder: Path, file: str, make: Callable[[Path], None], *, running: bool) -> None:
    spec = stored_spec("download")
    job = folder / put_interrupted(folder, spec)
    if running:
        events = (job / "events.jsonl").read_bytes()
        (job / "events.jsonl").write_bytes(b"".join(events.splitlines(keepends=True)[:-1]))
    (job / file).unlink(missing_ok=True)
    make(job / file)


@pytest.mark.parametrize("running", [False, True], ids=["ended", "running"])
@pytest.mark.parametrize("found", MAKERS)
@pytest.mark.parametrize("file", FILES)
def test_no_file_of_a_job_is_waited_for(tmp_path: Path, file: str, found: str, running: bool) -> None:
    put(tmp_path, file, MAKERS[found], running=running)
    store = JobStore(tmp_path)
    store.reconcile()
    store.unsettled()
    records, unreadable = store.survey()
    assert len(records) + len(unreadable) <= 1
    assert all(error.code in {"jobs.unreadable", "jobs.bad_spec"} for error in unreadable.values())


@pytest.mark.parametrize("found", MAKERS)
@pytest.mark.parametrize("file", ["lock", "events.jsonl", "log.txt"])
def test_the_verbs_end_and_say_what_is_there(tmp_path: Path, file: str, found: str) -> None:
    jobs = tmp_path / "jobs"
    jobs.mkdir()
    put(jobs, file, MAKERS[found], running=True)
    name = next(jobs.iterdir()).name
    for verb in (["jobs"], ["library"], *(["jobs", act, name] for act in ("log", "cancel", "resume"))):
        done = subprocess.run(
            [sys.executable, "-m", "gui.main", *verb, "--json"], capture_output=True, text=True, timeout=50,
            check=False, env={**os.environ, "RKDECK_HOME": str(tmp_path)},
        )  # fmt: skip
        assert done.returncode in {0, 1, 2, 3}, done.stderr
        assert "Traceback" not in done.stderr
        assert "fault in RKDeck" not in done.stderr
        assert json.loads(done.stdout.partition("\n")[0]) is not None


@pytest.mark.parametrize("found", MAKERS)
def test_nothing_but_a_file_is_locked_or_written_to(tmp_path: Path, found: str) -> None:
    for name in ("lock", "events.jsonl", "log.txt", "rkdeck.log"):
        MAKERS[found](tmp_path / name)
    for attempt in (
        lambda: lock_is_held(tmp_path / "lock"),
        lambda: FileLock(tmp_path / "lock").try_acquire(),
        lambda: EventWriter(JobFolder(tmp_path)),
        lambda: BoundedLog(tmp_path / "log.txt"),
    ):
        with pytest.raises(NotRegularError):
            attempt()


def test_a_log_that_is_a_pipe_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "rkdeck.log")
    done = subprocess.run(
        [sys.executable, "-c", LOGS, str(tmp_path)], capture_output=True, text=True, timeout=50, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "on\n", "")


@pytest.mark.parametrize("found", [*MAKERS, "dangling", "file"])
def test_whatever_has_the_name_of_the_wish_to_cancel_is_one_and_leads_nowhere(
    tmp_path: Path, found: str
) -> None:
    folder, target = JobFolder(tmp_path / "job"), tmp_path / "elsewhere"
    folder.path.mkdir()
    if found == "dangling":
        folder.cancel_file.symlink_to(target)
    elif found == "file":
        folder.cancel_file.touch()
    else:
        MAKERS[found](folder.cancel_file)
    folder.ask_to_cancel()
    assert folder.is_to_cancel
    assert not target.exists()


def test_a_link_in_place_of_a_file_of_ours_leads_no_writer_elsewhere(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    for name in ("cancel", "rkdeck.log", "note", "part"):
        (tmp_path / name).symlink_to(target)
    JobFolder(tmp_path).ask_to_cancel()
    subprocess.run([sys.executable, "-c", LOGS, str(tmp_path)], capture_output=True, timeout=50, check=True)
    with pytest.raises(NotRegularError):
        atomic.write_unflushed(tmp_path / "note", "said")
    with pytest.raises(NotRegularError):
        atomic.replace_flushed(tmp_path / "part", tmp_path / "final")
    assert not os.path.lexists(target)


def test_a_note_is_not_written_into_a_pipe_that_nobody_reads(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "note")
    with pytest.raises(NotRegularError):
        atomic.write_unflushed(tmp_path / "note", "said")


def test_lines_without_end_and_without_a_word_are_passed_over(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path / put_interrupted(tmp_path, stored_spec("download")))
    sound, told = folder.events_file.read_bytes(), len(folder.milestones())
    folder.events_file.write_bytes(b"{}\n" * 200_000 + b"\n" * 200_000 + sound)
    tracemalloc.start()
    assert len(folder.milestones()) == told
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(folder.events()[0]) == told
    assert peak_bytes < 8 << 20
