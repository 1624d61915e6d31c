"""Proving who we are: key file, agent, usual keys, password, in that order."""

import contextlib
import functools
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

import paramiko
from paramiko.pkey import UnknownKeyType

from core.base.errors import RefusedError, RKDeckError
from core.remote.target import SshTarget

_DEFAULT_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")
# OpenSSH's server hangs up after six failed tries; the password needs one of them.
_MAX_KEYS = 5


def load_private_key(path: Path, passphrase: str | None) -> paramiko.PKey:
    """Read a private key file (OpenSSH or PEM form).

    Raises:
        RefusedError: `remote.identity_missing`, `remote.identity_unusable`, `remote.passphrase_needed`,
            `remote.passphrase_wrong`.
    """
    try:
        return paramiko.PKey.from_path(path.expanduser())
    except FileNotFoundError as error:
        raise RefusedError("remote.identity_missing", file=str(path)) from error
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise RefusedError("remote.identity_unusable", file=str(path), reason=reason) from error
    except (ValueError, paramiko.SSHException, UnknownKeyType) as error:
        raise RefusedError(
            "remote.identity_unusable", file=str(path), reason="not a private key SSH can use"
        ) from error
    except TypeError as error:  # cryptography's way to say: encrypted
        if passphrase is None:
            raise RefusedError("remote.passphrase_needed", file=str(path)) from error
    try:
        return paramiko.PKey.from_path(path.expanduser(), passphrase.encode())  # type: ignore[arg-type]
    except (ValueError, TypeError, OSError, paramiko.SSHException, UnknownKeyType) as error:
        raise RefusedError("remote.passphrase_wrong", file=str(path)) from error


def authenticate(transport: paramiko.Transport, target: SshTarget) -> None:
    """Log in, or say why not.

    Raises:
        RefusedError: what `load_private_key` raises for the key file that was asked for.
        RKDeckError: `remote.auth_failed` with what was tried and what the server takes;
            `remote.closed` when the server hung up.
    """
    login = _Login(transport, target)
    try:
        with contextlib.closing(login.attempts()) as attempts:
            if any(login.succeeds(label, attempt) for label, attempt in attempts):
                return
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise RKDeckError(
            "remote.closed", host=target.host, port=target.port, reason=str(error) or "while logging in"
        ) from error
    if len(login.tried) == 1 and not transport.is_active():
        # One wrong key makes no server hang up: something else ended the connection.
        reason = "the server hung up while logging in"
        raise RKDeckError("remote.closed", host=target.host, port=target.port, reason=reason)
    if login.locked is not None and (target.identity_file is not None or not login.tried):
        raise login.locked
    raise RKDeckError(
        "remote.auth_failed",
        user=target.user,
        host=target.host,
        port=target.port,
        tried=", ".join(login.tried) or "nothing, there is no key and no password",
        allowed=", ".join(login.allowed) or None,
    )


class _Login:
    """The tries of one login, in order, and what came of them."""

    def __init__(self, transport: paramiko.Transport, target: SshTarget) -> None:
        self._transport = transport
        self._target = target
        self._secret = target.passphrase or target.password
        self.tried: list[str] = []
        self.allowed: tuple[str, ...] = ()
        self.locked: RKDeckError | None = None

    def succeeds(self, label: str, attempt: Callable[[], Sequence[str]]) -> bool:
        """Make one try; False when another must follow."""
        if not self._transport.is_active():
            return False
        try:
            rest = attempt()
        except paramiko.BadAuthenticationType as error:
            self.allowed = tuple(error.allowed_types)
        except paramiko.AuthenticationException:
            pass  # the label below is the record of this try
        except RefusedError as error:
            self.locked = error
            return False
        else:
            if not rest:
                return True
            # The key was right and the server wants a second proof: the password follows.
            self.allowed = tuple(rest)
            label += " (accepted)"
        self.tried.append(label)
        return False

    def attempts(self) -> Generator[tuple[str, Callable[[], Sequence[str]]]]:
        """Yield what to try; an agent stays connected until the generator is closed, since it signs."""
        target = self._target
        if target.identity_file is not None:
            yield self._file_attempt(target.identity_file)
        if target.use_agent and (target.identity_file is None or target.password is None):
            with contextlib.closing(paramiko.Agent()) as agent:
                for key in _keys_of(agent):
                    yield "agent key", functools.partial(self._try_key, key)
        if target.identity_file is None and target.use_default_keys:
            for path in _default_key_files():
                yield self._file_attempt(path)
        if target.password is not None:
            yield (
                "password",
                functools.partial(self._transport.auth_password, target.user, target.password),
            )

    def _file_attempt(self, path: Path) -> tuple[str, Callable[[], Sequence[str]]]:
        return f"key {path}", lambda: self._try_key(load_private_key(path, self._secret))

    def _try_key(self, key: paramiko.PKey) -> Sequence[str]:
        return self._transport.auth_publickey(self._target.user, key)


def _keys_of(agent: paramiko.Agent) -> tuple[paramiko.PKey, ...]:
    try:
        return tuple(agent.get_keys())[:_MAX_KEYS]
    except (paramiko.SSHException, OSError):
        return ()  # an agent that does not answer holds no keys for us


def _default_key_files() -> list[Path]:
    folder = Path.home() / ".ssh"
    return [folder / name for name in _DEFAULT_KEYS if (folder / name).is_file()]
