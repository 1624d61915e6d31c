"""What the demo hub remembers of its visitors, and what its request handlers need of it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from core.demo.hub.faults import Faults
from core.demo.hub.repos import HubRepo


@dataclass(frozen=True, slots=True)
class Request:
    """One served request.

    Attributes:
        server: "hub" or "cdn".
        range: the Range header, or "".
        bytes_sent: of the body, as far as it was sent.
        had_auth: whether an Authorization header came along.
    """

    server: str
    method: str
    path: str
    range: str
    status: int
    bytes_sent: int
    had_auth: bool


class Served(Protocol):
    """The hub behind the handlers of both servers; several threads ask at once."""

    @property
    def repos(self) -> Mapping[str, HubRepo]:
        """What is served, by id."""

    @property
    def renamed(self) -> Mapping[str, str]:
        """What earlier ids are called now."""

    @property
    def faults(self) -> Faults:
        """What goes wrong on request."""

    @property
    def url(self) -> str:
        """Where the API is."""

    @property
    def cdn_url(self) -> str:
        """Where LFS files are: another origin."""

    @property
    def requests(self) -> list[Request]:
        """What was asked so far."""

    def note(self, request: Request) -> None:
        """Remember a request."""


def requests_json(hub: Served) -> list[dict[str, Any]]:
    """The request log as JSON."""
    return [asdict(request) for request in hub.requests]
