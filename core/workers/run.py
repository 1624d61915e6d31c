"""Worker: a ready-made file from the Hub to a board, in one job."""

from core.plans.order import RunOrder
from core.plans.run import run_plan
from core.workers.house import run_stage

if __name__ == "__main__":
    run_stage(RunOrder, run_plan)
