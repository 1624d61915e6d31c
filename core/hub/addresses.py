"""Model ids and endpoints as text: the one place where they are read.

`OWNER/NAME` is a model of the default hub, `HUB:OWNER/NAME` one of another. That text goes everywhere an id goes (the
library, job folders, keys of caches, what a person types), so whoever holds an id also knows the hub.
"""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from core.base.errors import RKDeckError, UsageError
from core.base.names import printable

DEFAULT_HUB = "huggingface"
_HUB = re.compile(r"[a-z][a-z0-9-]{0,30}")
# huggingface_hub's own rule (utils/_validators.py), checked before anything is sent.
_REPO = re.compile(r"[\w-][\w.-]{0,95}/[\w-][\w.-]{0,95}", re.ASCII)
# In no base URL: blanks and controls, which the HTTP client takes in part, quotes, and what comes behind a path.
_NEVER = re.compile(r"[\s\"'`<>?#\x00-\x1f\x7f]")
# What follows a hub's address: its API's own words, and the pages people look at.
_BEHIND = frozenset({"api", "models", "datasets", "spaces", "resolve", "tree", "main", "whoami-v2"})
# They have nothing before the API's own words.
_PUBLIC = frozenset({"huggingface.co", "www.huggingface.co", "hf.co", "hf-mirror.com"})
# In an address, before the host; a password may hold "@", and one that nobody escaped "/" too.
_CREDENTIALS = re.compile(r"(?<=//).*@|^(?!.*//).*@", re.DOTALL)
_MAX_HOST_BYTES = 253  # RFC 1035, 2.3.4, without the lengths
_REVISION = re.compile(r"[\w][\w./-]{0,200}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ModelId:
    """A model on a hub; as text it reads back as the same id.

    Attributes:
        hub: name of the hub (`core.hub.hubs.HUBS`).
        repo: `OWNER/NAME`, as that hub calls it.
    """

    hub: str
    repo: str

    def __str__(self) -> str:
        return self.repo if self.hub == DEFAULT_HUB else f"{self.hub}:{self.repo}"

    @property
    def parts(self) -> tuple[str, ...]:
        """Words for a folder's name: the hub's, unless it is the default one, owner and name."""
        words = tuple(self.repo.split("/"))
        return words if self.hub == DEFAULT_HUB else (self.hub, *words)


def parse_id(text: str) -> ModelId:
    """Read an id, before it is sent anywhere.

    Raises:
        UsageError: `hub.bad_id`. Whether there is such a hub is not asked here.
    """
    before, colon, after = text.partition(":")
    hub, repo = (before, after) if colon else (DEFAULT_HUB, text)
    if not _HUB.fullmatch(hub) or not _REPO.fullmatch(repo) or ".." in repo or "--" in repo:
        raise UsageError("hub.bad_id", repo=printable(text))
    return ModelId(hub, repo)


def usual_id(text: str) -> str:
    """The id in the form it is kept in (`huggingface:a/b` is `a/b`); what is no id stays as it is."""
    try:
        return str(parse_id(text))
    except RKDeckError:
        return text


def own_id(hub: str, text: str) -> ModelId:
    """Read an id that is to be one of `hub`.

    Raises:
        UsageError: `hub.bad_id`.
    """
    found = parse_id(text)
    if found.hub != hub:
        raise UsageError("hub.bad_id", repo=printable(text))
    return found


def check_revision(revision: str) -> None:
    """Refuse what can be no branch, tag or commit.

    Raises:
        UsageError: `hub.bad_revision`.
    """
    if not _REVISION.fullmatch(revision) or ".." in revision:
        raise UsageError("hub.bad_revision", revision=printable(revision))


def without_credentials(address: str) -> str:
    """Return an address without name and password, as it may be shown and logged."""
    return _CREDENTIALS.sub("", address)


def host_of(address: str) -> str:
    """The host of an address, with its port where it names one, as it may be shown: a path may hold a signature."""
    return printable(without_credentials(urlsplit(address).netloc))


def is_host(name: str) -> bool:
    """Whether a name can be asked for: labels of 1 to 63 bytes, 253 in all (RFC 1035, 2.3.4), as IDNA writes them."""
    if len(name) > _MAX_HOST_BYTES:  # before the codec, whose time grows with the square of the length
        return False
    try:
        return 0 < len(name.encode("idna")) <= _MAX_HOST_BYTES
    except UnicodeError:
        return False


def likely_endpoint(endpoint: str) -> str | None:
    """The address of a hub without what does not belong to it; None where nothing is suspect.

    A hub may lie anywhere on a host, so that only its answers tell whether this one does.
    """
    parts = urlsplit(endpoint)
    words = parts.path.strip("/").split("/")
    kept = [] if parts.hostname in _PUBLIC else words
    while kept and kept[-1].lower() in _BEHIND:
        kept = kept[:-1]
    better = "/".join([f"{parts.scheme}://{parts.netloc}", *kept])
    return printable(better) if parts.path.strip("/") and kept != words else None


def check_endpoint(endpoint: str, variable: str | None = None) -> None:
    """Refuse what can be no address of a hub; one with a name and a password would be shown and logged everywhere.

    Args:
        endpoint: base URL.
        variable: the environment variable it was found in, None for another place.

    Raises:
        UsageError: `hub.bad_endpoint`.
    """
    try:
        parts = urlsplit(endpoint)
        fits = parts.scheme in {"http", "https"} and is_host(parts.hostname or "") and parts.port != 0
    except ValueError:
        fits = False
    if not fits or "@" in endpoint or _NEVER.search(endpoint):
        shown = printable(without_credentials(endpoint))
        hint = None if variable is None else "hub.bad_endpoint_variable"
        raise UsageError("hub.bad_endpoint", endpoint=shown, variable=variable, hint=hint)
