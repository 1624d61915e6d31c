"""The frame of all worker mains: the order read, the house opened, the stage called."""

from collections.abc import Callable

from core.base.errors import JsonValue
from core.base.log import log_to_stderr
from core.base.paths import AppPaths
from core.jobs.order import Order
from core.jobs.worker import WorkerContext, run_worker
from core.services import Services


def run_stage(
    order: type[Order], stage: Callable[[WorkerContext, Order, Services], dict[str, JsonValue]]
) -> None:
    """Run a stage as this process's job, and exit.

    Args:
        order: what the job's params are.
        stage: what does it; of the services it takes the parts its Protocol names.
    """

    def main(context: WorkerContext, params: dict[str, JsonValue]) -> dict[str, JsonValue]:
        found = order.from_json(params)
        # Only front ends write logs/rkdeck.log: two processes that rotate one file lose lines of each other.
        with Services.build(AppPaths(context.home), log_to_stderr, repairs=False) as services:
            return stage(context, found, services)

    run_worker(main)
