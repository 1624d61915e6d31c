"""Reading an address as people paste it: from a terminal, a router's page, a chat."""

import re
import shlex
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from core.base.errors import UsageError
from core.base.names import printable
from core.remote.target import SSH_PORT, SshTarget

_ADDRESS = re.compile(
    r"(?:(?P<user>.+)@)?(?:\[(?P<literal>[^\]]+)\]|(?P<host>[^:@]+|[^@]*:[^@]*:[^@]*))(?::(?P<port>\d{1,5}))?"
)
# What surrounds an address in mail, in Markdown and in quotes, and what cannot be seen.
_AROUND = " \t\r\n\f\v\u00a0\u200b\u200e\u200f\u2060\ufeff\"'`<>\u201c\u201d\u2018\u2019\u00ab\u00bb,;"
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_SSH_SCHEMES = frozenset({"ssh", "sftp", "scp"})
_WEB_SCHEMES = frozenset({"http", "https"})
# Of ssh(1), sftp(1) and ssh-copy-id(1): what takes a word and says who and where.
_SAYS_WHERE = {
    "ssh": {"-p": "port", "-l": "user"}, "sftp": {"-P": "port"}, "ssh-copy-id": {"-p": "port"},
}  # fmt: skip
# What they take without a word: how a session talks, not with whom. Everything else is no address.
_SAYS_HOW = re.compile(r"-[46AaCfgKkMNnqTtVvXxYy]+")
_MAX_PASTED = 1000


class Address(NamedTuple):
    """User and port are None where they were not given; the host is a name, an address or one of `~/.ssh/config`."""

    user: str | None
    host: str
    port: int | None


def read_address(text: str) -> Address:
    """Read what somebody typed or pasted.

    `USER@HOST:PORT`, `ssh://USER@HOST:PORT/`, `ssh USER@HOST -p PORT` (also without `ssh`), `[IPV6]:PORT`,
    `fe80::1%eth0`, the address of a page (whose port is not SSH's), with blanks, line ends and quotes around.

    Raises:
        UsageError: as `split_address`; `boards.password_in_address`.
    """
    bare = text[:_MAX_PASTED].strip(_AROUND)
    first, *rest = bare.split() or [""]
    is_command = bool(rest) and (
        first in _SAYS_WHERE or (not first.startswith("-") and rest[0] in {"-p", "-l"})
    )
    return _of_command(bare) if is_command else _of_place(bare)


def split_address(text: str) -> Address:
    """Read `[USER@]HOST[:PORT]`; an IPv6 address with a port is written `[ADDRESS]:PORT`.

    Raises:
        UsageError: `boards.bad_address`, `remote.bad_host`, `remote.bad_user`, `remote.bad_port`.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise UsageError("boards.bad_address", address=printable(text))
    address = Address(
        match["user"], match["literal"] or match["host"], int(match["port"]) if match["port"] else None
    )
    SshTarget(address.host, SSH_PORT if address.port is None else address.port, address.user or "root")
    return address


def _of_place(text: str) -> Address:
    url = _URL.match(text)
    if url is not None:
        return _of_url(text, url[1].lower())
    host, colon, path = text.partition(":")
    if colon and (not path or path[0] in "/~."):  # as scp writes it
        text = host
    return split_address(text.rstrip("/"))


def _of_url(text: str, scheme: str) -> Address:
    if scheme not in _SSH_SCHEMES | _WEB_SCHEMES:
        raise UsageError("boards.bad_address", address=printable(text))
    place = urlsplit(text).netloc if "[" not in text or "]" in text else ""
    user, at, rest = place.rpartition("@")
    if ":" in user:
        raise UsageError("boards.password_in_address")
    address = split_address(f"{unquote(user)}{at}{unquote(rest)}".removesuffix(":"))
    return address._replace(port=None) if scheme in _WEB_SCHEMES else address


def _of_command(text: str) -> Address:
    """The words of `ssh` that say where, without those that say how; others (a key, a command) are refused."""
    bad = UsageError("boards.bad_address", address=printable(text))
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise bad from error
    options = _SAYS_WHERE[words.pop(0) if words[0] in _SAYS_WHERE else "ssh"]
    given: dict[str, str] = {}
    place: str | None = None
    while words:
        word = words.pop(0)
        name = options.get(word[:2]) if word.startswith("-") else None
        if _SAYS_HOW.fullmatch(word):
            continue
        if name is not None and (value := word[2:] or (words.pop(0) if words else "")):
            given[name] = value
        elif place is None and not word.startswith("-"):
            place = word
        else:
            raise bad
    if place is None:
        raise bad
    address = _of_place(place)
    port = given.get("port", "")
    if port and (address.port is not None or not port.isascii() or not port.isdecimal() or len(port) > 5):
        raise bad
    user = address.user or given.get("user")
    SshTarget(address.host, int(port) if port else SSH_PORT, user or "root")
    return Address(user, address.host, int(port) if port else address.port)
