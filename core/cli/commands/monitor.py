"""`rkdeck monitor`: live figures of boards over SSH."""

import argparse
import contextlib
import itertools
import queue
import threading
from collections.abc import Iterator

from core.base.errors import CancelledError, RKDeckError
from core.base.names import printable
from core.base.units import GIB
from core.boards.registry import Board
from core.cli.command import Command, Context
from core.monitor.sample import BoardSample
from core.monitor.watching import Pace, samples

Report = tuple[Board, BoardSample | RKDeckError | None]


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("boards", nargs="+", metavar="BOARD")
    parser.add_argument("--interval", type=float, default=1.0, metavar="S", help="seconds between samples")
    parser.add_argument("--samples", type=int, metavar="N", help="stop after N samples per board")


def _run(context: Context) -> int:
    boards = [context.services.boards.get(name) for name in dict.fromkeys(context.options.boards)]
    failed: list[RKDeckError] = []
    last: dict[str, BoardSample] = {}
    try:
        for board, found in _samples(context, boards):
            if isinstance(found, RKDeckError):
                failed.append(found)
                context.output.error(found, board=board.name)
            elif found is not None:
                last[board.name] = found
                _show(context, board, found)
    except KeyboardInterrupt:
        if not last:
            raise CancelledError("cli.interrupted") from None
    return failed[0].exit_code if failed else 0


def _show(context: Context, board: Board, sample: BoardSample) -> None:
    context.output.result(sample.to_json())
    context.output.text(f"{board.name}  {printable(describe(sample))}")


def describe(sample: BoardSample) -> str:
    """One line for people; what cannot be read says why."""
    if not sample.is_up:
        return f"no answer ({sample.missing.get('link', 'unknown')})"
    if sample.npu_load_percent is None:
        npu = sample.missing.get("npu_load", "unknown")
    else:
        npu = "/".join(f"{share:.0f}" for share in sample.npu_load_percent) + " %"
    clock = "unknown" if sample.npu_hz is None else f"{sample.npu_hz / 1e6:.0f} MHz"
    total, free = sample.mem_total_bytes, sample.mem_available_bytes
    memory = (
        "unknown" if total is None or free is None else f"{(total - free) / GIB:.2f} of {total / GIB:.2f} GiB"
    )
    warmest = f"{max(sample.temps_c.values()):.0f} C" if sample.temps_c else "unknown"
    throttled = f", throttled by {', '.join(sample.throttled_by)}" if sample.throttled_by else ""
    return f"NPU {npu} at {clock}, RAM {memory}, warmest {warmest}{throttled}"


def _samples(context: Context, boards: list[Board]) -> Iterator[Report]:
    """Sample all boards side by side, a thread each; yields as they arrive, ends when all have ended."""
    found: queue.Queue[Report] = queue.Queue()
    paces = [Pace(context.options.interval) for _ in boards]
    threads = [
        threading.Thread(target=_sample_one, args=(context, board, found, pace), name=f"monitor-{board.name}")
        for board, pace in zip(boards, paces, strict=True)
    ]
    for thread in threads:
        thread.start()
    running = len(threads)
    try:
        while running:
            report = found.get()
            if report[1] is None:
                running -= 1
            else:
                yield report
    finally:
        for pace in paces:
            pace.end()
        for thread in threads:
            thread.join()


def _sample_one(context: Context, board: Board, found: "queue.Queue[Report]", pace: Pace) -> None:
    try:
        with (
            context.services.connect(board) as session,
            contextlib.closing(samples(session, board, pace)) as endless,
        ):
            for sample in itertools.islice(endless, context.options.samples):
                found.put((board, sample))
    except RKDeckError as error:
        found.put((board, error))
    finally:
        found.put((board, None))


COMMANDS = (Command("monitor", _configure, _run, lines=True),)
