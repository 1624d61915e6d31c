"""Proving who we are: key file, keys of ~/.ssh/config, agent, usual keys, password, in that order."""

import contextlib
import functools
import os
import re
import time
from collections.abc import Callable, Generator, Sequence

import paramiko

from core.base.errors import RefusedError, RKDeckError
from core.base.names import printable
from core.base.notes import because
from core.remote.identities import Agent, Offer, offers
from core.remote.paramiko_setup import NotingTransport
from core.remote.password_dialogue import Answers
from core.remote.target import SshTarget

# OpenSSH's server hangs up after six failed tries (sshd_config(5), MaxAuthTries); a password needs one of them.
_MAX_TRIES = 6
# Words of pam_faillock, pam_tally2, pam_unix and pam_nologin for an account that is shut.
_SHUT = re.compile(
    r"account (?:is |has been |has )?(?:temporarily )?(?:locked|expired|disabled)|not permitted to log in",
    re.IGNORECASE,
)
_TOO_MANY = re.compile(r"too many authentication failures", re.IGNORECASE)

# A wrong password again and again would get this computer banned (fail2ban: 5 failures in 10 minutes).
LOGIN_REFUSED = frozenset(
    {
        "remote.auth_failed",
        "remote.key_refused",
        "remote.locked_out",
        "remote.no_credentials",
        "remote.passphrase_needed",
        "remote.passphrase_wrong",
        "remote.password_expired",
        "remote.password_not_taken",
        "remote.password_refused",
        "remote.too_many_attempts",
    }
)


def authenticate(transport: NotingTransport, target: SshTarget, answers: Answers | None = None) -> None:
    """Log in, or say why not.

    Args:
        transport: greeted, its host key checked.
        target: who, and with what.
        answers: to a server that asks for a new password while it lets in; without them that is an error.

    Raises:
        RefusedError: what `load_private_key` raises for the key file that was asked for.
        RKDeckError: `remote.no_credentials`, `remote.password_refused`, `remote.password_not_taken`,
            `remote.key_refused`, `remote.password_expired`, `remote.new_password_refused`, `remote.locked_out`,
            `remote.too_many_attempts`, `remote.auth_failed` when more than one proof is wanted; `remote.closed`
            when the server hung up.
    """
    login = _Login(transport, target, answers)
    try:
        with contextlib.closing(login.attempts()) as attempts:
            if login.is_open_to_all() or any(login.succeeds(label, attempt) for label, attempt in attempts):
                return
    except (paramiko.SSHException, EOFError, OSError) as error:
        if login.answers.asked_for_new and answers is None:
            raise RKDeckError("remote.password_expired", user=target.user, host=target.host) from error
        reason = transport.why_ended(error, "while_logging_in")
        raise RKDeckError("remote.closed", host=target.host, port=target.port, reason=reason) from error
    raise login.failure()


