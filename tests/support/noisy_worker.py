"""A worker program for tests and benches: prints many lines."""

import sys

from core.base.errors import JsonValue
from core.jobs.worker import WorkerContext, run_worker


def main(context: WorkerContext, params: dict[str, JsonValue]) -> dict[str, JsonValue]:
    lines = params["lines"]
    assert isinstance(lines, int)
    for number in range(lines):
        sys.stdout.write(f"line {number}\n")
    sys.stdout.flush()
    return {"lines": lines}


if __name__ == "__main__":
    run_worker(main)
