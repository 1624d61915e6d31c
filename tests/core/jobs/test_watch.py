"""Watching jobs: of this process, of another, ended, killed and removed; and reading their logs in pieces."""

import queue
import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from core.base.errors import UsageError
from core.base.events import EventHub
from core.base.paths import AppPaths
from core.jobs.joblog import read_log
from core.jobs.manager import JobHandle, JobManager
from core.jobs.model import JobRecord, JobsSeen, JobState, WorkerCommand
from core.jobs.watch import JobWatcher
from tests.support.orders import made_up
from tests.support.processes import command_of
from tests.support.waiting import wait_until

WORKER = WorkerCommand(script=str(Path(__file__).parents[2] / "support" / "bad_worker.py"))
SLACK_S = 30.0


class Watched:
    """What a watcher has told so far."""

    def __init__(self, jobs: JobManager) -> None:
        self.events = EventHub()
        self.told: queue.Queue[JobsSeen] = queue.Queue()
        self.records: dict[str, JobRecord] = {}
        self.states: dict[str, list[JobState]] = {}
        self.looks = 0
        self.events.subscribe(JobsSeen, self.hear)
        self.watcher = JobWatcher(jobs.store, self.events)
        self.watcher.start()

    def hear(self, seen: JobsSeen) -> None:
        self.told.put(seen)
        self.looks += 1
        for record in seen.changed:
            self.records[record.spec.id] = record
            states = self.states.setdefault(record.spec.id, [])
            if not states or states[-1] is not record.state:
                states.append(record.state)
        for job_id in seen.gone:
            del self.records[job_id]

    def wait_state(self, job_id: str, state: JobState) -> JobRecord:
        wait_until(
            lambda: job_id in self.records and self.records[job_id].state is state, SLACK_S, str(state)
        )
        return self.records[job_id]


@pytest.fixture
def watched(jobs: JobManager) -> Iterator[Watched]:
    made = Watched(jobs)
    yield made
    made.watcher.close()


def start(jobs: JobManager, mode: str) -> JobHandle:
    return jobs.submit(made_up(WORKER, {"mode": mode}, lane=f"lane-{mode}", title=mode, grace_s=1.0))


def test_a_job_is_followed_from_its_start_to_its_end(jobs: JobManager, watched: Watched) -> None:
    assert watched.told.get(timeout=10).first
    handle = start(jobs, "fast_progress")
    watched.watcher.look_now()
    wait_until(lambda: handle.id in watched.records and watched.records[handle.id].progress, SLACK_S)
    record = watched.wait_state(handle.id, JobState.SUCCEEDED)
    assert record.result is not None
    wait_until(lambda: not watched.records[handle.id].alive, SLACK_S)


def test_a_quiet_home_is_told_of_once(jobs: JobManager, watched: Watched) -> None:
    first = watched.told.get(timeout=10)
    assert first == JobsSeen((), (), first=True)
    watched.watcher.look_now()
    start(jobs, "result").wait(SLACK_S)
    wait_until(lambda: any(not record.alive for record in watched.records.values()), SLACK_S)
    looks = watched.looks
    for _ in range(5):
        watched.watcher.look_now()
    handle = start(jobs, "result")
    watched.wait_state(handle.id, JobState.SUCCEEDED)
    assert watched.looks > looks
    assert all(seen.changed or seen.gone for seen in list(watched.told.queue))


def test_a_killed_supervisor_is_noticed_and_the_job_is_interrupted(
    jobs: JobManager, watched: Watched
) -> None:
    handle = start(jobs, "hang")
    watched.wait_state(handle.id, JobState.RUNNING)
    for process in psutil.Process().children(recursive=True):
        if handle.id in " ".join(command_of(process)):
            process.kill()
    assert watched.wait_state(handle.id, JobState.INTERRUPTED).reason == "supervisor_gone"


def test_a_removed_folder_is_told(jobs: JobManager, watched: Watched, paths: AppPaths) -> None:
    handle = start(jobs, "result")
    handle.wait(SLACK_S)
    watched.wait_state(handle.id, JobState.SUCCEEDED)
    shutil.rmtree(paths.jobs / handle.id)
    watched.watcher.look_now()
    wait_until(lambda: handle.id not in watched.records, SLACK_S)


@pytest.fixture
def log(jobs: JobManager, paths: AppPaths) -> tuple[JobManager, str, Path]:
    handle = start(jobs, "result")
    handle.wait(SLACK_S)
    return jobs, handle.id, jobs.store.log_path(handle.id)


def test_a_log_is_read_in_pieces_without_loss(log: tuple[JobManager, str, Path]) -> None:
    jobs, job_id, path = log
    wanted = [f"line {number} ü" for number in range(5000)]
    path.write_text("\n".join(wanted) + "\n", "utf-8")
    lines: list[str] = []
    offset = 0
    while True:
        chunk = read_log(jobs.store, job_id, offset, 4000)
        lines += chunk.lines
        if chunk.next_offset == offset:
            break
        offset = chunk.next_offset
    assert lines == wanted
    assert chunk.complete


def test_a_line_that_is_still_written_waits_for_its_end(log: tuple[JobManager, str, Path]) -> None:
    jobs, job_id, path = log
    path.write_bytes(b"one\ntw")
    first = read_log(jobs.store, job_id)
    assert (first.lines, first.next_offset) == (("one",), 4)
    path.write_bytes(b"one\ntwo\n")
    assert read_log(jobs.store, job_id, first.next_offset).lines == ("two",)


def test_the_tail_tells_how_much_is_left_out(log: tuple[JobManager, str, Path]) -> None:
    jobs, job_id, path = log
    path.write_bytes(b"".join(b"%06d\n" % number for number in range(1000)))
    chunk = read_log(jobs.store, job_id, 0, 100, tail=True)
    assert chunk.lines[-1] == "000999"
    assert chunk.skipped_bytes + 7 * len(chunk.lines) == 7000
    assert chunk.next_offset == 7000


def test_hostile_log_text_is_harmless_and_bounded(log: tuple[JobManager, str, Path]) -> None:
    jobs, job_id, path = log
    path.write_bytes(b"10%\r20%\r30%\n\x1b[2Jgone\n" + b"x" * 5000 + b"\n\xff\xfe\n")
    chunk = read_log(jobs.store, job_id)
    assert chunk.lines[0] == "30%"
    assert chunk.lines[1] == "\\x1b[2Jgone"
    assert len(chunk.lines[2]) == 2001
    assert chunk.lines[3] == "��"
    path.write_bytes(b"y" * 10_000)
    whole = read_log(jobs.store, job_id, 0, 1000)
    assert whole.next_offset == 1000
    assert whole.lines == ("y" * 1000,)


def test_a_missing_log_is_empty_and_an_unknown_job_is_said(
    jobs: JobManager, log: tuple[JobManager, str, Path]
) -> None:
    _, job_id, path = log
    path.unlink()
    assert read_log(jobs.store, job_id).lines == ()
    with pytest.raises(UsageError, match=r"jobs\.unknown"):
        read_log(jobs.store, "nothing")
