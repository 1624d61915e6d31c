"""Worker: one deployment to one board."""

from core.deploy.order import DeployOrder
from core.deploy.run import run_deployment
from core.workers.house import run_stage

if __name__ == "__main__":
    run_stage(DeployOrder, run_deployment)
