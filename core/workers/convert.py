"""Worker: one conversion, by the toolkit's own Python."""

from core.convert.order import ConvertOrder
from core.convert.run import run_conversion
from core.workers.house import run_stage

if __name__ == "__main__":
    run_stage(ConvertOrder, run_conversion)
