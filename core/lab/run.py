"""The analysis itself, in its worker process: the errors of every level on a model's weights."""

from typing import Protocol

from core.base.errors import JsonValue, RKDeckError
from core.jobs.worker import WorkerContext
from core.lab.analysis import analyse
from core.lab.order import AnalyzeOrder
from core.lab.store import AnalysisStore, TensorJournal, stamp_of
from core.lab.weights import open_folder
from core.words import tell

_JOURNAL = "tensors.jsonl"


class AnalysisParts(Protocol):
    """What of the house this stage needs."""

    @property
    def analyses(self) -> AnalysisStore:
        """The analyses that were made."""
        ...


def run_analysis(context: WorkerContext, order: AnalyzeOrder, parts: AnalysisParts) -> dict[str, JsonValue]:
    """Measure and keep; a run that was cut goes on behind the last tensor it wrote down.

    Raises:
        RKDeckError: `lab.model_changed` when the files changed meanwhile, `lab.cannot_write`, and what is wrong
            with the model.
    """
    stamp = stamp_of(order.source)
    weights, journal = open_folder(order.source), TensorJournal(context.job_dir / _JOURNAL, stamp)

    def progress(done: int, total: int, tensor: str) -> None:
        context.progress("analyze", done, total)
        del tensor

    known = tuple(journal.read())
    if known:
        tell(context.log, RKDeckError("lab.goes_on", count=len(known)))
    analysis = analyse(weights, progress=progress, done=journal.add, known=known)
    for problem in analysis.problems:
        tell(context.log, problem, "warning")
    if stamp_of(order.source) != stamp:
        raise RKDeckError("lab.model_changed", model=order.title)
    path = parts.analyses.save(order.key, stamp, analysis)
    return {
        "path": str(path),
        "model": analysis.model,
        "tensors": len(analysis.tensors),
        "problems": len(analysis.problems),
        "weights": analysis.weights,
        "bytes_read": analysis.bytes_read,
        "seconds": analysis.seconds,
        "levels": [level.to_json() for level in analysis.levels],
    }
