"""What a start does about jobs that are dead: half files go, finished work is entered.

Each kind of job knows what its worker may have left outside the job's folder; the table says who is asked. A kind that
is not in it leaves nothing there that another run would not take up by itself.
"""

import logging
from collections.abc import Callable

from core.base.errors import JsonValue, RKDeckError
from core.base.locks import FileLock
from core.convert.made import repair as repair_conversion
from core.convert.order import ConvertOrder
from core.hub.fetch import repair as repair_download
from core.hub.order import DownloadOrder
from core.jobs.leaves import forget_leaves
from core.jobs.model import JobSpec, JobState
from core.jobs.store import EventWriter, JobFolder, JobStore
from core.library.library import Library
from core.plans.kinds import read_order
from core.plans.order import RunOrder

_log = logging.getLogger(__name__)


def repair_jobs(store: JobStore, library: Callable[[], Library]) -> None:
    """Repair what dead jobs left; what cannot be repaired now is tried at the next start, and said in the log.

    Args:
        store: of the jobs, reconciled.
        library: opens the library, when it is needed.
    """
    for folder in store.unsettled():
        lock = FileLock(folder.lock_file)
        try:
            if lock.try_acquire():
                _repair(folder, library)
        except (OSError, RKDeckError) as error:
            _log.warning("job %s: what it left cannot be repaired: %s", folder.id, error)
        finally:
            lock.release()


def _repair(folder: JobFolder, library: Callable[[], Library]) -> None:
    writer = EventWriter(folder)
    if writer.state is None or not writer.state.is_terminal:
        return  # on its way to start
    if writer.state is not JobState.SUCCEEDED:
        result = _left(folder, folder.read_spec(), library)
        if result is not None:
            # A run like any other, which found all its work done.
            writer.move(JobState.QUEUED, "repaired")
            writer.move(JobState.RUNNING, "repaired")
            writer.append("result", result=result)
            writer.move(JobState.SUCCEEDED, "repaired")
    forget_leaves(folder.path)


def _left(folder: JobFolder, spec: JobSpec, library: Callable[[], Library]) -> dict[str, JsonValue] | None:
    order = read_order(spec)
    if isinstance(order, ConvertOrder):
        return repair_conversion(folder.path, order, library())
    if isinstance(order, DownloadOrder | RunOrder):
        repair_download(folder.path, order if isinstance(order, DownloadOrder) else order.download)
    return None
