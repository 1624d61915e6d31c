"""Worker: one deployment to one board."""

from core.deploy.run import run_deployment
from core.jobs.worker import run_worker

if __name__ == "__main__":
    run_worker(run_deployment)
