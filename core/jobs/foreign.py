"""Starting a program under another Python and listening to it: its private wire and its printed output.

The program stays in our process group, so that the supervisor's signals reach it, and has a keeper
(`core.jobs.keeper`), so that nothing it starts is left when it ends, is no longer wanted, or we die.
"""

import contextlib
import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

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
_MAX_ERRNO = 4095  # Linux include/linux/err.h, MAX_ERRNO
# More than a keeper takes to end what it keeps (`core.jobs.keeper`).
_KEEPER_TIMEOUT_S = 15.0
_ROOT = Path(__file__).parents[2]
Message = dict[str, JsonValue]


class BeyondError(Exception):
    """A program went beyond what it was allowed, and was ended.

    Attributes:
        bound: which: its whole time, the time to its first message, or what it printed and told.
    """

    def __init__(self, bound: Literal["time", "start", "output"]) -> None:
        super().__init__(bound)
        self.bound = bound


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a program may take; None is without end, for what works for hours under a supervisor.

    Attributes:
        whole_s: until its end.
        start_s: until its first message.
        output_bytes: of what it prints and tells together.
    """

    whole_s: float | None = None
    start_s: float | None = None
    output_bytes: int | None = None


_UNBOUNDED = Bounds()


def run_foreign(
    python: Path,
    script: str,
    arguments: Sequence[str],
    *,
    on_message: Callable[[Message], None],
    on_output: Callable[[bytes], None],
    bounds: Bounds = _UNBOUNDED,
) -> int:
    """Run `script` of core/workers/foreign under `python` to its end.

    `on_message` is called for every JSON object on the wire (other lines are dropped), `on_output` with
    pieces of standard output and error as they come.

    Returns:
        Its exit code, negative for a signal; nothing of it is left when this returns or raises.

    Raises:
        OSError: when the interpreter cannot be started.
        BeyondError: it went beyond `bounds`.
    """
    wire, theirs = os.pipe()
    lifeline, its = socket.socketpair()
    environment = {key: value for key, value in os.environ.items() if _is_told(key)}
    try:
        keeper = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "core.jobs.keeper",
                str(its.fileno()),
                str(python),
                "-u",
                str(FOREIGN / script),
                *arguments,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=_ROOT,
            pass_fds=(theirs, its.fileno()),
            env={
                **environment,
                EVENTS_DESCRIPTOR: str(theirs),
                "PYTHONPATH": os.pathsep.join(map(str, (PROTOCOL, RENDERING))),
                "PYTHONDONTWRITEBYTECODE": "1",
            },
        )
    except OSError:
        os.close(wire)
        lifeline.close()
        raise
    finally:
        os.close(theirs)
        its.close()
    try:
        code = _Listener(keeper, wire, on_message, on_output, bounds).listen()
        if told := lifeline.recv(_CHUNK_BYTES):
            number = foreign.digits(told.decode("ascii", "replace"), high=_MAX_ERRNO) or 0
            raise OSError(number, "it could not be started", str(python))
        return code
    finally:
        lifeline.close()
        _see_out(keeper)
        assert keeper.stdout is not None
        keeper.stdout.close()
        os.close(wire)


def _see_out(keeper: "subprocess.Popen[bytes]") -> None:
    """Let a keeper whose lifeline has ended do its work; one that was hindered is ended itself."""
    try:
        keeper.wait(_KEEPER_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        keeper.kill()
        keeper.wait()


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


class _Listener:
    """Hears one program: its wire, its output, its end, within its bounds."""

    def __init__(
        self,
        keeper: "subprocess.Popen[bytes]",
        wire: int,
        on_message: Callable[[Message], None],
        on_output: Callable[[bytes], None],
        bounds: Bounds,
    ) -> None:
        self._keeper = keeper
        self._wire = wire
        self._on_message = on_message
        self._on_output = on_output
        self._bounds = bounds
        self._has_spoken = False
        self._size_bytes = 0

    def listen(self) -> int:
        """Until it has ended; returns its exit code."""
        assert self._keeper.stdout is not None
        began_s = time.monotonic()
        lines = _Lines(self._hear)
        with selectors.DefaultSelector() as selector:
            for descriptor, take in (
                (self._wire, lines.feed),
                (self._keeper.stdout.fileno(), self._on_output),
            ):
                os.set_blocking(descriptor, False)
                selector.register(descriptor, selectors.EVENT_READ, take)
            while (code := self._keeper.poll()) is None:
                self._check(time.monotonic() - began_s)
                self._take_ready(selector)
            # What is still in the pipes; a stranger that holds them open is not waited for, however much it writes.
            for _ in range(_LAST_READS):
                if not self._take_ready(selector, wait_s=0):
                    break
        return code

    def _hear(self, message: Message) -> None:
        self._has_spoken = True
        self._on_message(message)

    def _check(self, elapsed_s: float) -> None:
        bounds = self._bounds
        if bounds.output_bytes is not None and self._size_bytes > bounds.output_bytes:
            raise BeyondError("output")
        if bounds.start_s is not None and not self._has_spoken and elapsed_s > bounds.start_s:
            raise BeyondError("start")
        if bounds.whole_s is not None and elapsed_s > bounds.whole_s:
            raise BeyondError("time")

    def _take_ready(self, selector: selectors.BaseSelector, wait_s: float = _TICK_S) -> bool:
        took = False
        for key, _ in selector.select(wait_s):
            with contextlib.suppress(BlockingIOError):
                data = os.read(key.fd, _CHUNK_BYTES)
                if data:
                    self._size_bytes += len(data)
                    key.data(data)
                    took = True
                else:
                    selector.unregister(key.fileobj)
        return took
