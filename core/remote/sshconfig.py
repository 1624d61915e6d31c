"""What the user's `~/.ssh/config` says about a host: the same short names as for `ssh`.

Followed: Host, Match (by host and user; a block with another criterion, such as `exec`, is left out: no command is run
to find out where to connect), Include, HostName, Port, User, IdentityFile, IdentityAgent none, ProxyJump,
ServerAliveInterval, ServerAliveCountMax. The meaning of each is that of ssh_config(5); the parsing is paramiko's, which
knows no Include. A host reached by ProxyCommand is refused with the advice to use ProxyJump.
"""

import getpass
import glob
import ipaddress
import os
import re
import shlex
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import paramiko

from core.base.errors import RefusedError, RKDeckError, UsageError
from core.base.names import printable
from core.remote.target import SSH_PORT, SshTarget

CONFIG_VARIABLE = "RKDECK_SSH_CONFIG"
_MAX_FILE_BYTES = 1 << 20
_MAX_FILES = 64
_MAX_DEPTH = 16  # as OpenSSH
_MAX_HOPS = 8
_TOKEN = re.compile(r"%[A-Za-z%]")
_HEADER = re.compile(r"\s*(host|match)\b[\s=]+(.*)", re.IGNORECASE)
_INCLUDE = re.compile(r"\s*include[\s=]+(.*)", re.IGNORECASE)
# The criteria that are judged here; paramiko takes a block with any other one for a match.
_CRITERIA = frozenset({"host", "originalhost", "user", "localuser"})
_PLAIN_CRITERIA = frozenset({"all", "canonical", "final"})
_NEVER = "Host !*\n"
_SPAN = re.compile(r"(\d{1,9})([smhdwSMHDW]?)")
_UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_HOP = re.compile(r"(?:ssh://)?(?:([^@]+)@)?(?:\[([^\]]+)\]|([^:@\[\]]+))(?::(\d{1,5}))?/?")


@dataclass(frozen=True, slots=True)
class HostSettings:
    """What is written about one host; None and empty: nothing.

    Attributes:
        address: HostName, or the name itself.
        identity_files: in the order they are tried; some may not exist.
        use_agent: False for `IdentityAgent none`.
        jumps: `[USER@]HOST[:PORT]` of the hosts on the way, the one next to this computer first.
        alive_interval_s: ServerAliveInterval, in seconds; None also for 0, which is what ssh does by itself.
        alive_count: ServerAliveCountMax.
    """

    address: str
    port: int | None = None
    user: str | None = None
    identity_files: tuple[Path, ...] = ()
    use_agent: bool = True
    jumps: tuple[str, ...] = ()
    alive_interval_s: float | None = None
    alive_count: int | None = None


class _Config(paramiko.SSHConfig):
    """With values filled in without asking DNS for this computer's full name, which can take many seconds."""

    def _tokenize(self, config: Mapping[str, Any], target_hostname: str, key: str, value: str) -> str:
        if key not in {"hostname", "identityfile", "proxyjump"}:
            return value
        user = getpass.getuser()
        name = target_hostname if key == "hostname" else config.get("hostname", target_hostname)
        tokens = {
            "%%": "%",
            "%d": str(Path.home()),
            "%h": name,
            "%L": socket.gethostname().partition(".")[0],
            "%n": target_hostname,
            "%p": str(config.get("port", SSH_PORT)),
            "%r": config.get("user", user),
            "%u": user,
        }
        filled = _TOKEN.sub(lambda match: tokens.get(match[0], match[0]), value)
        home = key == "identityfile" and filled.startswith("~/")
        return str(Path.home()) + filled[1:] if home else filled


def config_file() -> Path:
    """The file that is read: `RKDECK_SSH_CONFIG`, else `~/.ssh/config`."""
    chosen = os.environ.get(CONFIG_VARIABLE)
    return Path(chosen) if chosen else Path.home() / ".ssh" / "config"


def settings_for(name: str, file: Path | None = None) -> HostSettings:
    """Look a host up by the name the user gave.

    Args:
        name: an alias, a host name or an address.
        file: instead of `config_file()`.

    Raises:
        RefusedError: `remote.ssh_config_unusable`, `remote.proxy_command`.
    """
    file = file or config_file()
    try:
        found = _Config.from_text("".join(_lines(file, [], 0))).lookup(name)
        port = int(found["port"]) if "port" in found else None
        alive_interval_s = _seconds(found.get("serveraliveinterval", "0"))
        alive_count = int(found["serveralivecountmax"]) if "serveralivecountmax" in found else None
    except RKDeckError:
        raise
    except (paramiko.SSHException, ValueError, KeyError, OSError, ImportError) as error:
        raise _unusable(file, error) from error
    jumps = _words(found.get("proxyjump"))
    if found.get("proxycommand") and not jumps:
        raise RefusedError("remote.proxy_command", host=printable(name), file=str(file))
    return HostSettings(
        address=found["hostname"],
        port=port,
        user=found.get("user"),
        identity_files=tuple(Path(path) for path in found.get("identityfile", ()) if path.lower() != "none"),
        use_agent=found.get("identityagent", "").lower() != "none",
        jumps=jumps,
        alive_interval_s=alive_interval_s or None,
        alive_count=alive_count,
    )


