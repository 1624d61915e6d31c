"""What `~/.ssh/config`, and behind it `/etc/ssh/ssh_config`, say about a host: the same short names as for `ssh`.

Followed: Host, Match (but for criteria such as `exec`), Include, HostName, Port, User, IdentityFile, IdentitiesOnly,
IdentityAgent, CertificateFile, ProxyJump, ServerAliveInterval, ServerAliveCountMax. The meaning of each is that of
ssh_config(5). A keyword that decides whether one gets in and is not followed is remembered, and named when one does not
(`SshTarget.not_followed`). A host reached by ProxyCommand is refused with the advice to use ProxyJump.

A file chosen with `RKDECK_SSH_CONFIG` is the only one, as with `ssh -F`.
"""

import getpass
import hashlib
import ipaddress
import os
import re
import socket
from dataclasses import dataclass, replace
from pathlib import Path

from core.base.errors import RefusedError, RKDeckError, UsageError
from core.base.foreign import digits
from core.base.names import printable
from core.base.notes import NotedError
from core.remote.configfile import HOP, Found, fill_in, look_up, port_number, unusable
from core.remote.target import SSH_PORT, SshTarget

CONFIG_VARIABLE = "RKDECK_SSH_CONFIG"
SYSTEM_FILE = Path("/etc/ssh/ssh_config")
_MAX_HOPS = 8
_MOST_COUNT = (1 << 31) - 1  # OpenSSH keeps it in an int
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SPAN = re.compile(r"(\d{1,9})([smhdwSMHDW]?)")
_UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
# They only connect, which is what happens without them (FreeIPA's; it looks the host key up besides).
_DIRECT = re.compile(
    r"(?:\S*/)?(?:sss_ssh_knownhostsproxy(?:\s+(?:-k|-p\s*%p))*\s+%h|(?:nc|ncat|netcat)\s+%h\s+%p)\s*",
    re.ASCII,
)
# Keywords that are not followed, as they are written, and the values with which they change nothing here.
_LOGIN = {
    "PKCS11Provider": {"none"},
    "SecurityKeyProvider": {"internal"},
    "GSSAPIAuthentication": {"no"},
    "HostbasedAuthentication": {"no"},
    "PreferredAuthentications": set[str](),
    "PubkeyAuthentication": {"yes"},
    "PubkeyAcceptedAlgorithms": set[str](),
    "PubkeyAcceptedKeyTypes": set[str](),
    "ControlPath": {"none"},
}
_CONNECTION = {
    "AddressFamily": {"any"},
    "BindAddress": set[str](),
    "BindInterface": set[str](),
    "CanonicalizeHostname": {"no"},
    "Ciphers": set[str](),
    "ControlPath": {"none"},
    "HostKeyAlgorithms": set[str](),
    "KexAlgorithms": set[str](),
    "MACs": set[str](),
}
# What distributions set for every host in the computer's own file; to name it would hide what is the matter.
_SHIPPED = frozenset(
    {
        "Ciphers", "GSSAPIAuthentication", "HostKeyAlgorithms", "KexAlgorithms", "MACs", "PubkeyAcceptedAlgorithms",
        "PubkeyAcceptedKeyTypes",
    }
)  # fmt: skip
_HOST_KEY = {
    "HostKeyAlias": set[str](),
    "UserKnownHostsFile": set[str](),
    "GlobalKnownHostsFile": set[str](),
    "KnownHostsCommand": {"none"},
    "RevokedHostKeys": {"none"},
    "StrictHostKeyChecking": {"ask", "yes", "true"},
    "VerifyHostKeyDNS": {"no"},
}


@dataclass(frozen=True, slots=True)
class HostSettings:
    """What is written about one host; None and empty: nothing.

    Attributes:
        address: HostName, or the name itself.
        identity_files: in the order they are tried; some may not exist.
        names_keys: whether there is an IdentityFile, be it `none`: the usual files are not tried then.
        identities_only: no other keys than those named, even when the agent holds more.
        certificate_files: CertificateFile; some may not exist.
        use_agent: False for `IdentityAgent none`.
        agent_socket: IdentityAgent; None: the one of SSH_AUTH_SOCK.
        jumps: `[USER@]HOST[:PORT]` of the hosts on the way, the one next to this computer first.
        alive_interval_s: ServerAliveInterval, in seconds; None also for 0, which is what ssh does by itself.
        alive_count: ServerAliveCountMax.
        not_followed: for logging in, for connecting and for host keys: what matters for it and is not followed.
    """

    address: str
    port: int | None = None
    user: str | None = None
    identity_files: tuple[Path, ...] = ()
    names_keys: bool = False
    identities_only: bool = False
    certificate_files: tuple[Path, ...] = ()
    use_agent: bool = True
    agent_socket: Path | None = None
    jumps: tuple[str, ...] = ()
    alive_interval_s: float | None = None
    alive_count: int | None = None
    not_followed: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]] = ((), (), ())


