"""Which keys are offered, and in which order: OpenSSH's (sshconnect2.c, pubkey_prepare).

The key that was asked for comes first, then the named files the agent holds, in the order of the files, then the
agent's others, then the other files. With IdentitiesOnly the agent's others are left out, and with a key that was asked
for everything else is. A certificate is offered before its bare key.
"""

import base64
import binascii
import contextlib
import functools
import io
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paramiko
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from paramiko.agent import AgentKey, AgentSSH
from paramiko.pkey import UnknownKeyType

from core.base.errors import RefusedError
from core.base.foreign import lines
from core.base.notes import because
from core.base.opening import open_regular, read_regular
from core.base.trouble import reason_of
from core.remote.target import SshTarget

_DEFAULT_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")
_MAX_KEY_BYTES = 256 << 10
# An agent may ask its owner before it signs (`ssh-add -c`, a token to touch).
_AGENT_TIMEOUT_S = 60.0
_CERTIFICATE = "-cert-v01@openssh.com"
# How many fields of a certificate, behind type and nonce, are the public key (PROTOCOL.certkeys).
_KEY_FIELDS = {
    "ssh-ed25519": 1,
    "ssh-rsa": 2,
    "ecdsa-sha2-nistp256": 2,
    "ecdsa-sha2-nistp384": 2,
    "ecdsa-sha2-nistp521": 2,
}
_KINDS: dict[type[RSAPrivateKey | Ed25519PrivateKey | EllipticCurvePrivateKey], type[paramiko.PKey]] = {
    RSAPrivateKey: paramiko.RSAKey,
    Ed25519PrivateKey: paramiko.Ed25519Key,
    EllipticCurvePrivateKey: paramiko.ECDSAKey,
}
_MAGIC = b"openssh-key-v1\0"


@dataclass(frozen=True, slots=True)
class Offer:
    """One key to try; `load` may raise what `load_private_key` raises."""

    label: str
    load: Callable[[], paramiko.PKey]


class HeldKey(AgentKey):
    """A key of an agent that may refuse to sign with it (its owner said no, or it is locked)."""

    def sign_ssh_data(self, data: Any, algorithm: str | None = None) -> Any:  # noqa: ANN401  # as it is called, not as it is typed
        """The signature; an empty one, which the server refuses, when the agent gives none.

        It is called by paramiko's thread, where an error would end the connection instead of this try.
        """
        try:
            return super().sign_ssh_data(data, algorithm)
        except (paramiko.SSHException, OSError):
            return b""


class Agent(AgentSSH):
    """The keys of a running agent; none when there is none, or it does not answer."""

    def __init__(self, path: str | None) -> None:
        """Connect to the agent that listens at `path`; None: there is none."""
        super().__init__()
        if not path:
            return
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        link.settimeout(_AGENT_TIMEOUT_S)
        try:
            link.connect(path)
            self._connect(link)  # type: ignore[attr-defined]  # not among the published types
        except (paramiko.SSHException, OSError, ValueError):
            link.close()

    def keys(self) -> list[HeldKey]:
        """What it holds, in its order."""
        return [HeldKey(self, key.blob, key.comment) for key in self.get_keys()]

    def close(self) -> None:
        """End the connection."""
        self._close()  # type: ignore[attr-defined]  # as above


def load_private_key(path: Path, passphrase: str | None) -> paramiko.PKey:
    """Read a private key file (OpenSSH or PEM form), and the certificate beside it.

    Raises:
        RefusedError: `remote.identity_missing`, `remote.identity_unusable`, `remote.passphrase_needed`,
            `remote.passphrase_wrong`.
    """
    try:
        return _read(path.expanduser(), None)
    except FileNotFoundError as error:
        raise RefusedError("remote.identity_missing", file=str(path)) from error
    except OSError as error:
        reason = reason_of(error)
        raise RefusedError("remote.identity_unusable", file=str(path), reason=reason) from error
    except (ValueError, paramiko.SSHException, UnknownKeyType) as error:
        raise RefusedError(
            "remote.identity_unusable", file=str(path), reason=because("no_private_key")
        ) from error
    except TypeError as error:  # cryptography's way to say: encrypted
        if passphrase is None:
            raise RefusedError("remote.passphrase_needed", file=str(path)) from error
    try:
        return _read(path.expanduser(), passphrase.encode())
    except (ValueError, TypeError, OSError, paramiko.SSHException, UnknownKeyType) as error:
        raise RefusedError("remote.passphrase_wrong", file=str(path)) from error


