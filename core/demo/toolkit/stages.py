"""The toolkit's voice: log lines on standard output, tqdm bars on standard error, like the real one's."""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
# Makes the stand-in as slow as wanted: real conversions take minutes to hours.
SECONDS_PER_STEP = "RKLLM_SIMULATED_SECONDS_PER_STEP"


def say(level: str, text: str) -> None:
    """Print `INFO: ...`, `WARNING: ...` or `ERROR: ...`."""
    sys.stdout.write(f"{level}: {text}\n")
    sys.stdout.flush()


def bar(stage: str, items: Sequence[Item]) -> Iterator[Item]:
    """Yield the items under a stage bar such as `Optimizing model: 100%|###| 28/28 [...]`."""
    pause_s = float(os.environ.get(SECONDS_PER_STEP, "0"))
    for item in tqdm(items, desc=stage, file=sys.stderr):
        if pause_s:
            time.sleep(pause_s)
        yield item
