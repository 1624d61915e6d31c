"""Somebody sets the clock by hours while jobs start, wait and work: nothing is taken for dead, late or done."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from core.base.errors import JsonValue
from core.base.paths import AppPaths
from core.jobs import process
from core.jobs.manager import JobHandle, JobManager
from core.jobs.model import JobState, WorkerCommand
from core.jobs.store import JobStore
from tests.support.orders import made_up
from tests.support.waiting import wait_until

WORKER = Path(__file__).parents[3] / "tests" / "support" / "bad_worker.py"
SLACK_S = 60.0
HOURS_S = (6 * 3600.0, -12 * 3600.0, 0.0)
# Every Python that starts with this on its path has a clock that goes as the file says, from call to call.
_SHIFTED = """
import os, time
_real = time.time
def _shifted():
    with open(os.environ["TEST_CLOCK"]) as file:
        return _real() + float(file.read() or 0)
time.time = _shifted
"""
_LATE = "import os, sys, time; time.sleep(2); os.execv(sys.argv[1], sys.argv[1:])"


@pytest.fixture
def set_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the wall clock of this process and of all it starts by so many seconds."""
    folder, real = tmp_path / "clock", time.time
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_SHIFTED)
    shift = folder / "shift"

    def move(seconds: float) -> None:
        shift.with_suffix(".new").write_text(str(seconds))
        shift.with_suffix(".new").replace(shift)

    move(0.0)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setenv("TEST_CLOCK", str(shift))
    monkeypatch.setattr(time, "time", lambda: real() + float(shift.read_text()))
    return move


def brief(jobs: JobManager, seconds: float) -> JobHandle:
    params: dict[str, JsonValue] = {"mode": "brief", "seconds": seconds}
    return jobs.submit(made_up(WorkerCommand(script=str(WORKER)), params))


def test_jobs_at_work_and_in_line_do_not_mind(paths: AppPaths, set_clock: Callable[[float], None]) -> None:
    jobs = JobManager(paths)
    first = brief(jobs, 3.0)
    wait_until((paths.home / f"started-{first.id}").exists, SLACK_S)
    set_clock(HOURS_S[0])
    second = brief(jobs, 0.0)
    for hours_s in HOURS_S:
        set_clock(hours_s)
        assert JobStore(paths.jobs).reconcile() == ()
        assert jobs.store.get(first.id).alive
        assert jobs.store.get(second.id).alive
    set_clock(HOURS_S[1])
    for handle in (first, second):
        assert set(handle.result(SLACK_S)) == {"begin", "end"}
        assert handle.record().state is JobState.SUCCEEDED
    told = [event.t_unix_s for event in jobs.store.folder(first.id).events()[0]]
    assert max(told) - min(told) > 3600, "the worker's clock did not move"
    jobs.close()


@pytest.mark.parametrize("hours_s", HOURS_S)
def test_a_job_that_starts_while_the_clock_is_set_is_not_taken_for_dead(
    paths: AppPaths, set_clock: Callable[[float], None], monkeypatch: pytest.MonkeyPatch, hours_s: float
) -> None:
    start = process.start_detached

    def late(argv: Sequence[str], **options: object) -> "subprocess.Popen[bytes]":
        return start([sys.executable, "-c", _LATE, *argv], **options)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(process, "start_detached", late)
    jobs, handles = JobManager(paths), list[JobHandle]()
    submitting = threading.Thread(target=lambda: handles.append(brief(jobs, 0.0)))
    submitting.start()
    store = JobStore(paths.jobs)
    wait_until(lambda: any(store.folder(job_id).log_file.exists() for job_id in store.marks()), SLACK_S)
    set_clock(hours_s)
    assert store.reconcile() == ()
    submitting.join()
    assert set(handles[0].result(SLACK_S)) == {"begin", "end"}
    jobs.close()
