"""Worker of `rkdeck selftest`: proves that a worker process starts and answers."""

import os

from core.base.errors import JsonValue
from core.jobs.worker import WorkerContext, run_worker


def main(context: WorkerContext) -> dict[str, JsonValue]:
    """Answer."""
    context.progress("answering", 1, 1, unit="steps")
    return {"pid": os.getpid()}


if __name__ == "__main__":
    run_worker(main)
