"""Finding boards on the local network, and telling the new ones from those RKDeck knows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.base.errors import JsonValue, RKDeckError
from core.base.tasks import CancelToken
from core.boards.discovery import DEFAULT_SECONDS, Candidate, discover
from core.boards.records import Board
from core.remote.sshconfig import settings_for
from core.services import Services


@dataclass(frozen=True, slots=True)
class Found:
    """A computer that announced itself.

    Attributes:
        candidate: what it announced.
        board: the name under which RKDeck knows it; None: not known.
        moved: it announces that board's hardware address from another address than the board's.
    """

    candidate: Candidate
    board: str | None
    moved: bool = False

    def to_json(self) -> dict[str, JsonValue]:
        """The public members."""
        return {**self.candidate.to_json(), "board": self.board, "moved": self.moved}


def discover_boards(
    services: Services,
    seconds: float = DEFAULT_SECONDS,
    *,
    cancel: CancelToken | None = None,
    interfaces: Sequence[str] | None = None,
    on_found: Callable[[Found], None] | None = None,
) -> tuple[Found, ...]:
    """Listen on the local network for some seconds; nobody is connected to.

    Args:
        services: the core.
        seconds: how long.
        cancel: ends it early, with what was found so far.
        interfaces: addresses of this computer's interfaces; None: all.
        on_found: hears of each one when it is first seen, on another thread.

    Raises:
        RKDeckError: `boards.no_discovery`.
    """
    known = [(board, _addresses(board)) for board in services.boards.list()]

    def tell(candidate: Candidate) -> None:
        if on_found is not None:
            on_found(_recognised(candidate, known))

    found = discover(seconds, cancel=cancel, interfaces=interfaces, on_found=tell)
    return tuple(_recognised(candidate, known) for candidate in found)


def _addresses(board: Board) -> frozenset[str]:
    try:
        leads_to = settings_for(board.host).address
    except RKDeckError:
        leads_to = board.host  # a damaged file is told where it is needed: when connecting
    return frozenset({board.host.lower(), leads_to.lower()})


def _recognised(candidate: Candidate, known: Sequence[tuple[Board, frozenset[str]]]) -> Found:
    """By address, since names are anybody's choice; else by the hardware address it announces."""
    theirs = {address.lower() for address in candidate.addresses}
    theirs |= {candidate.host.lower()} if candidate.host is not None else set()
    for board, addresses in known:
        if addresses & theirs and candidate.port in {None, board.port}:
            return Found(candidate, board.name)
    for board, _ in known:
        if candidate.mac is not None and board.facts is not None and board.facts.mac == candidate.mac:
            return Found(candidate, board.name, moved=True)
    return Found(candidate, None)
