"""`rkdeck monitor`: live figures of boards over SSH."""

import argparse
import contextlib
import queue
from collections.abc import Sequence

from core.base.errors import CancelledError, RKDeckError, UsageError, error_from_json
from core.base.foreign import digits
from core.base.names import printable
from core.base.units import GIB
from core.cli.command import Command, Context
from core.cli.output import Output
from core.cli.parsing import needed, tr
from core.monitor.feed import MAX_INTERVAL_S, MIN_INTERVAL_S, MonitorFeed
from core.monitor.sample import BoardSample, Missing
from core.usecases.monitoring import open_feed
from core.words import missing_name


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("boards", nargs="+", metavar="BOARD")
    parser.add_argument("--interval", type=float, default=1.0, metavar="S")
    parser.add_argument("--samples", type=_samples, metavar="N")


def _samples(text: str) -> int:
    """A number of samples from `--samples`; argparse words what is wrong."""
    refusal = tr("{text} is not a number of samples, such as 10", text=printable(text))
    return needed(digits(text, 1), refusal)


def _run(context: Context) -> int:
    options = context.options
    names = [context.services.boards.get(name).name for name in dict.fromkeys(options.boards)]
    if not MIN_INTERVAL_S <= options.interval <= MAX_INTERVAL_S:
        raise UsageError(
            "cli.interval", interval_s=options.interval, least_s=MIN_INTERVAL_S, most_s=MAX_INTERVAL_S
        )
    found: queue.SimpleQueue[BoardSample] = queue.SimpleQueue()
    followed = _Followed(context, names)
    with contextlib.closing(
        open_feed(context.services, found.put, names, interval_s=options.interval)
    ) as feed:
        try:
            followed.until_done(feed, found)
        except KeyboardInterrupt:
            if not followed.seen:
                raise CancelledError("cli.interrupted") from None
    return followed.failed[0].exit_code if followed.failed else 0


class _Followed:
    """The boards a command still waits for.

    One that was never reached is an error and is left alone; one that stops answering is shown as down until it is
    back, as in the window.

    Attributes:
        seen: boards that answered once.
        failed: why the others did not.
    """

    def __init__(self, context: Context, names: Sequence[str]) -> None:
        self._context = context
        self._counts = dict.fromkeys(names, 0)
        self.seen: set[str] = set()
        self.failed: list[RKDeckError] = []

    def until_done(self, feed: MonitorFeed, found: "queue.SimpleQueue[BoardSample]") -> None:
        """Show what arrives, until every board has its number of samples or cannot be reached."""
        most: int | None = self._context.options.samples
        if most is not None and most <= 0:
            return
        while self._counts:
            sample = found.get()
            if sample.board not in self._counts:
                continue  # one more, on its way when the board was done
            if self._take(sample) or self._counts[sample.board] == most:
                del self._counts[sample.board]
                feed.watch(self._counts)

    def _take(self, sample: BoardSample) -> bool:
        """Show one sample; returns whether its board is given up."""
        if not sample.is_up and sample.board not in self.seen:
            error = _why_never(sample)
            self.failed.append(error)
            self._context.output.error(error, board=sample.board)
            return True
        self.seen.add(sample.board)
        self._counts[sample.board] += 1
        self._context.output.result(sample.to_json())
        self._context.output.text(f"{sample.board}  {printable(describe(sample, self._context.output))}")
        return False


def _why_never(sample: BoardSample) -> RKDeckError:
    if sample.link_error is not None:
        return error_from_json(sample.link_error)
    return RKDeckError("monitor.no_sample", board=sample.board, reason=sample.missing.get("link"))


def describe(sample: BoardSample, output: Output) -> str:
    """One line for people; what cannot be read says why."""
    tr, language = output.tr, output.language
    if not sample.is_up:
        error = None if sample.link_error is None else error_from_json(sample.link_error)
        why = missing_name(sample.missing.get("link", "unknown"), language)
        return tr("no answer ({why})", why=why if error is None else output.sentence(error))
    if sample.npu_load_percent is None:
        npu = missing_name(sample.missing.get("npu_load") or Missing.NOT_HERE, language)
    else:
        npu = "/".join(f"{share:.0f}" for share in sample.npu_load_percent) + " %"
    clock = tr("unknown") if sample.npu_hz is None else f"{sample.npu_hz / 1e6:.0f} MHz"
    total, free = sample.mem_total_bytes, sample.mem_available_bytes
    memory = (
        tr("unknown")
        if total is None or free is None
        else tr("{used} of {total} GiB", used=f"{(total - free) / GIB:.2f}", total=f"{total / GIB:.2f}")
    )
    warmest = f"{max(sample.temps_c.values()):.0f} °C" if sample.temps_c else tr("unknown")
    throttled = (
        ", " + tr("throttled by {devices}", devices=", ".join(sample.throttled_by))
        if sample.throttled_by
        else ""
    )
    return (
        tr(
            "NPU {load} at {clock}, RAM {memory}, warmest {heat}",
            load=npu,
            clock=clock,
            memory=memory,
            heat=warmest,
        )
        + throttled
    )


COMMANDS = (Command("monitor", _configure, _run, lines=True),)
