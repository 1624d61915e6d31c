"""Reading a job's log in bounded pieces, while it grows."""

from core.base.names import printable
from core.base.opening import open_regular
from core.jobs.model import LogChunk
from core.jobs.store import JobStore

CHUNK_BYTES = 256 << 10
_MAX_LINE = 2000


def read_log(
    store: JobStore, job_id: str, offset: int = 0, max_bytes: int = CHUNK_BYTES, *, tail: bool = False
) -> LogChunk:
    """Read at most `max_bytes` of a job's log from `offset` on; with `tail` the last ones instead.

    A line that is still being written stays for the next piece, unless it alone fills this one.

    Raises:
        UsageError: `jobs.unknown`.
    """
    path = store.log_path(job_id)
    try:
        with open_regular(path) as file:
            size = file.seek(0, 2)
            start = max(offset, size - max_bytes) if tail else min(offset, size)
            file.seek(start)
            data = file.read(max_bytes)
    except FileNotFoundError:
        return LogChunk((), offset, 0, complete=True)
    skipped = start - offset
    if tail and skipped:
        cut = data.find(b"\n") + 1
        skipped, start, data = skipped + cut, start + cut, data[cut:]
    end = data.rfind(b"\n") + 1
    if end == 0 and len(data) == max_bytes:
        end = len(data)
    text = data[:end].decode("utf-8", "replace").replace("\r\n", "\n").removesuffix("\n")
    # A progress bar redraws its line with carriage returns: its last form is the one to keep.
    lines = tuple(
        printable(line.rstrip("\r").rsplit("\r", 1)[-1], limit=_MAX_LINE) for line in text.split("\n") if end
    )
    return LogChunk(lines, start + end, skipped, complete=start + end >= size or end < len(data))
