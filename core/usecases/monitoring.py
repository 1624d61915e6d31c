"""Watching boards: the feed of live samples for a front end."""

from collections.abc import Callable, Iterable
from typing import Protocol

from core.monitor.feed import MonitorFeed
from core.monitor.sample import BoardSample
from core.services import Services


class LiveSamples(Protocol):
    """Live samples of the watched boards, as the window holds them."""

    def watch(self, boards: Iterable[str]) -> None:
        """Watch exactly these boards."""
        ...

    def retry(self, board: str) -> None:
        """Try a board again now."""
        ...

    def close(self) -> None:
        """End the worker."""
        ...


def open_feed(
    services: Services,
    on_sample: Callable[[BoardSample], None],
    boards: Iterable[str],
    *,
    interval_s: float = 1.0,
) -> MonitorFeed:
    """Start the monitor worker for these boards; `on_sample` is called on a thread of the feed. Close it in the end."""

    def password(name: str) -> str | None:
        return services.secrets.get(services.boards.get(name).secret_name)

    feed = MonitorFeed(services.paths, on_sample, secrets=password, interval_s=interval_s)
    feed.start()
    feed.watch(boards)
    return feed