def _read(path: Path, passphrase: bytes | None) -> paramiko.PKey:
    """Read a key file; paramiko knows neither form of PKCS#8, so that is turned into OpenSSH's first."""
    data = read_regular(path, _MAX_KEY_BYTES)
    if b"-----BEGIN PRIVATE KEY" not in data and b"-----BEGIN ENCRYPTED PRIVATE KEY" not in data:
        return paramiko.PKey.from_path(path, passphrase)  # type: ignore[arg-type]
    loaded = serialization.load_pem_private_key(data, passphrase)
    for kind, made in _KINDS.items():
        if isinstance(loaded, kind):
            form = serialization.PrivateFormat.OpenSSH
            text = loaded.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
            return made.from_private_key(io.StringIO(text.decode("ascii")))
    raise ValueError("a kind of key that SSH does not use")


def offers(target: SshTarget, held: list[HeldKey], passphrase: str | None) -> Iterator[Offer]:
    """The keys to try, in order.

    Args:
        target: who, and which keys its settings name.
        held: the agent's keys.
        passphrase: of the key files, if there is one.
    """
    named = target.identity_file
    files = _files(target)
    certificates = [(path, blob) for path in target.certificate_files if (blob := _public_of_file(path))]
    left = {_public_of(key): key for key in held}
    mine: dict[Path, HeldKey] = {}
    for path in files:
        public = public_key(path)
        if public is not None and public in left:
            mine[path] = left.pop(public)

    def of(path: Path) -> Iterator[Offer]:
        if path in mine:
            yield from _held_offers(f"agent key {path}", mine[path], [*certificates, *_beside(path)])
        else:
            yield from _file_offers(path, passphrase, certificates)

    if named is not None:
        yield from of(named)
        if target.identities_only:
            return
    for path in files:
        if path in mine and path != named:
            yield from of(path)
    # A password that is given with a key is its passphrase or the account's: other keys are not meant then.
    if not target.identities_only and (named is None or target.password is None):
        for key in left.values():
            yield from _held_offers("agent key", key, certificates)
    for path in files:
        if path not in mine and path != named:
            yield from of(path)


def public_key(path: Path) -> bytes | None:
    """The public key of a private key file, without its passphrase; None when it does not tell.

    From the file beside it (`.pub`), from the file itself when it is a public key (that an agent holds the private one
    of), or from the head of OpenSSH's form, where it is not encrypted (PROTOCOL.key).
    """
    path = path.expanduser()
    data = _bytes(path)
    known = _public_line(data) or _public_of_file(path.with_name(path.name + ".pub")) or _public_head(data)
    if known is None and b"PRIVATE KEY" in data:
        # In the older forms nothing but the whole can be read, and only where it is not encrypted.
        with contextlib.suppress(RefusedError):
            return bytes(load_private_key(path, None).asbytes())
    return known


def _files(target: SshTarget) -> list[Path]:
    """The named files, as they are named; the usual ones only where none is."""
    named = [] if target.identity_file is None else [target.identity_file]
    if named and target.identities_only:
        return named
    more = list(target.identity_files)
    if not named and not more and target.use_default_keys:
        more = [Path.home() / ".ssh" / name for name in _DEFAULT_KEYS]
    # A file that is not there is passed over, but for its public half, whose other one an agent may hold.
    there = (path for path in more if path.is_file() or path.with_name(path.name + ".pub").is_file())
    return list(dict.fromkeys([*named, *there]))


