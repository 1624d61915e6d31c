"""Every way a worker can end, with real processes."""

import itertools
import time
from pathlib import Path

import psutil
import pytest

from core.base.errors import CancelledError, RefusedError, RKDeckError
from core.base.paths import AppPaths
from core.jobs import process
from core.jobs.manager import JobHandle, JobManager
from core.jobs.model import JobState, WorkerCommand
from core.jobs.order import JobSecrets
from tests.support.orders import made_up
from tests.support.waiting import wait_until

WORKER = WorkerCommand(script=str(Path(__file__).parents[2] / "support" / "bad_worker.py"))
SLACK_S = 30.0


def start(jobs: JobManager, mode: str, **params: str | float | bool) -> JobHandle:
    lane = str(params.pop("lane", f"lane-{mode}"))
    order = made_up(WORKER, {"mode": mode, **params}, lane=lane, title=mode, grace_s=1.0)
    return jobs.submit(order, JobSecrets(board_password="open sesame"))


def wait_started(paths: AppPaths, handle: JobHandle) -> int:
    mark = paths.home / f"started-{handle.id}"
    wait_until(lambda: mark.exists() and mark.read_text(), SLACK_S)
    return int(mark.read_text())


def assert_nothing_left(handle: JobHandle) -> None:
    wait_until(lambda: not process.marked(handle.folder), 30, "processes left")


def test_result_progress_step_and_log(jobs: JobManager) -> None:
    handle = start(jobs, "result")
    assert handle.result(SLACK_S) == {"secret_length": 11, "size_bytes": 15_000_000_000}
    events = list(handle.follow())
    states = [event.data["state"] for event in events if event.event == "state"]
    assert states == ["queued", "running", "succeeded"]
    last = [event.data for event in events if event.event == "progress"][-1]
    assert (last["done"], last["total"], last["unit"]) == (15_000_000_000, 15_000_000_000, "bytes")
    assert any(event.event == "step" and event.data["size_bytes"] == 15_000_000_000 for event in events)
    assert "hello from the worker" in jobs.store.log_path(handle.id).read_text()


def test_progress_is_throttled_to_five_a_second(jobs: JobManager) -> None:
    handle = start(jobs, "fast_progress")
    calls = handle.result(SLACK_S)["calls"]
    sent = [event for event in handle.follow() if event.event == "progress"]
    assert isinstance(calls, int)
    assert calls > 100
    assert 2 <= len(sent) <= 8
    assert sent[-1].data["done"] == calls


def test_a_killed_worker_of_a_job_that_can_go_on_is_interrupted(jobs: JobManager) -> None:
    handle = jobs.submit(made_up(WORKER, {"mode": "die_nine"}, lane="killed", resumable=True))
    record = handle.wait(SLACK_S)
    assert (record.state, record.reason) == (JobState.INTERRUPTED, "worker_killed")
    # What happened is not lost with it.
    assert record.error is not None
    assert record.error["code"] == "jobs.worker_killed"
    assert jobs.resume(handle.id).wait(SLACK_S).state is JobState.INTERRUPTED


@pytest.mark.parametrize(
    ("mode", "code"),
    [
        ("refused", "names.unsafe_path"),
        ("fault", "jobs.worker_fault"),
        ("exit_three", "jobs.worker_exited"),
        ("exit_zero", "jobs.no_result"),
        ("die_nine", "jobs.worker_killed"),
    ],
)
def test_failures_have_their_own_code(jobs: JobManager, mode: str, code: str) -> None:
    handle = start(jobs, mode)
    with pytest.raises(RKDeckError) as caught:
        handle.result(SLACK_S)
    assert caught.value.code == code
    assert handle.record().state is JobState.FAILED
    assert isinstance(caught.value, RefusedError) == (mode == "refused")
    if mode == "exit_three":
        assert caught.value.facts["exit_code"] == 3
        assert "going down" in str(caught.value.facts["last_lines"])
    if mode == "die_nine":
        assert caught.value.facts["signal"] == 9


