"""Jobs as a front end uses them: open the job service, watch, stop, run again."""

from typing import Protocol

from core.jobs.joblog import CHUNK_BYTES
from core.jobs.joblog import read_log as _read_log
from core.jobs.model import JobRecord, LogChunk
from core.jobs.order import JobSecrets
from core.jobs.watch import JobWatcher
from core.plans.kinds import read_order
from core.services import Services


class JobsWatch(Protocol):
    """The watch over the jobs, as a front end holds it; what it sees is published as `core.jobs.model.JobsSeen`."""

    def start(self) -> None:
        """Begin to look."""
        ...

    def look_now(self) -> None:
        """Do not wait for the next look: a job was just started."""
        ...

    def close(self) -> None:
        """Stop looking."""
        ...


def open_jobs(services: Services) -> tuple[JobsWatch, tuple[JobRecord, ...]]:
    """Build the job service; returns a watcher that was not started yet, and what was found interrupted."""
    watcher = JobWatcher(services.jobs.store, services.events)
    return watcher, services.interrupted


def cancel(services: Services, job_id: str) -> None:
    """Ask a job to stop, whoever started it."""
    services.jobs.cancel(job_id)


def resume(services: Services, job_id: str) -> str:
    """Go on with an interrupted job; returns its id.

    Raises:
        UsageError: `jobs.unknown`, `jobs.not_resumable_now`, `boards.unknown`.
        RefusedError: `jobs.unknown_kind`; RKDeckError: `jobs.order_lacks`, `jobs.bad_order`.
    """
    return services.jobs.resume(job_id, _secrets(services, job_id)).id


def retry(services: Services, job_id: str) -> str:
    """Run a failed, cancelled or interrupted job once more; returns its id.

    Raises:
        As `resume`.
    """
    return services.jobs.retry(job_id, _secrets(services, job_id)).id


def _secrets(services: Services, job_id: str) -> JobSecrets:
    """Those of a stored job; one that this version cannot read is told now, before anything is started."""
    return services.secrets_for(read_order(services.jobs.attach(job_id).record().spec))


def read_log(
    services: Services, job_id: str, offset: int = 0, max_bytes: int = CHUNK_BYTES, *, tail: bool = False
) -> LogChunk:
    """Read a piece of a job's log; see `core.jobs.joblog.read_log`."""
    return _read_log(services.jobs.store, job_id, offset, max_bytes, tail=tail)