def _file_offers(
    path: Path, passphrase: str | None, certificates: list[tuple[Path, bytes]]
) -> Iterator[Offer]:
    loaded: list[paramiko.PKey] = []

    def bare() -> paramiko.PKey:
        if not loaded:
            loaded.append(load_private_key(path, passphrase))
        loaded[0].public_blob = None
        return loaded[0]

    if not path.expanduser().is_file() and path.with_name(path.name + ".pub").is_file():
        return  # nobody holds the other half
    public = public_key(path)
    for certificate, blob in [*certificates, *_beside(path)]:
        if blob == public:
            yield Offer(f"certificate {certificate}", _with_certificate(bare, certificate))
    yield Offer(f"key {path}", bare)


def _held_offers(label: str, key: HeldKey, certificates: list[tuple[Path, bytes]]) -> Iterator[Offer]:
    public = _public_of(key)
    for certificate, blob in certificates:
        if blob == public and not key.name.endswith(_CERTIFICATE):
            held = functools.partial(HeldKey, key.agent, key.blob, key.comment)
            yield Offer(f"certificate {certificate}", _with_certificate(held, certificate))
    yield Offer(label, lambda: key)


def _with_certificate(load: Callable[[], paramiko.PKey], certificate: Path) -> Callable[[], paramiko.PKey]:
    def key() -> paramiko.PKey:
        found = load()
        try:
            found.load_certificate(str(certificate))
        except (ValueError, OSError, paramiko.SSHException) as error:
            raise RefusedError(
                "remote.identity_unusable", file=str(certificate), reason=because("no_certificate")
            ) from error
        return found

    return key


def _beside(path: Path) -> list[tuple[Path, bytes]]:
    beside = path.expanduser().with_name(path.name + "-cert.pub")
    blob = _public_of_file(beside)
    return [] if blob is None else [(beside, blob)]


def _public_of(key: HeldKey) -> bytes:
    return bare_key(key.blob) or bytes(key.blob)


def _bytes(path: Path) -> bytes:
    try:
        with open_regular(path) as file:
            return file.read(_MAX_KEY_BYTES)
    except OSError:
        return b""


def _public_of_file(path: Path) -> bytes | None:
    return _public_line(_bytes(path.expanduser()))


def _public_line(data: bytes) -> bytes | None:
    """The key in `TYPE BASE64 COMMENT`; of a certificate the key it certifies."""
    for line in lines(data):
        words = line.split()
        if len(words) > 1 and not line.startswith((b"#", b"-")):
            with contextlib.suppress(binascii.Error, ValueError):
                return bare_key(base64.b64decode(words[1], validate=True))
    return None


def _public_head(data: bytes) -> bytes | None:
    body = b"".join(line.strip() for line in lines(data) if not line.startswith(b"-"))
    with contextlib.suppress(binascii.Error, ValueError):
        decoded = base64.b64decode(body, validate=True)
        if decoded.startswith(_MAGIC):
            message = paramiko.Message(decoded[len(_MAGIC) :])
            for _ in ("cipher", "kdf", "its options"):
                message.get_binary()
            message.get_int()
            return message.get_binary() or None
    return None


def bare_key(blob: bytes) -> bytes | None:
    """The key in the wire form of a key or certificate; None when it is neither."""
    message = paramiko.Message(blob)
    kind = message.get_binary().decode("ascii", "replace")
    if not kind.endswith(_CERTIFICATE):
        return blob if kind else None
    plain = kind.removesuffix(_CERTIFICATE)
    message.get_binary()  # the nonce
    found = paramiko.Message()
    found.add_string(plain)
    for _ in range(_KEY_FIELDS.get(plain, 0)):
        found.add_string(message.get_binary())
    return found.asbytes()