def with_config(target: SshTarget, file: Path | None = None) -> SshTarget:
    """The target with what the file adds: where its name leads, which keys, through which hosts.

    User and port of the target stay as they are. Who names a loopback address means this computer: no host is on the
    way to that.

    Raises:
        RefusedError: as `settings_for`, `remote.jump_loop`.
    """
    return _filled(target, settings_for(target.host, file), file, 0)


def _filled(target: SshTarget, settings: HostSettings, file: Path | None, depth: int) -> SshTarget:
    jump = target.jump
    if jump is None and settings.jumps and not _is_loopback(target.host):
        jump = _chain(settings.jumps, file, depth, target.host)
    return replace(
        target,
        address=target.address or (settings.address if settings.address != target.host else None),
        identity_files=target.identity_files or settings.identity_files,
        use_agent=target.use_agent and settings.use_agent,
        jump=jump,
        alive_interval_s=settings.alive_interval_s or target.alive_interval_s,
        alive_count=target.alive_count if settings.alive_count is None else max(1, settings.alive_count),
    )


def _chain(hops: tuple[str, ...], file: Path | None, depth: int, host: str) -> SshTarget:
    """The last of the hops, which is reached through the ones before it."""
    if depth + len(hops) > _MAX_HOPS:
        raise RefusedError("remote.jump_loop", host=printable(host), limit=_MAX_HOPS)
    match = _HOP.fullmatch(hops[-1])
    if match is None:
        raise UsageError("remote.bad_host", host=printable(hops[-1]))
    user, literal, name, port = match.groups()
    settings = settings_for(literal or name, file)
    target = SshTarget(
        host=literal or name,
        port=int(port) if port else settings.port or SSH_PORT,
        user=user or settings.user or getpass.getuser(),
        jump=_chain(hops[:-1], file, depth + 1, literal or name) if len(hops) > 1 else None,
    )
    return _filled(target, settings, file, depth + 1)


def _can_judge(criteria: str) -> bool:
    words = criteria.split("#", maxsplit=1)[0].split()
    while words:
        criterion = words.pop(0).lstrip("!").lower()
        if criterion in _CRITERIA:
            words[:1] = []
        elif criterion not in _PLAIN_CRITERIA:
            return False
    return True


def _seconds(text: str) -> float:
    """A span as sshd_config(5), TIME FORMATS, has it: `90`, `1m30s`.

    Raises:
        ValueError: it is none.
    """
    parts = _SPAN.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is no time")
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


def _lines(file: Path, seen: list[Path], depth: int) -> Iterator[str]:
    """The lines of a file with those of included files in their place."""
    seen.append(file)
    if depth > _MAX_DEPTH or len(seen) > _MAX_FILES:
        raise RefusedError("remote.ssh_config_unusable", file=str(file), reason="too many Include lines")
    header: str | None = None
    for line in _read(file, is_first=depth == 0).splitlines():
        if (match := _HEADER.match(line)) is not None:
            known = match[1].lower() == "host" or _can_judge(match[2])
            header = line + "\n" if known else _NEVER
            yield header
        elif (match := _INCLUDE.match(line)) is not None:
            yield from _included(match[1], seen, depth, header)
        else:
            yield line + "\n"


def _included(patterns: str, seen: list[Path], depth: int, header: str | None) -> Iterator[str]:
    try:
        words = shlex.split(patterns, comments=True)
    except ValueError as error:
        raise _unusable(seen[0], error) from error
    for pattern in words:
        full = Path(pattern).expanduser() if pattern.startswith("~") else seen[0].parent / pattern
        for path in sorted(glob.glob(str(full))):
            for line in _lines(Path(path), seen, depth + 1):
                # Blocks of a file that is included for one host only are not for the others.
                yield _NEVER if header is not None and _HEADER.match(line) else line
            yield header or "Host *\n"


def _read(file: Path, *, is_first: bool) -> str:
    try:
        with file.open("rb") as opened:
            data = opened.read(_MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        return ""
    except OSError as error:
        if not is_first:
            return ""  # as OpenSSH: what cannot be read is not included
        raise _unusable(file, error) from error
    if len(data) > _MAX_FILE_BYTES:
        raise RefusedError("remote.ssh_config_unusable", file=str(file), reason="it is larger than 1 MiB")
    return data.decode("utf-8", "replace")


def _unusable(file: Path, error: BaseException) -> RefusedError:
    reason = printable(str(error)) or type(error).__name__
    return RefusedError("remote.ssh_config_unusable", file=str(file), reason=reason)
