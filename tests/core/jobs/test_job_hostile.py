"""Workers that write what no worker should, submissions that break off, disks that fill up."""

import itertools
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from core.base.errors import RKDeckError, UsageError
from core.base.paths import AppPaths
from core.jobs import process
from core.jobs.manager import JobHandle, JobManager
from core.jobs.model import JobSpec, JobState, WorkerCommand
from core.jobs.order import JobSecrets
from core.jobs.store import JobFolder, JobStore, new_job_id
from tests.support.orders import made_up
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[3]
WORKER = WorkerCommand(script=str(ROOT / "tests" / "support" / "job_workers" / "raw.py"))
SECRET = "open sesame 12345"
SLACK_S = 30.0


def start(jobs: JobManager, mode: str, lane: str | None = None, *, resumable: bool = False) -> JobHandle:
    order = made_up(
        WORKER, {"mode": mode}, lane=lane or f"lane-{mode}", title=mode, grace_s=1.0, resumable=resumable
    )
    return jobs.submit(order, JobSecrets(board_password=SECRET))


def folder_of(jobs: JobManager, handle: JobHandle) -> JobFolder:
    return jobs.store.folder(handle.id)


def started(jobs: JobManager, handle: JobHandle) -> bool:
    return (folder_of(jobs, handle).path / "started").exists()


def go(jobs: JobManager, handle: JobHandle) -> None:
    (folder_of(jobs, handle).path / "go").touch()


@pytest.mark.parametrize("mode", ["clashing_names", "bad_numbers", "garbage_flood"])
def test_what_is_no_event_does_no_harm(jobs: JobManager, mode: str) -> None:
    handle = start(jobs, mode)
    assert handle.result(SLACK_S * 2) == {"ok": True}
    folder = folder_of(jobs, handle)
    assert folder.events_file.stat().st_size < 100_000
    for line in folder.events_file.read_text().splitlines():
        json.loads(line, parse_constant=pytest.fail)
    assert jobs.store.list()[0].state is JobState.SUCCEEDED
    warnings = [
        event for event in handle.follow() if event.event == "log" and event.data.get("level") == "warning"
    ]
    assert len(warnings) == {"clashing_names": 0, "bad_numbers": 0, "garbage_flood": 100}[mode]
    names = [event.data["step"] for event in handle.follow() if event.event == "step"]
    assert len(names) == (7 if mode == "clashing_names" else 0)
    if mode == "garbage_flood":
        assert b"no event at all" in folder.log_file.read_bytes()[:100]
        assert folder.log_file.stat().st_size < 24 << 20


def test_number_of_a_thousand_digits_in_the_history_does_not_hide_the_jobs(jobs: JobManager) -> None:
    handle = start(jobs, "clashing_names")
    handle.result(SLACK_S)
    with folder_of(jobs, handle).events_file.open("a") as file:
        file.write('{"event": "log", "t_unix_s": %s}\n' % ("9" * 400))
    assert [record.state for record in jobs.store.list()] == [JobState.SUCCEEDED]


def test_flood_of_events_is_bounded_and_the_end_is_still_told(jobs: JobManager) -> None:
    handle = start(jobs, "event_flood")
    assert handle.result(SLACK_S * 2) == {"ok": True}
    assert folder_of(jobs, handle).events_file.stat().st_size < 40 << 20
    progress = handle.record().progress
    assert progress is not None
    assert progress.phase == "late"


def test_result_that_grows_in_ascii_is_whole(jobs: JobManager) -> None:
    assert start(jobs, "wide_result").result(SLACK_S) == {"text": "é" * 500_000}


@pytest.mark.parametrize(("mode", "word"), [("too_long_result", "left out"), ("half_a_result", '{"ok": tr')])
def test_lost_result_is_a_failure_that_shows_why(jobs: JobManager, mode: str, word: str) -> None:
    with pytest.raises(RKDeckError) as caught:
        start(jobs, mode).result(SLACK_S)
    assert caught.value.code == "jobs.no_result"
    assert word in str(caught.value.facts["last_lines"])