class _Login:
    """The tries of one login, in order, and what came of them."""

    def __init__(self, transport: NotingTransport, target: SshTarget, answers: Answers | None) -> None:
        self._transport = transport
        self._target = target
        self._secret = target.passphrase or target.password
        self.answers = answers or Answers(target.password or "", None)
        self.tried: list[str] = []
        self.allowed: tuple[str, ...] = ()
        self.locked: RKDeckError | None = None
        self._banner = ""
        self._password_checked = False
        self._password_unwanted = False
        self._half_way = False
        self._keys_left = _MAX_TRIES - (target.password is not None)

    def is_open_to_all(self) -> bool:
        """Ask what the server takes, so that it is spared, and not told, what it does not (RFC 4252, 5.2)."""
        asked_s = time.monotonic()
        try:
            return not self._transport.auth_none(self._target.user)
        except paramiko.BadAuthenticationType as error:
            self.allowed = tuple(error.allowed_types)
        except paramiko.AuthenticationException as error:
            self._end_if_silent(asked_s, error)  # else it does not say: everything is tried
        finally:
            self._note_banner()
        return False

    def succeeds(self, label: str, attempt: Callable[[], Sequence[str]]) -> bool:
        """Make one try; False when another must follow."""
        if not self._transport.is_active():
            return False
        asked_s = time.monotonic()
        try:
            rest = attempt()
        except paramiko.BadAuthenticationType as error:
            self.allowed = tuple(error.allowed_types)
        except paramiko.AuthenticationException as error:
            self._end_if_silent(asked_s, error)
            # Whoever hung up has judged nothing, unless the password was asked for a second time before.
            judged = self._transport.is_active() or self.answers.asked_again
            self._password_checked |= label == "password" and judged
        except RefusedError as error:
            self.locked = error
            return False
        else:
            if not rest:
                return True
            # The key was right and the server wants a second proof: the password follows.
            self._half_way = True
            self.allowed = tuple(rest)
            label += " (accepted)"
        self._note_banner()
        self.tried.append(label)
        return False

    def _end_if_silent(self, asked_s: float, error: Exception) -> None:
        """Whoever gave no answer in time has refused nothing; paramiko raises the same for both.

        Raises:
            RKDeckError: `remote.closed`.
        """
        limit_s = self._transport.auth_timeout
        if time.monotonic() - asked_s < limit_s:
            return
        host, port, reason = (
            self._target.host,
            self._target.port,
            because("silent_logging_in", seconds=round(limit_s)),
        )
        raise RKDeckError("remote.closed", host=host, port=port, reason=reason) from error

    def failure(self) -> RKDeckError:
        """Why nobody was let in."""
        user, host, port = self._target.user, self._target.host, self._target.port
        words, tried, allowed = self._words(), ", ".join(self.tried), ", ".join(self.allowed) or None
        if _TOO_MANY.search(words):
            return RKDeckError("remote.too_many_attempts", user=user, host=host, port=port, tried=tried)
        if _SHUT.search(words):
            return RKDeckError("remote.locked_out", user=user, host=host, port=port, reason=words)
        if self.answers.asked_for_new:
            return RKDeckError("remote.new_password_refused", user=user, host=host, reason=words or None)
        if not self._transport.is_active() and len(self.tried) < 2 and not self._password_checked:
            # One wrong key makes no server hang up: something else ended the connection.
            reason = words or because("hung_up_logging_in")
            return RKDeckError("remote.closed", host=host, port=port, reason=reason)
        if self.locked is not None and (self._target.identity_file is not None or not self.tried):
            return self.locked
        if not self.tried and not self._password_unwanted:
            return RKDeckError("remote.no_credentials", user=user, host=host, port=port, allowed=allowed)
        if self._half_way:
            return RKDeckError(
                "remote.auth_failed", user=user, host=host, port=port, tried=tried, allowed=allowed
            )
        if self._password_checked:
            return RKDeckError("remote.password_refused", user=user, host=host, port=port, tried=tried)
        if self._password_unwanted or "password" in self.tried:
            return RKDeckError("remote.password_not_taken", user=user, host=host, port=port, allowed=allowed)
        return RKDeckError(
            "remote.key_refused", user=user, host=host, port=port, tried=tried, allowed=allowed
        )

    def _words(self) -> str:
        """What the server said about it, in any of the places where it can say something."""
        parts = [self._transport.farewell or "", *self.answers.said, self._banner]
        return printable(" ".join(part.strip() for part in parts if part.strip()), limit=300)

    def _note_banner(self) -> None:
        """Keep what the server said before this try; paramiko forgets it with the next."""
        banner = getattr(self._transport.auth_handler, "banner", None)
        if isinstance(banner, bytes):
            self._banner = banner[:4096].decode("utf-8", "replace")

    def attempts(self) -> Generator[tuple[str, Callable[[], Sequence[str]]]]:
        """Yield what to try; an agent stays connected until the generator is closed, since it signs."""
        if self._takes("publickey"):
            yield from self._key_attempts()
        if self._target.password is None:
            return
        if self._takes("password") or self._takes("keyboard-interactive"):
            yield "password", self._try_password
        else:
            self._password_unwanted = True

    def _takes(self, method: str) -> bool:
        return not self.allowed or method in self.allowed

    def _key_attempts(self) -> Generator[tuple[str, Callable[[], Sequence[str]]]]:
        with contextlib.closing(Agent(self._agent_path())) as agent:
            for offer in offers(self._target, agent.keys(), self._secret):
                if self._keys_left > 0:
                    yield offer.label, functools.partial(self._try_key, offer)

    def _agent_path(self) -> str | None:
        if not self._target.use_agent:
            return None
        socket = self._target.agent_socket
        return str(socket) if socket is not None else os.environ.get("SSH_AUTH_SOCK")

    def _try_key(self, offer: Offer) -> Sequence[str]:
        key = offer.load()
        self._keys_left -= 1
        return self._transport.auth_publickey(self._target.user, key)

    def _try_password(self) -> Sequence[str]:
        """The password in either of the two forms servers take it."""
        transport, user = self._transport, self._target.user
        assert self._target.password is not None
        try:
            # paramiko's fallback would give the password to every question, also to one for a new password.
            return transport.auth_password(user, self._target.password, fallback=False)
        except paramiko.BadAuthenticationType as error:
            if "keyboard-interactive" not in error.allowed_types:
                raise
        return transport.auth_interactive(user, self.answers.to_questions)
