"""What a job's worker may leave outside its folder: written down before, so that a start repairs it after any kill.

```
HOME/jobs/convert-261128-184513-014f79/leaves.json
  {"mark": "fd01-2e0041-convert-261128-184513-014f79", ...what the kind needs to find it}
```
It is there from before the first byte is written elsewhere until nothing is left that could be half; each kind says
what it means (`core.plans.repair`). The mark is the job's (`core.jobs.mark`): in a copy of the home it is another's.
"""

from pathlib import Path

from core.base import atomic
from core.base.errors import JsonValue, RKDeckError
from core.jobs.mark import job_mark

LEAVES_NAME = "leaves.json"


def write_leaves(job_folder: Path, **leaves: JsonValue) -> None:
    """Write down what may be left, in place of what was written before.

    Raises:
        OSError: when it cannot be written; then nothing may be begun.
    """
    atomic.write_json(job_folder / LEAVES_NAME, {"mark": job_mark(job_folder), **leaves})


def read_leaves(job_folder: Path) -> tuple[dict[str, JsonValue], bool]:
    """What was written down, and whether by a job of this very home.

    A damaged note is nobody else's, and says nothing more than that there was one.

    Raises:
        OSError: when it cannot be read.
    """
    try:
        value = atomic.read_json(job_folder / LEAVES_NAME)
    except RKDeckError:
        value = None
    leaves = value if isinstance(value, dict) else {}
    mark = leaves.get("mark")
    return leaves, not isinstance(mark, str) or mark == job_mark(job_folder)


def forget_leaves(job_folder: Path) -> None:
    """Nothing is left."""
    (job_folder / LEAVES_NAME).unlink(missing_ok=True)
