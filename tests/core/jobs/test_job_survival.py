"""kill -9 at the front end and at the supervisor; other processes that look, follow and cancel."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from core.base.errors import RKDeckError
from core.base.locks import FileLock
from core.base.paths import AppPaths
from core.jobs import process
from core.jobs.manager import JobManager
from core.jobs.model import TRANSITIONS, JobSpec, JobState, WorkerCommand, check_transition
from core.jobs.store import EventWriter, JobStore
from tests.support.orders import made_up
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[3]
WORKER = ROOT / "tests" / "support" / "bad_worker.py"
SLACK_S = 30.0

FRONT_END = """
import sys, time
from pathlib import Path
from core.base.paths import AppPaths
from core.jobs.manager import JobManager
from core.jobs.model import WorkerCommand
from tests.support.orders import made_up
home, worker, mode, survives, seconds = sys.argv[1:]
jobs = JobManager(AppPaths(Path(home)))
handle = jobs.submit(made_up(WorkerCommand(script=worker), {"mode": mode, "seconds": float(seconds)},
                             survives_front_end=survives == "yes", grace_s=1.0))
print(handle.id, flush=True)
time.sleep(120)
"""


def front_end(
    paths: AppPaths, mode: str, *, survives: bool, seconds: float = 0
) -> "tuple[subprocess.Popen[str], str]":
    arguments = [str(paths.home), str(WORKER), mode, "yes" if survives else "no", str(seconds)]
    started = subprocess.Popen(
        [sys.executable, "-c", FRONT_END, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert started.stdout is not None
    job_id = started.stdout.readline().strip()
    wait_until((paths.home / f"started-{job_id}").exists, SLACK_S)
    return started, job_id


def kill(started: "subprocess.Popen[str]") -> None:
    started.kill()
    started.communicate()


@pytest.mark.parametrize("mode", ["hang", "stubborn", "daemon", "hold_gil"])
def test_job_that_ends_with_its_front_end_is_interrupted_and_leaves_nothing(
    paths: AppPaths, mode: str
) -> None:
    started, job_id = front_end(paths, mode, survives=False)
    kill(started)
    store = JobStore(paths.jobs)
    wait_until(lambda: store.get(job_id).state is JobState.INTERRUPTED, 5 * 2.0)
    wait_until(lambda: not process.marked(paths.jobs / job_id), 30)
    assert store.get(job_id).reason == "front_end_gone"
    wait_until(lambda: not store.get(job_id).alive, 30)


def test_job_that_survives_goes_on_and_another_process_reads_its_result(paths: AppPaths) -> None:
    started, job_id = front_end(paths, "brief", survives=True, seconds=2.0)
    kill(started)
    jobs = JobManager(paths)
    assert jobs.store.reconcile() == ()
    assert jobs.attach(job_id).record().state is JobState.RUNNING
    assert set(jobs.attach(job_id).result(SLACK_S)) == {"begin", "end"}


def test_another_process_lists_follows_and_cancels(paths: AppPaths) -> None:
    started, job_id = front_end(paths, "hang", survives=False)
    jobs = JobManager(paths)
    assert [record.spec.id for record in jobs.store.list()] == [job_id]
    assert jobs.find(job_id[:8]).alive
    follower = jobs.attach(job_id).follow()
    assert next(follower).data["state"] == "queued"
    jobs.cancel(job_id)
    assert [event.data["state"] for event in follower if event.event == "state"][-1] == "cancelled"
    assert started.poll() is None
    kill(started)


def test_killed_supervisor_takes_the_worker_along_and_reconcile_says_interrupted(paths: AppPaths) -> None:
    started, job_id = front_end(paths, "daemon", survives=True)
    wait_until((paths.home / "daemon-made").exists, SLACK_S)
    worker = psutil.Process(int((paths.home / f"started-{job_id}").read_text()))
    supervisor = worker.parent()
    assert supervisor is not None
    supervisor.kill()
    wait_until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE, 30)
    assert process.marked(paths.jobs / job_id), "the daemon outlives its supervisor until the next start"
    store = JobStore(paths.jobs)
    assert [record.spec.id for record in store.reconcile()] == [job_id]
    assert store.get(job_id).state is JobState.INTERRUPTED
    assert not process.marked(paths.jobs / job_id)
    kill(started)


def test_copied_home_lets_the_jobs_of_the_original_be(paths: AppPaths, tmp_path: Path) -> None:
    """As a backup leaves it: the last event cut off, files dated an hour back."""
    started, job_id = front_end(paths, "hang", survives=True)
    copied = AppPaths(tmp_path / "copy")
    shutil.copytree(paths.home, copied.home)
    copy = JobStore(copied.jobs).folder(job_id)
    events = copy.events_file.read_bytes()
    copy.events_file.write_bytes(events[:-7])
    for file in (copy.spec_file, copy.events_file):
        os.utime(file, (1, 1))
    assert [record.spec.id for record in JobStore(copied.jobs).reconcile()] == [job_id]
    assert JobStore(copied.jobs).get(job_id).state is JobState.INTERRUPTED
    assert JobStore(paths.jobs).reconcile() == ()
    record = JobStore(paths.jobs).get(job_id)
    assert (record.state, record.alive) == (JobState.RUNNING, True)
    assert process.marked(paths.jobs / job_id), "the copy killed the worker of the original"
    assert not process.marked(copied.jobs / job_id)
    JobManager(paths).cancel(job_id)
    wait_until(lambda: not JobStore(paths.jobs).get(job_id).alive, SLACK_S)
    kill(started)


@pytest.mark.parametrize(
    ("mode", "code"), [("die_nine", "jobs.worker_killed"), ("exit_three", "jobs.worker_exited")]
)
def test_signals_that_the_starter_ignored_or_blocked_change_no_outcome(
    paths: AppPaths, mode: str, code: str
) -> None:
    """Ignored SIGCHLD makes every child seem to have ended with 0."""
    started, job_id = odd_front_end(paths, mode)
    store = JobStore(paths.jobs)
    wait_until(lambda: store.get(job_id).state.is_terminal, SLACK_S)
    record = store.get(job_id)
    assert record.error is not None
    assert (record.state, record.error["code"]) == (JobState.FAILED, code)
    kill(started)


def test_a_blocked_sigterm_reaches_supervisor_and_worker_all_the_same(paths: AppPaths) -> None:
    started, job_id = odd_front_end(paths, "hang")
    wait_until((paths.home / f"started-{job_id}").exists, SLACK_S)
    worker = psutil.Process(int((paths.home / f"started-{job_id}").read_text()))
    supervisor = worker.parent()
    assert supervisor is not None
    for one in (worker, supervisor):
        status = Path(f"/proc/{one.pid}/status").read_text()
        assert "SigBlk:\t0000000000000000" in status, status
    JobManager(paths).cancel(job_id)
    store = JobStore(paths.jobs)
    wait_until(lambda: not store.get(job_id).alive, SLACK_S)
    assert store.get(job_id).state is JobState.CANCELLED
    kill(started)


def odd_front_end(paths: AppPaths, mode: str) -> "tuple[subprocess.Popen[str], str]":
    def odd() -> None:
        for number in (signal.SIGCHLD, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE})

    arguments = [str(paths.home), str(WORKER), mode, "yes", "0"]
    started = subprocess.Popen(
        [sys.executable, "-c", FRONT_END, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=odd,  # noqa: PLW1509  # safe between fork and exec
    )
    assert started.stdout is not None
    return started, started.stdout.readline().strip()


def test_close_interrupts_and_waits(paths: AppPaths) -> None:
    jobs = JobManager(paths)
    worker = WorkerCommand(script=str(WORKER))
    handle = jobs.submit(made_up(worker, {"mode": "hang"}, grace_s=1.0))
    wait_until((paths.home / f"started-{handle.id}").exists, SLACK_S)
    jobs.close()
    assert handle.record().state is JobState.INTERRUPTED
    with pytest.raises(RKDeckError) as caught:
        handle.result()
    assert caught.value.code == "jobs.interrupted"
    again = JobManager(paths)
    resumed = again.resume(handle.id)
    again.cancel(handle.id)
    assert resumed.wait(SLACK_S).state is JobState.CANCELLED
    again.close()


def test_close_waits_for_the_others_when_the_folder_of_one_was_taken_away(paths: AppPaths) -> None:
    jobs = JobManager(paths)
    worker = WorkerCommand(script=str(WORKER))
    gone, other = (jobs.submit(made_up(worker, {"mode": "hang"}, lane=lane, grace_s=1.0)) for lane in "ab")
    for handle in (gone, other):
        wait_until((paths.home / f"started-{handle.id}").exists, SLACK_S)
    folder = gone.folder
    shutil.rmtree(folder)
    jobs.cancel_started()
    jobs.close()
    assert other.record().state in {JobState.CANCELLED, JobState.INTERRUPTED}
    wait_until(lambda: not process.marked(folder), SLACK_S)


def test_supervisor_told_to_end_interrupts(paths: AppPaths) -> None:
    started, job_id = front_end(paths, "hang", survives=True)
    supervisor = psutil.Process(int((paths.home / f"started-{job_id}").read_text())).parent()
    assert supervisor is not None
    supervisor.terminate()
    store = JobStore(paths.jobs)
    wait_until(lambda: store.get(job_id).state is JobState.INTERRUPTED, 30)
    kill(started)


def _spec(job_id: str) -> JobSpec:
    return JobSpec(job_id, "test", "x", "t", {}, WorkerCommand(module="m"), created_unix_s=1.0)


def test_intent_without_supervisor_becomes_interrupted_but_not_while_starting(paths: AppPaths) -> None:
    store = JobStore(paths.jobs)
    folder = store.create(_spec("a"))
    assert store.reconcile() == ()
    os.utime(folder.spec_file, (1, 1))
    assert [record.state for record in store.reconcile()] == [JobState.INTERRUPTED]
    assert store.reconcile() == ()


def test_torn_and_damaged_lines_are_survived(paths: AppPaths) -> None:
    store = JobStore(paths.jobs)
    folder = store.create(_spec("a"))
    with FileLock(folder.lock_file):
        writer = EventWriter(folder)
        writer.move(JobState.QUEUED, "x")
        writer.move(JobState.RUNNING, "x")
    with folder.events_file.open("ab") as file:
        file.write(b'[]\n{"event": "state"}\n\xff\n{"event": "state", "t_unix_s": 1, "state": "succe')
    assert store.get("a").state is JobState.RUNNING
    with FileLock(folder.lock_file):
        EventWriter(folder).move(JobState.FAILED, "y")
    assert store.get("a").state is JobState.FAILED


@pytest.mark.parametrize("text", ["{}", "[]", "{", '{"schema": 1, "id": 5}', json.dumps({"schema": 2})])
def test_damaged_intent_hides_only_its_own_job(paths: AppPaths, text: str) -> None:
    store = JobStore(paths.jobs)
    store.create(_spec("good"))
    store.create(_spec("bad")).spec_file.write_text(text)
    assert [record.spec.id for record in store.list()] == ["good"]
    with pytest.raises(RKDeckError):
        store.get("bad")


@pytest.mark.parametrize("name", ["../x", "", ".", "a/b", "nobody"])
def test_unknown_ids_are_usage_errors(paths: AppPaths, name: str) -> None:
    with pytest.raises(RKDeckError) as caught:
        JobStore(paths.jobs).folder(name)
    assert caught.value.exit_code == 2


def test_transition_table_allows_what_it_says_and_nothing_else() -> None:
    for old in (None, *JobState):
        for new in JobState:
            if new in TRANSITIONS[old]:
                check_transition(old, new)
            else:
                with pytest.raises(RKDeckError):
                    check_transition(old, new)
    assert all(TRANSITIONS[state] <= {JobState.QUEUED} for state in JobState if state.is_terminal)


def test_full_disk_for_events_leaves_no_orphan(paths: AppPaths) -> None:
    script = FRONT_END.replace(
        "jobs = JobManager",
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1200, 1200)); jobs = JobManager",
    )
    # Python ignores SIGXFSZ, so writes beyond the limit fail with EFBIG, as on a full disk.
    started = subprocess.Popen(
        [sys.executable, "-c", script, str(paths.home), str(WORKER), "fast_progress", "no", "0"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert started.stdout is not None
    job_id = started.stdout.readline().strip()
    store = JobStore(paths.jobs)
    wait_until(lambda: not store.folder(job_id).is_alive, SLACK_S)
    wait_until(lambda: not process.marked(paths.jobs / job_id), 30)
    started.send_signal(signal.SIGKILL)
    started.communicate()
    os.utime(store.folder(job_id).spec_file, (1, 1))
    store.reconcile()
    assert store.get(job_id).state is JobState.INTERRUPTED
