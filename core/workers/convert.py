"""Worker: one conversion, by the toolkit's own Python."""

from core.convert.run import run_conversion
from core.jobs.worker import run_worker

if __name__ == "__main__":
    run_worker(run_conversion)
