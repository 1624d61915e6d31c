"""Changing a password that has expired, as some images want it at the first login.

OpenSSH then runs nothing but `passwd`, on a terminal (session.c, do_child), or PAM asks inside the login itself
(RFC 4256). Both dialogues are driven here: bounded in time and in what is read, each secret given only to the question
that asks for it.
"""

import re
import time
from dataclasses import replace

import paramiko

from core.base.errors import RKDeckError, UsageError
from core.base.foreign import lines
from core.base.log import register_secret
from core.base.names import printable
from core.base.notes import because
from core.remote import exchange
from core.remote.hostkeys import HostKeys
from core.remote.password_dialogue import Answers
from core.remote.session import SshSession
from core.remote.target import SshTarget

_TIMEOUT_S = 60.0
_MAX_BYTES = 64 << 10
_MAX_PASSWORD = 200
# A question about a password: a line that is not ended, with a colon last. "WARNING: " is none.
_QUESTION = re.compile(
    r"(?:passw|passphrase|contrase|mot de passe|senha|hasło|парол|密码|口令|パスワード|암호|UNIX)"
    r"[^\r\n]*[:\uff1a]\s*\Z",
    re.IGNORECASE,
)
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b.")


def change_expired_password(
    target: SshTarget,
    host_keys: HostKeys,
    old: str,
    new: str,
    *,
    accept_fingerprint: str | None = None,
    timeout_s: float = _TIMEOUT_S,
) -> None:
    """Give an account whose password has expired a new one, and check that it runs commands with it.

    Args:
        target: the account; its key is used to log in if it has one, `passwd` asks for the old password all the same.
        host_keys: the keys known so far.
        old: the expired password.
        new: the one to set.
        accept_fingerprint: as for `SshSession.connect`.
        timeout_s: for the dialogue with `passwd`.

    Raises:
        UsageError: `remote.bad_new_password` (empty, the same, or no text a terminal can take).
        RKDeckError: `remote.password_not_expired`, `remote.new_password_refused` with the server's words,
            `remote.password_refused` for a wrong old one, `remote.command_timeout`, `remote.output_too_large`,
            and as connecting does.
    """
    if not new or new == old or len(new) > _MAX_PASSWORD or not new.isprintable():
        raise UsageError("remote.bad_new_password", limit=_MAX_PASSWORD)
    register_secret(old)
    register_secret(new)
    phrase = target.passphrase or (target.password if target.identity_file is not None else None)
    answers = Answers(old, new)
    with SshSession.connect(
        replace(target, password=old, passphrase=phrase), host_keys, accept_fingerprint, answers=answers
    ) as session:
        if not answers.new_was_given:
            if not is_expired(session):
                raise RKDeckError("remote.password_not_expired", user=target.user, host=target.host)
            _Terminal(session, answers, (old, new), timeout_s).drive()
    with SshSession.connect(replace(target, password=new, passphrase=phrase), host_keys) as session:
        if is_expired(session):
            raise RKDeckError(
                "remote.new_password_refused",
                user=target.user,
                host=target.host,
                reason=because("still_expired"),
            )


def is_expired(session: SshSession) -> bool:
    """Whether the server wants a new password before it runs anything."""
    try:
        session.run(["true"])
    except RKDeckError as error:
        if error.code == "remote.password_expired":
            return True
        if error.code not in {"remote.no_shell", "remote.unexpected_answer"}:
            raise  # what the account runs in place of a command is no matter of its password
    return False


def is_question(line: str) -> bool:
    """Whether a line that has not ended asks for a password; another question is never answered."""
    return _QUESTION.search(line) is not None


class _Terminal:
    """`passwd` on a terminal of the server."""

    def __init__(
        self, session: SshSession, answers: Answers, secrets: tuple[str, str], timeout_s: float
    ) -> None:
        self._session = session
        self._answers = answers
        self._secrets = secrets
        self._timeout_s = timeout_s
        self._read_bytes = 0
        self._text = ""

    def drive(self) -> None:
        """Answer the questions until the program ends."""
        deadline = time.monotonic() + self._timeout_s
        channel = self._session.open_terminal()
        try:
            self._talk(channel, exchange.Arrival(channel), deadline)
            status = channel.exit_status if channel.status_event.wait(1.0) else -1
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise self._session.closed_error(error) from error
        finally:
            exchange.abandon(channel)
        if not self._answers.asked_for_new:
            target = self._session.target
            raise RKDeckError(
                "remote.password_refused",
                user=target.user,
                host=target.host,
                port=target.port,
                tried="password",
            )
        if status != 0 or not self._answers.new_was_given:
            raise self._refused()

    def _talk(self, channel: paramiko.Channel, arrival: exchange.Arrival, deadline: float) -> None:
        while True:
            arrival.look()
            ended = channel.eof_received or channel.closed
            left_s = deadline - time.monotonic()
            if channel.recv_ready() and left_s > 0:
                self._take(channel.recv(4096))
            elif ended:
                return
            elif left_s <= 0:
                raise self._too_slow()
            else:
                arrival.wait(left_s)
            line = self._text.rpartition("\n")[2]
            if is_question(line):
                answer = self._answers.to_prompt(line)
                if answer is None:
                    raise self._refused()
                self._text = ""
                channel.sendall(answer.encode() + b"\n")

    def _take(self, data: bytes) -> None:
        self._read_bytes += len(data)
        self._text += data.decode("utf-8", "replace")
        if self._read_bytes > _MAX_BYTES:
            target = self._session.target
            raise RKDeckError(
                "remote.output_too_large",
                command="passwd",
                limit_bytes=_MAX_BYTES,
                host=target.host,
                port=target.port,
            )

    def _too_slow(self) -> RKDeckError:
        target = self._session.target
        return RKDeckError(
            "remote.command_timeout",
            command="passwd",
            seconds=self._timeout_s,
            host=target.host,
            port=target.port,
        )

    def _refused(self) -> RKDeckError:
        """What it said after the last answer, without the question it repeats and without a secret it echoes."""
        told = [line.strip() for line in lines(_ESCAPES.sub("", self._text).replace("\r", "\n"))]
        words = " ".join(line for line in told if line and not is_question(line))
        for secret in self._secrets:
            words = words.replace(secret, "***")
        target = self._session.target
        return RKDeckError(
            "remote.new_password_refused",
            user=target.user,
            host=target.host,
            reason=printable(words, limit=300) or None,
        )
