"""Worker: the errors of every level on a model's weights, kept for the window."""

from core.lab.order import AnalyzeOrder
from core.lab.run import run_analysis
from core.workers.house import run_stage

if __name__ == "__main__":
    run_stage(AnalyzeOrder, run_analysis)
