"""Worker: one measurement of perplexity."""

from core.lab.perplexity.order import PerplexityOrder
from core.lab.perplexity.run import run_perplexity
from core.workers.house import run_stage

if __name__ == "__main__":
    run_stage(PerplexityOrder, run_perplexity)
