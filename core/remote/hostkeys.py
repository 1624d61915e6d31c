"""Host keys: asked about once, remembered, and never silently replaced.

The file has OpenSSH's format (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT): it can be read by `ssh -o
UserKnownHostsFile=...` and lines can be copied into it, hashed host names included.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.base.atomic import write_text
from core.base.errors import RefusedError, RKDeckError
from core.base.foreign import lines
from core.base.locks import FileLock
from core.base.opening import open_regular

DEFAULT_PORT = 22
_MAX_FILE_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class HostKey:
    """A public host key: its type ("ssh-ed25519") and the bytes of its wire form."""

    kind: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """`SHA256:...` as OpenSSH shows it."""
        digest = hashlib.sha256(self.blob).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")

    @property
    def text(self) -> str:
        """`type base64`, the form of known_hosts and of .pub files."""
        return f"{self.kind} {base64.b64encode(self.blob).decode()}"


@dataclass(frozen=True, slots=True)
class _Line:
    marker: str
    patterns: tuple[str, ...]
    key: HostKey


def host_name(host: str, port: int) -> str:
    """The name under which a server is remembered: `host`, or `[host]:port` on another port than 22."""
    host = host.lower()
    return host if port == DEFAULT_PORT else f"[{host}]:{port}"


class HostKeys:
    """The known_hosts file of a home folder, shared by every RKDeck process of that home."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def lookup(self, host: str, port: int = DEFAULT_PORT) -> tuple[HostKey, ...]:
        """Return the keys remembered for a server.

        Raises:
            RKDeckError: `remote.known_hosts_damaged` when a line cannot be read: skipping it could turn a
                changed key into an unknown one.
        """
        name = host_name(host, port)
        return tuple(line.key for line in self._lines() if not line.marker and _matches(line, name))

    def check(
        self,
        host: str,
        port: int,
        key: HostKey,
        accept_fingerprint: str | None = None,
        replace_fingerprint: str | None = None,
    ) -> None:
        """Return when the server may be trusted; an unknown key is remembered if its fingerprint is accepted.

        Args:
            host: as it is remembered.
            port: of the server.
            key: the one it shows.
            accept_fingerprint: of a new server's key; several are separated by commas.
            replace_fingerprint: of a key that may pass in place of the remembered ones; it is not remembered yet.

        Raises:
            RefusedError: `remote.host_key_unknown` (never seen; nothing is sent), `remote.host_key_changed`
                (another key is remembered, whatever is accepted as new), `remote.host_key_revoked`.
            RKDeckError: `remote.known_hosts_damaged`.
        """
        name = host_name(host, port)
        lines = [line for line in self._lines() if _matches(line, name)]
        if any(line.marker == "@revoked" and line.key == key for line in lines):
            raise RefusedError("remote.host_key_revoked", host=host, port=port, fingerprint=key.fingerprint)
        known = [line.key for line in lines if not line.marker]
        if key in known:
            return
        if known:
            if replace_fingerprint is not None and _same_fingerprint(replace_fingerprint, key.fingerprint):
                return
            raise RefusedError(
                "remote.host_key_changed",
                host=host,
                port=port,
                fingerprint=key.fingerprint,
                key_type=key.kind,
                known_fingerprint=", ".join(entry.fingerprint for entry in known),
                file=str(self._file),
            )
        accepted = (accept_fingerprint or "").split(",")
        if not any(_same_fingerprint(given, key.fingerprint) for given in accepted):
            raise RefusedError(
                "remote.host_key_unknown",
                host=host,
                port=port,
                fingerprint=key.fingerprint,
                key_type=key.kind,
                asked_fingerprint=accept_fingerprint,
            )
        self.accept(host, port, key)

    def accept(self, host: str, port: int, key: HostKey) -> None:
        """Remember a key for a server; written in one step, under a lock between processes."""
        name = host_name(host, port)
        with self._lock():
            if key not in self.lookup(host, port):
                text = self._text()
                if text and not text.endswith("\n"):
                    text += "\n"
                write_text(self._file, f"{text}{name} {key.text}\n")

    def replace(self, host: str, port: int, key: HostKey) -> None:
        """Remember this key instead of those known for a server, in one step; revoked ones stay revoked."""
        name = host_name(host, port)
        with self._lock():
            kept = [line for line in lines(self._text()) if not self._is_of(line, name)]
            write_text(self._file, "\n".join([*kept, f"{name} {key.text}"]) + "\n")

    def forget(self, host: str, port: int = DEFAULT_PORT) -> int:
        """Forget the keys of a server (it was reinstalled, or is no longer used); returns how many."""
        name = host_name(host, port)
        with self._lock():
            known = lines(self._text())
            kept = [line for line in known if not self._is_of(line, name)]
            if len(kept) < len(known):
                write_text(self._file, "".join(f"{line}\n" for line in kept))
            return len(known) - len(kept)

    def _is_of(self, line: str, name: str) -> bool:
        parsed = self._parse(line, 0)
        return parsed is not None and not parsed.marker and _matches(parsed, name)

    def _lock(self) -> FileLock:
        return FileLock(self._file.with_name(self._file.name + ".lock"))

    def _text(self) -> str:
        try:
            with open_regular(self._file) as file:
                data = file.read(_MAX_FILE_BYTES + 1)
        except FileNotFoundError:
            return ""
        if len(data) > _MAX_FILE_BYTES:
            raise RKDeckError("remote.known_hosts_damaged", file=str(self._file), line=None)
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise RKDeckError("remote.known_hosts_damaged", file=str(self._file), line=None) from error

    def _lines(self) -> Iterator[_Line]:
        for number, text in enumerate(lines(self._text()), 1):
            line = self._parse(text, number)
            if line is not None:
                yield line

    def _parse(self, text: str, number: int) -> _Line | None:
        words = text.split()
        if not words or words[0].startswith("#"):
            return None
        marker = words.pop(0) if words[0].startswith("@") else ""
        try:
            patterns, kind, encoded = words[:3]
            blob = base64.b64decode(encoded, validate=True)
        except (ValueError, binascii.Error) as error:
            raise RKDeckError("remote.known_hosts_damaged", file=str(self._file), line=number) from error
        return _Line(marker, tuple(patterns.split(",")), HostKey(kind, blob))


def _matches(line: _Line, name: str) -> bool:
    return any(_pattern_matches(pattern, name) for pattern in line.patterns)


def _pattern_matches(pattern: str, name: str) -> bool:
    if not pattern.startswith("|1|"):
        return pattern.lower() == name
    try:
        _, _, salt, digest = pattern.split("|")
        # OpenSSH defines hashed names with SHA-1; they hide names, they protect nothing else.
        found = hmac.new(base64.b64decode(salt), name.encode(), hashlib.sha1).digest()
        return hmac.compare_digest(found, base64.b64decode(digest))
    except (ValueError, binascii.Error):
        return False


def _same_fingerprint(given: str, real: str) -> bool:
    return hmac.compare_digest(given.strip().rstrip("=").encode(), real.encode())