def test_damaged_result_of_a_success_is_not_called_an_interruption(jobs: JobManager) -> None:
    handle = start(jobs, "clashing_names")
    handle.result(SLACK_S)
    file = folder_of(jobs, handle).events_file
    file.write_text(file.read_text().replace('"event": "result"', '"event": "resul'))
    with pytest.raises(RKDeckError) as caught:
        handle.result(SLACK_S)
    assert caught.value.code == "jobs.result_unreadable"


def test_secret_that_a_worker_prints_is_blotted_out(jobs: JobManager) -> None:
    handle = start(jobs, "tell_secret")
    assert handle.wait(SLACK_S).state is JobState.FAILED
    for path in folder_of(jobs, handle).path.iterdir():
        assert SECRET.encode() not in path.read_bytes(), path.name
    assert "login failed for [redacted]\n" in jobs.store.log_path(handle.id).read_text()


def test_name_that_no_system_takes_is_a_failure_to_start(jobs: JobManager) -> None:
    handle = jobs.submit(made_up(WorkerCommand(script="a\0b"), {}))
    with pytest.raises(RKDeckError) as caught:
        handle.result(SLACK_S)
    assert caught.value.code == "jobs.worker_not_started"


def test_stopped_worker_is_ended_too(jobs: JobManager) -> None:
    handle = start(jobs, "stop_oneself")
    wait_until(lambda: started(jobs, handle), SLACK_S)
    asked = time.monotonic()
    handle.cancel()
    assert handle.wait(SLACK_S).state is JobState.CANCELLED
    assert time.monotonic() - asked < 5 * 2.0


def test_ended_supervisor_is_reaped_without_being_asked_for(jobs: JobManager) -> None:
    start(jobs, "clashing_names").result(SLACK_S)
    wait_until(lambda: not psutil.Process().children(), 30, "a zombie")


def test_working_job_is_neither_resumed_nor_kept_waiting_for(jobs: JobManager) -> None:
    handle = start(jobs, "hold")
    wait_until(lambda: started(jobs, handle), SLACK_S)
    asked = time.monotonic()
    for again in (jobs.resume, jobs.retry):
        with pytest.raises(UsageError) as caught:
            again(handle.id)
        assert caught.value.code == "jobs.not_resumable_now"
        assert caught.value.facts["state"] == "running"
    assert time.monotonic() - asked < 10.0
    go(jobs, handle)
    assert handle.result(SLACK_S) == {"ok": True}


@pytest.mark.parametrize(("resumable", "reason"), [(True, "resumed"), (False, "restarted_from_beginning")])
def test_resume_says_whether_it_goes_on_or_begins_again(
    paths: AppPaths, *, resumable: bool, reason: str
) -> None:
    first = JobManager(paths)
    handle = start(first, "hold", resumable=resumable)
    wait_until(lambda: started(first, handle), SLACK_S)
    first.close()
    again = JobManager(paths)
    go(again, handle)
    assert again.resume(handle.id).result(SLACK_S) == {"ok": True}
    told = [(e.data["state"], e.data["reason"]) for e in handle.follow() if e.event == "state"]
    assert ("interrupted", "front_end_gone") in told
    assert ("queued", reason) in told
    again.close()


def supervise(
    paths: AppPaths, standard_input: bytes, *, survives: bool, cancelled: bool = False
) -> JobFolder:
    """Run a supervisor whose front end breaks off after writing `standard_input`."""
    spec = JobSpec(
        new_job_id("test"), "test", "x", "t", {"mode": "hold"}, WORKER, survives_front_end=survives,
        created_unix_s=time.time(), grace_s=1.0,
    )  # fmt: skip
    folder = JobStore(paths.jobs).create(spec)
    if cancelled:
        folder.cancel_file.touch()
    command = [sys.executable, "-m", "core.jobs.supervisor", str(folder.path)]
    done = subprocess.run(command, cwd=ROOT, input=standard_input, capture_output=True, timeout=SLACK_S)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("survives", [True, False])
@pytest.mark.parametrize("told", [b"", b"half a sec"])
def test_job_whose_front_end_died_before_the_secret_never_starts(
    paths: AppPaths, told: bytes, *, survives: bool
) -> None:
    folder = supervise(paths, told, survives=survives)
    assert JobStore(paths.jobs).get(folder.id).state is JobState.INTERRUPTED
    assert not any(event.data.get("state") == "running" for event in folder.events()[0])


