"""Worker of `rkdeck selftest`: proves that a worker process starts, opens the house and answers."""

import os

from core.base.errors import JsonValue
from core.jobs.selftest import SelftestOrder
from core.jobs.worker import WorkerContext
from core.services import Services
from core.workers.house import run_stage


def answer(context: WorkerContext, order: SelftestOrder, services: Services) -> dict[str, JsonValue]:
    """Answer."""
    del order, services
    context.progress("answer", 1, 1, unit="steps")
    return {"pid": os.getpid()}


if __name__ == "__main__":
    run_stage(SelftestOrder, answer)
