"""Which hubs there are, and those that are open. A further hub is a row here and its adapter."""

import importlib
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol, cast

from core.base.errors import UsageError
from core.base.log import register_secret
from core.base.names import printable
from core.base.opening import read_regular
from core.hub.addresses import DEFAULT_HUB, check_endpoint, parse_id
from core.hub.protocol import TIMEOUT_S, Hub
from core.hub.records import SearchQuery
from core.hub.waiting import PatientHub, Waits

_MAX_TOKEN_FILE_BYTES = 64 << 10
TokenSource = Literal["environment", "file"]


@dataclass(frozen=True, slots=True)
class HubEntry:
    """One row.

    Attributes:
        title: what people call it.
        adapter: the module with the functions of `Adapter`; imported when the hub is first asked for something.
        endpoint: where it is, unless the user says otherwise.
        endpoint_variable: environment variable with another endpoint.
        token_variable: environment variable with the user's token; its name ends in `_TOKEN`, as what vendor
            programs are not told (`core.jobs.foreign`).
    """

    title: str
    adapter: str
    endpoint: str
    endpoint_variable: str
    token_variable: str


class Adapter(Protocol):
    """What the module of a hub offers."""

    def open_hub(self, endpoint: str, token: str | None, timeout_s: float) -> Hub:
        """The hub at a checked endpoint; a line without a byte for `timeout_s` counts as dead.

        Raises:
            UsageError: `hub.bad_token`.
        """

    def token_file(self, environ: Mapping[str, str]) -> Path | None:
        """Where the hub's own tools keep a token, if they do; it is read, never written."""


HUBS: dict[str, HubEntry] = {
    DEFAULT_HUB: HubEntry(
        title="Hugging Face Hub",
        adapter="core.hub.huggingface.client",
        endpoint="https://huggingface.co",
        endpoint_variable="HF_ENDPOINT",
        token_variable="HF_TOKEN",  # noqa: S106  # the name of a variable
    ),
}


@dataclass(frozen=True, slots=True)
class HubToken:
    """A token of the user's and where it was found; the value is registered as a secret."""

    value: str = field(repr=False)
    source: TokenSource


def find_entry(name: str) -> HubEntry:
    """The row of a hub.

    Raises:
        UsageError: `hub.unknown`.
    """
    if name not in HUBS:
        raise UsageError("hub.unknown", hub=printable(name), known=", ".join(HUBS))
    return HUBS[name]


def find_token(name: str, environ: Mapping[str, str] | None = None) -> HubToken | None:
    """The user's token for a hub: the environment's, else the one of the hub's own tools. Read, never written.

    Raises:
        UsageError: `hub.unknown`.
    """
    entry, environ = find_entry(name), os.environ if environ is None else environ
    told = environ.get(entry.token_variable, "").strip()
    token = told or _token_in(_adapter(entry).token_file(environ))
    if not token:
        return None
    register_secret(token)
    return HubToken(token, "environment" if told else "file")


def token_for(repo: str) -> str | None:
    """The user's token for the hub of a model id.

    Raises:
        UsageError: `hub.bad_id`, `hub.unknown`.
    """
    found = find_token(parse_id(repo).hub)
    return None if found is None else found.value


def open_hub(name: str, endpoint: str, token: str | None, timeout_s: float = TIMEOUT_S) -> Hub:
    """A hub by its name.

    Raises:
        UsageError: `hub.unknown`, `hub.bad_endpoint`, `hub.bad_token`.
    """
    entry = find_entry(name)
    # Before the adapter is imported: huggingface_hub takes HF_ENDPOINT apart as it is imported.
    check_endpoint(endpoint)
    return _adapter(entry).open_hub(endpoint, token, timeout_s)


class Hubs:
    """The hubs of one installation, each opened when it is first asked for. Any thread may call.

    Args:
        chosen: the endpoint the user set for a hub, by its name; empty for the usual one.
        waits: how a hub that asks to come back later is waited for.
    """

    def __init__(self, chosen: Callable[[str], str], waits: Waits | None = None) -> None:
        self._chosen = chosen
        self._waits = waits or Waits()
        self._open: dict[str, Hub] = {}
        self._lock = threading.Lock()

    def get(self, name: str = DEFAULT_HUB) -> Hub:
        """A hub by its name, with the token found on this computer.

        Raises:
            UsageError: as `open_hub`.
        """
        with self._lock:
            if name not in self._open:
                endpoint, variable = self._told(name)
                check_endpoint(endpoint, variable)
                token = find_token(name)
                hub = open_hub(name, endpoint, None if token is None else token.value)
                self._open[name] = PatientHub(hub, self._waits)
            return self._open[name]

    def of(self, repo: str) -> Hub:
        """The hub of a model id.

        Raises:
            UsageError: `hub.bad_id`, and as `get`.
        """
        return self.get(parse_id(repo).hub)

    def searched_by(self, query: SearchQuery) -> tuple[Hub, SearchQuery]:
        """The hub a search goes to and what it is asked: `HUB:WORDS` is for a hub of the table, all else the usual's.

        Raises:
            UsageError: as `get`.
        """
        name, colon, words = query.text.partition(":")
        if colon and name in HUBS:
            return self.get(name), replace(query, text=words.strip())
        return self.get(), query

    def endpoint(self, name: str = DEFAULT_HUB) -> str:
        """Where a hub is: as the user set it, as the environment says, the usual place."""
        return self._told(name)[0]

    def _told(self, name: str) -> tuple[str, str | None]:
        """The endpoint, and the environment variable it comes from."""
        entry = find_entry(name)
        chosen, told = self._chosen(name), os.environ.get(entry.endpoint_variable)
        return (told, entry.endpoint_variable) if told and not chosen else (chosen or entry.endpoint, None)

    def stop_waiting(self) -> None:
        """Nobody wants to wait any longer for a hub that asked to; who waits gets the hub's error."""
        self._waits.give_up()

    def close(self) -> None:
        """Close what was opened."""
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()


def _token_in(path: Path | None) -> str:
    try:
        return "" if path is None else read_regular(path, _MAX_TOKEN_FILE_BYTES).decode("utf-8").strip()
    except (OSError, UnicodeDecodeError):  # there is none, or none that could be one
        return ""


def _adapter(entry: HubEntry) -> Adapter:
    return cast("Adapter", importlib.import_module(entry.adapter))
