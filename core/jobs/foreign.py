"""Starting a program under another Python and listening to it: its private wire and its printed output.

The child stays in our process group, so that the supervisor's signals reach it.
"""

import contextlib
import os
import selectors
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from core.base import foreign
from core.base.errors import JsonValue

FOREIGN = Path(__file__).parents[1] / "workers" / "foreign"
# The folders of ours on a foreign Python's path; `_wire` and `_render` are all that lies in them.
PROTOCOL = Path(__file__).parent / "protocol"
RENDERING = Path(__file__).parents[1] / "base" / "rendering"
EVENTS_DESCRIPTOR = "RKDECK_EVENTS_FD"
_CHUNK_BYTES = 1 << 16
_MAX_LINE_BYTES = 1 << 20
_TICK_S = 0.2
# More than any pipe holds (Linux: 64 KiB, at most 1 MiB without privileges; pipe(7)).
_LAST_READS = (1 << 20) // _CHUNK_BYTES + 1
# Not for vendor code: secrets (a hub's token, whichever hub), and whatever would make it import our packages.
_WITHHELD = ("PYTHONPATH", "PYTHONHOME", EVENTS_DESCRIPTOR)
Message = dict[str, JsonValue]


def run_foreign(
    python: Path,
    script: str,
    arguments: Sequence[str],
    *,
    on_message: Callable[[Message], None],
    on_output: Callable[[bytes], None],
    timeout_s: float | None = None,
) -> int:
    """Run `script` of core/workers/foreign under `python` to its end.

    `on_message` is called for every JSON object on the wire (other lines are dropped), `on_output` with
    pieces of standard output and error as they come; after `timeout_s` the program is killed.

    Returns:
        Its exit code, negative for a signal; it is gone when this returns or raises.

    Raises:
        OSError: when the interpreter cannot be started.
        TimeoutError: after `timeout_s`.
    """
    wire, theirs = os.pipe()
    environment = {key: value for key, value in os.environ.items() if _is_told(key)}
    try:
        child = subprocess.Popen(
            [str(python), "-u", str(FOREIGN / script), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(theirs,),
            env={
                **environment,
                EVENTS_DESCRIPTOR: str(theirs),
                "PYTHONPATH": os.pathsep.join(map(str, (PROTOCOL, RENDERING))),
                "PYTHONDONTWRITEBYTECODE": "1",
            },
        )
    except OSError:
        os.close(wire)
        raise
    finally:
        os.close(theirs)
    try:
        return _listen(child, wire, _Lines(on_message), on_output, timeout_s)
    finally:
        child.kill()
        child.wait()
        assert child.stdout is not None
        child.stdout.close()
        os.close(wire)


def _is_told(variable: str) -> bool:
    return variable not in _WITHHELD and not variable.endswith("_TOKEN")


class _Lines:
    """Puts JSON lines together from pieces; a line that is too long is dropped whole."""

    def __init__(self, on_message: Callable[[Message], None]) -> None:
        self._on_message = on_message
        self._pieces: list[bytes] = []
        self._size_bytes = 0

    def feed(self, data: bytes) -> None:
        first, *others = data.split(b"\n")
        self._keep(first)
        for line in others:
            self._end()
            self._keep(line)

    def _keep(self, piece: bytes) -> None:
        self._size_bytes += len(piece)
        if self._size_bytes <= _MAX_LINE_BYTES:
            self._pieces.append(piece)
        else:
            self._pieces.clear()

    def _end(self) -> None:
        line, self._pieces, self._size_bytes = b"".join(self._pieces), [], 0
        value = foreign.read_json(line)
        if isinstance(value, dict):
            self._on_message(value)


def _listen(
    child: "subprocess.Popen[bytes]",
    wire: int,
    lines: _Lines,
    on_output: Callable[[bytes], None],
    timeout_s: float | None,
) -> int:
    assert child.stdout is not None
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    with selectors.DefaultSelector() as selector:
        for descriptor, take in ((wire, lines.feed), (child.stdout.fileno(), on_output)):
            os.set_blocking(descriptor, False)
            selector.register(descriptor, selectors.EVENT_READ, take)
        while (code := child.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError
            _take_ready(selector)
        # What is still in the pipes; a stranger that holds them open is not waited for, however much it writes.
        for _ in range(_LAST_READS):
            if not _take_ready(selector, wait_s=0):
                break
    return code


def _take_ready(selector: selectors.BaseSelector, wait_s: float = _TICK_S) -> bool:
    took = False
    for key, _ in selector.select(wait_s):
        with contextlib.suppress(BlockingIOError):
            data = os.read(key.fd, _CHUNK_BYTES)
            if data:
                key.data(data)
                took = True
            else:
                selector.unregister(key.fileobj)
    return took
