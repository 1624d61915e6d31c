"""What a job line says while nothing moves."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from core.jobs.model import JobRecord, JobSpec, JobState, Progress, WorkerCommand
from gui.phrases import activity_text, ago_text, job_line, phase_text
from gui.text import use_language

MOVING = Progress("upload", 3 << 20, 24 << 20, "bytes", rate_per_s=1 << 20, eta_s=21.0)
STALLED = replace(MOVING, stalled=True, stalled_s=17.0)
EMPTY = Progress("files", 0, None, "bytes", None)
MEASURING = Progress("measure", 1, 4, "windows", None, facts={"level": "w8a8"})


@pytest.fixture
def in_spanish() -> Iterator[None]:
    use_language("es")
    yield
    use_language("en")


def line(progress: Progress, state: JobState = JobState.RUNNING) -> str:
    spec = JobSpec(
        id="deploy-1",
        kind="deploy",
        lane="board",
        title="m to bench",
        params={},
        worker=WorkerCommand(module="core.workers.deploy"),
        resumable=True,
        created_unix_s=0.0,
    )
    return job_line(JobRecord(spec, state, True, "", progress, None, None))


def test_a_transfer_that_goes_tells_rate_and_time() -> None:
    assert line(MOVING) == "Sending · 3.00 MiB / 24.0 MiB · 1.00 MiB/s · 21 s left"


def test_a_stalled_one_tells_how_long_and_no_rate() -> None:
    assert line(STALLED) == "Sending: nothing has moved for 17 s · 3.00 MiB / 24.0 MiB"
    assert line(replace(STALLED, stalled_s=None)) == "Sending: nothing is moving · 3.00 MiB / 24.0 MiB"


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.0, "0 s"), (3.0, "3 s"), (59.4, "59 s"), (65.0, "1:05 min"), (7260.0, "2:01 h")]
)
def test_how_long_in_whole_seconds(seconds: float, shown: str) -> None:
    assert activity_text(replace(STALLED, stalled_s=seconds)).endswith(f"for {shown}")


@pytest.mark.usefixtures("in_spanish")
def test_in_spanish() -> None:
    assert line(STALLED).startswith("Enviando: nada avanza desde hace 17 s · ")
    assert activity_text(replace(STALLED, stalled_s=None)) == "Enviando: nada avanza"
    assert phase_text(EMPTY) == "Enviando los archivos que lo acompañan"
    assert phase_text(MEASURING) == "Midiendo w8a8"


def test_every_phase_of_a_deployment_has_words() -> None:
    for phase in ("hash", "files", "upload", "waiting", "starting"):
        assert phase_text(replace(EMPTY, phase=phase)) != phase
    assert line(EMPTY).startswith("Sending the files that belong to it · ")


def test_a_job_that_ended_is_not_stalled() -> None:
    assert line(STALLED, JobState.SUCCEEDED) == "Done"


@pytest.mark.parametrize("t_unix_s", [float("nan"), float("inf"), -1e18, 1e300, 10**400, -1.0])
def test_a_time_that_is_none_is_unknown(t_unix_s: float) -> None:
    assert ago_text(t_unix_s) == "unknown"
