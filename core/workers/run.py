"""Worker: a ready-made file from the Hub to a board, in one job."""

from core.jobs.worker import run_worker
from core.plans.run import run_plan

if __name__ == "__main__":
    run_worker(run_plan)
