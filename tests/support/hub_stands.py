"""Every hub with a server of its own, so that one set of tests asks all of them: a further hub is a row here."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.demo.hub.server import DemoHub
from core.hub.addresses import DEFAULT_HUB, ModelId
from core.hub.hubs import HUBS, HubEntry
from tests.support import shelf_hub


@dataclass(frozen=True)
class Stand:
    """A hub for tests.

    Attributes:
        name: in the table of hubs.
        serve: serves folders by `OWNER/NAME` as that hub does, at its `url`. Its `keys`, which the usual hub's need not
            have, are the tokens that came.
        entry: its row.
    """

    name: str
    serve: Callable[[Mapping[str, Path]], AbstractContextManager[Any]]
    entry: HubEntry

    def id(self, repo: str) -> str:
        """The model id of `OWNER/NAME` there."""
        return str(ModelId(self.name, repo))


STANDS = (
    Stand(DEFAULT_HUB, DemoHub, HUBS[DEFAULT_HUB]),
    Stand(shelf_hub.NAME, shelf_hub.ShelfServer, shelf_hub.ENTRY),
)
FURTHER = tuple(stand for stand in STANDS if stand.name != DEFAULT_HUB)