def test_job_cancelled_before_its_turn_never_starts(paths: AppPaths) -> None:
    folder = supervise(paths, b"\n", survives=True, cancelled=True)
    assert JobStore(paths.jobs).get(folder.id).state is JobState.CANCELLED
    assert not any(event.data.get("state") == "running" for event in folder.events()[0])


def test_two_downloads_run_side_by_side_and_the_third_waits(jobs: JobManager) -> None:
    handles = [start(jobs, "hold", lane="download") for _ in range(4)]
    wait_until(lambda: all(started(jobs, handle) for handle in handles[:2]), SLACK_S)
    for running, waiting in itertools.pairwise(handles[1:]):
        assert not started(jobs, waiting)
        assert waiting.record().state is JobState.QUEUED
        go(jobs, running)
        wait_until(lambda waiting=waiting: started(jobs, waiting), SLACK_S)  # type: ignore[misc]
    for handle in handles:
        go(jobs, handle)
        assert handle.result(SLACK_S) == {"ok": True}


def test_killed_supervisor_of_a_waiting_job_does_not_hold_up_the_line(jobs: JobManager) -> None:
    first, second, third = (start(jobs, "hold", lane="board-a") for _ in range(3))
    wait_until(lambda: started(jobs, first), SLACK_S)
    supervisors = {child.cmdline()[-1]: child for child in psutil.Process().children()}
    supervisors[str(folder_of(jobs, second).path)].kill()
    go(jobs, first)
    wait_until(lambda: started(jobs, third), SLACK_S)
    assert not started(jobs, second)
    os.utime(folder_of(jobs, second).spec_file, (1, 1))
    os.utime(folder_of(jobs, second).events_file, (1, 1))
    assert [record.spec.id for record in jobs.store.reconcile()] == [second.id]
    go(jobs, third)
    third.result(SLACK_S)


def test_clock_set_back_does_not_keep_a_dead_job_waiting(paths: AppPaths) -> None:
    store = JobStore(paths.jobs)
    folder = store.create(JobSpec("a", "test", "x", "t", {}, WORKER, created_unix_s=time.time()))
    os.utime(folder.spec_file, (time.time() + 86_400,) * 2)
    assert [record.state for record in store.reconcile()] == [JobState.INTERRUPTED]


def test_event_that_fits_only_in_part_is_an_error_and_the_state_stays(paths: AppPaths) -> None:
    script = """
import resource, sys
from pathlib import Path
from core.jobs.model import JobState
from core.jobs.order import JobSecrets
from core.jobs.store import EventWriter, JobFolder
writer = EventWriter(JobFolder(Path(sys.argv[1])))
writer.move(JobState.QUEUED, "x")
size = Path(sys.argv[1], "events.jsonl").stat().st_size + 50
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
try:
    writer.move(JobState.RUNNING, "x")
except OSError:
    sys.exit(0 if writer.state is JobState.QUEUED else 4)
sys.exit(5)
"""
    store = JobStore(paths.jobs)
    folder = store.create(JobSpec("a", "test", "x", "t", {}, WORKER, created_unix_s=1.0))
    done = subprocess.run([sys.executable, "-c", script, str(folder.path)], cwd=ROOT)
    assert done.returncode == 0
    assert store.get("a").state is JobState.QUEUED


def test_nothing_of_any_job_is_left(jobs: JobManager) -> None:
    handles = [start(jobs, "hold") for _ in range(2)]
    wait_until(lambda: started(jobs, handles[0]), SLACK_S)
    jobs.close()
    for handle in handles:
        assert handle.record().state is JobState.INTERRUPTED
        wait_until(lambda handle=handle: not process.marked(handle.folder), 30)  # type: ignore[misc]


def test_final_state_torn_of_its_line_end_is_no_end(paths: AppPaths) -> None:
    store = JobStore(paths.jobs)
    folder = store.create(JobSpec("a", "test", "x", "t", {}, WORKER, created_unix_s=1.0))
    lines = [
        {"t_unix_s": 1.0, "event": "state", "state": state} for state in ("queued", "running", "succeeded")
    ]
    folder.events_file.write_text("\n".join(json.dumps(line) for line in lines))
    assert not folder.has_ended
    assert [record.state for record in store.reconcile()] == [JobState.INTERRUPTED]
    assert folder.has_ended