class _Filling:
    """Fills in tokens, variables and the home folder, without asking DNS, which can take many seconds."""

    def __init__(self, found: Found, name: str, local_user: str) -> None:
        first, here = found.first, socket.gethostname()
        self.address = fill_in(first("hostname") or "%h", {"%h": name})
        port, user, jump = (
            first("port") or str(SSH_PORT),
            first("user") or local_user,
            first("proxyjump") or "",
        )
        joined = f"{here}{self.address}{port}{user}{jump}"
        self._tokens = {
            "%C": hashlib.sha1(joined.encode(), usedforsecurity=False).hexdigest(),
            "%d": str(Path.home()),
            "%h": self.address,
            "%i": str(os.getuid()),
            "%j": jump,
            "%k": first("hostkeyalias") or name,
            "%L": here.partition(".")[0],
            "%l": here,
            "%n": name,
            "%p": port,
            "%r": user,
            "%u": local_user,
        }

    def tokens(self, value: str) -> str:
        """The value with its tokens filled in.

        Raises:
            ValueError: one is unknown.
        """
        return fill_in(value, self._tokens)

    def path(self, value: str) -> Path:
        """A file or socket.

        Raises:
            ValueError: a variable is not set, or the home folder of a user is not known.
        """
        try:
            value = str(Path(value).expanduser()) if value.startswith("~") else value
        except RuntimeError as error:
            raise NotedError("no_home", name=value) from error
        return Path(_VARIABLE.sub(_variable, self.tokens(value)))


def _variable(match: re.Match[str]) -> str:
    value = os.environ.get(match[1])
    if value is None:
        raise NotedError("no_variable", name=match[1])
    return value


def config_files() -> tuple[Path, ...]:
    """The files that are read, the first counts before the second: the user's and the computer's, or the chosen one."""
    chosen = os.environ.get(CONFIG_VARIABLE)
    return (Path(chosen),) if chosen else (Path.home() / ".ssh" / "config", SYSTEM_FILE)


Files = Path | tuple[Path, ...] | None
"""One file, or several of which the first counts before the others; None: `config_files()`."""


def settings_for(
    name: str, file: Files = None, *, user: str | None = None, port: int | None = None
) -> HostSettings:
    """Look a host up by the name the user gave.

    Args:
        name: an alias, a host name or an address.
        file: instead of `config_files()`.
        user: on the host, when it is known already; it decides what `Match user` and `%r` mean.
        port: likewise.

    Raises:
        RefusedError: `remote.ssh_config_unusable`, `remote.proxy_command`.
    """
    files = (file,) if isinstance(file, Path) else file or config_files()
    given = {"user": user, "port": None if port is None else str(port)}
    local_user = getpass.getuser()
    found = look_up(
        files, name, local_user, {key: value for key, value in given.items() if value is not None}
    )
    try:
        return _settings(found, _Filling(found, name, local_user), name, files[0])
    except RKDeckError:
        raise
    except (ValueError, KeyError, OSError) as error:
        raise unusable(files[0], error) from error


def _settings(found: Found, filling: _Filling, name: str, file: Path) -> HostSettings:
    first = found.first
    jumps = _words(filling.tokens(first("proxyjump") or ""))
    command = first("proxycommand")
    if command and command.lower() != "none" and not jumps and not _DIRECT.fullmatch(command):
        written_in = found.sources.get("proxycommand", file)
        raise RefusedError("remote.proxy_command", host=printable(name), file=str(written_in))
    files = found.values.get("identityfile", [])
    port, count = first("port"), first("serveralivecountmax")
    use_agent, agent_socket = _agent(first("identityagent"), filling)
    return HostSettings(
        address=filling.address,
        port=int(port) if port is not None else None,
        user=first("user"),
        identity_files=tuple(filling.path(value) for value in files if value.lower() != "none"),
        names_keys=bool(files),
        identities_only=(first("identitiesonly") or "").lower() in {"yes", "true"},
        certificate_files=tuple(
            filling.path(value)
            for value in found.values.get("certificatefile", [])
            if value != "none"  # in small letters only, otherwise than of IdentityFile
        ),
        use_agent=use_agent,
        agent_socket=agent_socket,
        jumps=jumps,
        alive_interval_s=_seconds(first("serveraliveinterval") or "0") or None,
        alive_count=None if count is None else _count(count),
        not_followed=(
            _not_followed(found, _LOGIN, file) + tuple(found.left_out),
            _not_followed(found, _CONNECTION, file) + tuple(found.left_out),
            _not_followed(found, _HOST_KEY, file),
        ),
    )


