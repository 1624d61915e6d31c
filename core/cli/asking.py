"""Questions the command line asks when a board is reached: only somebody at a terminal is asked, never a script."""

import getpass
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from core.base.errors import RefusedError, RKDeckError, UsageError
from core.base.names import printable
from core.cli.command import Context
from core.usecases.boards import BoardDraft, is_unknown_key
from core.usecases.reaching import is_changed_jump_key

Result = TypeVar("Result")
_MAX_HOSTS = 8
_KEY_FILE = "/etc/ssh/ssh_host_ed25519_key.pub"
_MAX_TRIES = 3
_MAX_SECRET_BYTES = 4096
_WANT_PASSPHRASE = frozenset({"remote.passphrase_needed", "remote.passphrase_wrong"})
_WANT_PASSWORD = frozenset({"remote.no_credentials", "remote.password_refused", "remote.key_refused"})


def somebody_is_there(context: Context) -> bool:
    """Whether questions can be answered."""
    return sys.stdin.isatty() and not context.output.json


def read_secret() -> str:
    """The next line of standard input, without its end (a file from Windows has another) or a byte order mark.

    Raises:
        UsageError: `cli.password_missing`, `cli.password_not_utf8`, `cli.password_too_long`.
    """
    line = sys.stdin.buffer.readline(_MAX_SECRET_BYTES + 1)
    if len(line) > _MAX_SECRET_BYTES:
        raise UsageError("cli.password_too_long", limit_bytes=_MAX_SECRET_BYTES)
    try:
        secret = line.decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        # Not as the cause: it quotes the line, and the line is a secret.
        raise UsageError("cli.password_not_utf8") from None
    if "\0" in secret:  # UTF-16 of plain letters
        raise UsageError("cli.password_not_utf8")
    if not secret:
        raise UsageError("cli.password_missing")
    return secret


def accepting(context: Context, action: Callable[[str | None], Result]) -> Result:
    """Do something that connects; each unknown host key is shown and asked about, jump hosts first.

    Args:
        context: of the command, with `--accept-host-key`.
        action: is given the accepted fingerprints, separated by commas.
    """
    accepted: list[str] = list(context.options.accept_host_key or ())
    for _ in range(_MAX_HOSTS):
        try:
            return action(",".join(accepted) or None)
        except RefusedError as error:
            shown = str(error.facts.get("fingerprint"))
            if not is_unknown_key(error) or shown in accepted or not somebody_is_there(context):
                raise
            tr, host = context.output.tr, printable(str(error.facts["host"]))
            context.output.note(
                tr("{host} shows this host key for the first time:", host=host) + f"\n  {shown}"
            )
            context.output.note(
                tr("Compare it with the board's own: {command}", command=f"ssh-keygen -lf {_KEY_FILE}")
            )
            if not agrees(context, tr("Is it the same? Then RKDeck remembers it.")):
                raise
            accepted.append(shown)
    return action(",".join(accepted))


def wants_new_key(context: Context, error: RefusedError, accepted: str | None) -> bool:
    """Whether another key than before is accepted: by its fingerprint on the command line, or by an answer."""
    shown = str(error.facts["fingerprint"])
    if accepted is not None:
        return shown in accepted.split(",")
    if not somebody_is_there(context):
        return False
    tr = context.output.tr
    context.output.note(context.output.sentence(error))
    context.output.note(tr("  before: {key}", key=error.facts["known_fingerprint"]))
    context.output.note(tr("  now:    {key}", key=shown))
    if is_changed_jump_key(error):
        return agrees(context, tr("Was that host set up anew, and is this its own new fingerprint?"))
    return agrees(context, tr("Did you give the board a new card, and is this its own new fingerprint?"))


def logging_in(
    context: Context,
    draft: BoardDraft,
    action: Callable[[BoardDraft], Result],
    renew: Callable[[BoardDraft, str], BoardDraft],
    new_password: str | None,
) -> Result:
    """Do something that logs in; what is missing (password, passphrase, a new password) is asked for.

    Args:
        context: of the command.
        draft: the account.
        action: logs in.
        renew: sets a new password in place of an expired one.
        new_password: for an expired one, if it was given beforehand.
    """
    for _ in range(_MAX_TRIES):
        try:
            return action(draft)
        except RKDeckError as error:
            if error.code == "remote.password_expired" and new_password is not None and draft.password:
                draft, new_password = renew(draft, new_password), None
                context.output.note(context.output.tr("The password had expired; the new one is set."))
                continue
            if not somebody_is_there(context) or not _takes_password(error):
                raise
            context.output.note(context.output.sentence(error))
            draft = _asked(context, draft, error, renew)
    return action(draft)


def _takes_password(error: RKDeckError) -> bool:
    if error.code in _WANT_PASSPHRASE or error.code == "remote.password_expired":
        return True
    allowed = str(error.facts.get("allowed") or "password")
    return error.code in _WANT_PASSWORD and ("password" in allowed or "keyboard" in allowed)


def _asked(
    context: Context,
    draft: BoardDraft,
    error: RKDeckError,
    renew: Callable[[BoardDraft, str], BoardDraft],
) -> BoardDraft:
    tr = context.output.tr
    if error.code in _WANT_PASSPHRASE:
        file = printable(str(error.facts["file"]))
        return replace(draft, password=getpass.getpass(tr("Passphrase of {file}: ", file=file)) or None)
    who = printable(f"{error.facts['user']}@{error.facts['host']}")
    if error.code != "remote.password_expired":
        return replace(draft, password=getpass.getpass(tr("Password of {who}: ", who=who)) or None)
    old = draft.password or getpass.getpass(tr("Present password of {who}: ", who=who))
    new = getpass.getpass(tr("New password for {who}: ", who=who))
    if new != getpass.getpass(tr("Once more: ")):
        raise error
    return renew(replace(draft, password=old), new)


def agrees(context: Context, question: str) -> bool:
    """Ask a question that only a clear yes answers with yes, in English or in the language of the question."""
    asked, yes = context.output.tr("[y/N]"), context.output.tr("yes")
    answer = input(f"{question} {asked} ").strip().lower()
    return answer in {"y", "yes", yes, yes[0]}
