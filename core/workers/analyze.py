"""Worker: the errors of every level on a model's weights, kept for the window."""

from pathlib import Path

from core.base.errors import JsonValue, RKDeckError
from core.base.names import printable
from core.base.paths import AppPaths
from core.jobs.worker import WorkerContext, run_worker
from core.lab.analysis import analyse
from core.lab.store import AnalysisStore, Journal, stamp_of
from core.lab.weights import open_folder

_JOURNAL = "tensors.jsonl"


def main(context: WorkerContext) -> dict[str, JsonValue]:
    """Measure, store; a run that was cut goes on behind the last tensor it wrote down."""
    folder, key = Path(str(context.params["source"])), str(context.params["key"])
    stamp = stamp_of(folder)
    weights, journal = open_folder(folder), Journal(context.job_dir / _JOURNAL, stamp)

    def progress(done: int, total: int, tensor: str) -> None:
        context.progress("Analysing", done, total)
        del tensor

    known = tuple(journal.read())
    if known:
        context.log(f"going on behind {len(known)} tensors of an earlier run")
    analysis = analyse(weights, progress=progress, done=journal.add, known=known)
    for problem in analysis.problems:
        context.log(printable(str(problem), limit=300), level="warning")
    if stamp_of(folder) != stamp:
        raise RKDeckError("lab.model_changed", model=str(context.params["title"]))
    path = AnalysisStore(AppPaths(context.home).analyses).save(key, stamp, analysis)
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


if __name__ == "__main__":
    run_worker(main)