def _not_followed(found: Found, keywords: dict[str, set[str]], users: Path) -> tuple[str, ...]:
    def matters(keyword: str, harmless: set[str]) -> bool:
        value = found.first(keyword.lower())
        if not value or value.lower() in harmless:
            return False
        return keyword not in _SHIPPED or found.sources.get(keyword.lower()) == users

    return tuple(keyword for keyword, harmless in keywords.items() if matters(keyword, harmless))


def _agent(value: str | None, filling: _Filling) -> tuple[bool, Path | None]:
    """Whether an agent is asked, and where it listens; None: where SSH_AUTH_SOCK says."""
    if value is None or value == "SSH_AUTH_SOCK":
        return True, None
    if value == "none":  # in small letters only
        return False, None
    if re.fullmatch(r"\$[A-Za-z_][A-Za-z0-9_]*", value):
        path = os.environ.get(value[1:])
        return path is not None, Path(path) if path else None
    return True, filling.path(value)


def with_config(target: SshTarget, file: Files = None) -> SshTarget:
    """The target with what the file adds: where its name leads, which keys, through which hosts.

    User and port of the target stay as they are. Who names a loopback address means this computer: no host is on the
    way to that.

    Raises:
        RefusedError: as `settings_for`, `remote.jump_loop`.
    """
    settings = settings_for(target.host, file, user=target.user, port=target.port)
    return _filled(target, settings, file, 0)


def _filled(target: SshTarget, settings: HostSettings, file: Files, depth: int) -> SshTarget:
    jump = target.jump
    if jump is None and settings.jumps and not _is_loopback(target.host):
        jump = _chain(settings.jumps, file, depth, target.host)
    return replace(
        target,
        address=target.address or (settings.address if settings.address != target.host else None),
        identity_files=target.identity_files or settings.identity_files,
        use_default_keys=target.use_default_keys and not settings.names_keys,
        identities_only=target.identities_only or settings.identities_only,
        certificate_files=target.certificate_files or settings.certificate_files,
        use_agent=target.use_agent and settings.use_agent,
        agent_socket=target.agent_socket or settings.agent_socket,
        not_followed=settings.not_followed,
        jump=jump,
        alive_interval_s=settings.alive_interval_s or target.alive_interval_s,
        alive_count=target.alive_count if settings.alive_count is None else max(1, settings.alive_count),
    )


def _chain(hops: tuple[str, ...], file: Files, depth: int, host: str) -> SshTarget:
    """The last of the hops, which is reached through the ones before it."""
    if depth + len(hops) > _MAX_HOPS:
        raise RefusedError("remote.jump_loop", host=printable(host), limit=_MAX_HOPS)
    match = HOP.fullmatch(hops[-1])
    if match is None:
        raise UsageError("remote.bad_host", host=printable(hops[-1]))
    user, literal, name, service = match.group("user", "literal", "name", "service")
    try:
        port = port_number(service) if service else None
    except ValueError as error:
        raise UsageError("remote.bad_port", port=printable(service)) from error
    settings = settings_for(literal or name, file, user=user or None, port=port)
    target = SshTarget(
        host=literal or name,
        port=port or settings.port or SSH_PORT,
        user=user or settings.user or getpass.getuser(),
        jump=_chain(hops[:-1], file, depth + 1, literal or name) if len(hops) > 1 else None,
    )
    return _filled(target, settings, file, depth + 1)


def _count(text: str) -> int:
    found = digits(text, -_MOST_COUNT, _MOST_COUNT)
    if found is None:
        raise NotedError("no_count", text=printable(text))
    return found


def _seconds(text: str) -> float:
    """A span as sshd_config(5), TIME FORMATS, has it: `90`, `1m30s`.

    Raises:
        ValueError: it is none.
    """
    if text == "none":
        return 0.0
    parts = _SPAN.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise NotedError("no_time", text=printable(text))
    return float(sum(int(number) * _UNITS_S[unit.lower()] for number, unit in parts))


def _words(text: str | None) -> tuple[str, ...]:
    if text is None or text.strip().lower() == "none":
        return ()
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address.lower() == "localhost"
