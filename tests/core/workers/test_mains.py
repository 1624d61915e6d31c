"""The worker programs as programs: each starts, and an order without sense ends it with an error that has words."""

import subprocess
import sys
from pathlib import Path

import pytest

from core.base.paths import AppPaths
from core.jobs.model import JobSpec, JobState, WorkerCommand
from core.jobs.store import JobStore

ROOT = Path(__file__).parents[3]
WORKERS = {path.stem for path in (ROOT / "core" / "workers").glob("*.py")} - {"__init__", "house"}
# Those that are no jobs: told what to do on standard input for as long as it lasts.
WATCHERS = {"monitor"}
# It answers with its process id, whatever its order: `rkdeck selftest` runs it.
WITHOUT_ORDER = {"selftest"}
TIMEOUT_S = 60


def _run(module: str, argument: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", module, str(argument)],
        cwd=ROOT, input="\n", capture_output=True, text=True, timeout=TIMEOUT_S,
    )  # fmt: skip


@pytest.mark.parametrize("worker", sorted(WORKERS - WATCHERS - WITHOUT_ORDER))
def test_a_worker_given_no_order_fails_by_an_error_of_its_own(paths: AppPaths, worker: str) -> None:
    command = WorkerCommand(module=f"core.workers.{worker}")
    spec = JobSpec(
        f"{worker}-1",
        worker,
        "test",
        "without sense",
        {},
        command,
        survives_front_end=True,
        created_unix_s=1.0,
    )
    store = JobStore(paths.jobs)
    done = _run("core.jobs.supervisor", store.create(spec).path)
    assert done.returncode == 0, done.stderr
    record = store.get(spec.id)
    assert record.state is JobState.FAILED
    assert record.error is not None
    assert record.error["code"] == "jobs.order_lacks"


@pytest.mark.parametrize("worker", sorted(WATCHERS))
def test_a_watcher_ends_when_nobody_tells_it_more(paths: AppPaths, worker: str) -> None:
    done = _run(f"core.workers.{worker}", paths.home)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