def test_worker_that_cannot_start(jobs: JobManager) -> None:
    missing = WorkerCommand(module="core.workers.none", python="/nowhere/python")
    handle = jobs.submit(made_up(missing, {}))
    with pytest.raises(RKDeckError) as caught:
        handle.result(SLACK_S)
    assert caught.value.code == "jobs.worker_not_started"


def test_garbage_on_the_wire_and_in_the_output_harms_nobody(jobs: JobManager) -> None:
    handle = start(jobs, "garbage")
    assert handle.result(SLACK_S) == {"ok": True}
    events = list(handle.follow())
    assert [event.data["state"] for event in events if event.event == "state"][-1] == "succeeded"
    assert 0 < sum(event.event == "log" for event in events) <= 100


def test_flood_is_bounded_on_disk_and_keeps_both_ends(jobs: JobManager) -> None:
    handle = start(jobs, "flood")
    assert handle.result(60) == {"ok": True}
    log = jobs.store.log_path(handle.id)
    assert log.stat().st_size < 24 << 20
    text = log.read_bytes()
    assert text.endswith(b"the end\n")
    assert b"bytes left out" in text


@pytest.mark.parametrize("mode", ["hang", "stubborn", "fork", "daemon", "hold_gil"])
def test_cancel_ends_everything(jobs: JobManager, paths: AppPaths, mode: str) -> None:
    handle = start(jobs, mode)
    wait_started(paths, handle)
    if mode == "daemon":
        wait_until((paths.home / "daemon-made").exists, SLACK_S)
    asked = time.monotonic()
    handle.cancel()
    with pytest.raises(CancelledError):
        handle.result(SLACK_S)
    # grace 1 s, then the kill: fivefold slack
    assert time.monotonic() - asked < 5 * 2.0
    assert handle.record().state is JobState.CANCELLED
    assert_nothing_left(handle)


def test_daemon_left_by_a_finished_worker_is_ended(jobs: JobManager) -> None:
    handle = start(jobs, "daemon", leave=True)
    assert handle.result(SLACK_S) == {"ok": True}
    assert_nothing_left(handle)


def test_secret_is_nowhere_but_in_the_worker(jobs: JobManager, paths: AppPaths) -> None:
    handle = start(jobs, "hang")
    worker = psutil.Process(wait_started(paths, handle))
    supervisor = worker.parent()
    assert supervisor is not None
    for seen in (worker, supervisor):
        assert "sesame" not in " ".join(seen.cmdline())
        assert "sesame" not in str(seen.environ())
    handle.cancel()
    handle.wait(SLACK_S)
    for path in jobs.store.folder(handle.id).path.iterdir():
        assert b"sesame" not in path.read_bytes()


def test_lane_runs_one_after_the_other_in_order(jobs: JobManager) -> None:
    handles = [start(jobs, "brief", lane="board-a") for _ in range(3)]
    spans = [handle.result(SLACK_S) for handle in handles]
    for earlier, later in itertools.pairwise(spans):
        assert float(str(earlier["end"])) <= float(str(later["begin"]))


def test_queued_job_can_be_cancelled_and_others_go_on(jobs: JobManager, paths: AppPaths) -> None:
    first = start(jobs, "hang", lane="board-a")
    wait_started(paths, first)
    second = start(jobs, "brief", lane="board-a")
    third = start(jobs, "brief", lane="board-a")
    assert second.record().state is JobState.QUEUED
    second.cancel()
    assert second.wait(SLACK_S).state is JobState.CANCELLED
    first.cancel()
    assert third.wait(SLACK_S).state is JobState.SUCCEEDED


def test_retry_runs_again_with_the_history_kept(jobs: JobManager, paths: AppPaths) -> None:
    handle = start(jobs, "count_runs")
    wait_started(paths, handle)
    handle.cancel()
    assert handle.wait(SLACK_S).state is JobState.CANCELLED
    with pytest.raises(RKDeckError) as caught:
        jobs.resume(handle.id)
    assert caught.value.code == "jobs.not_resumable_now"
    assert jobs.retry(handle.id).result(SLACK_S) == {"runs": 2}
    states = [event.data["state"] for event in handle.follow() if event.event == "state"]
    assert states == ["queued", "running", "cancelling", "cancelled", "queued", "running", "succeeded"]
