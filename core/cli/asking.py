"""Questions the command line asks when a board is reached: only somebody at a terminal is asked, never a script."""

import getpass
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from core.base.errors import RefusedError, RKDeckError
from core.base.names import printable
from core.cli.command import Context
from core.usecases.boards import BoardDraft, is_unknown_key
from core.usecases.reaching import is_changed_jump_key
from core.words import word

Result = TypeVar("Result")
_MAX_HOSTS = 8
_MAX_TRIES = 3
_WANT_PASSPHRASE = frozenset({"remote.passphrase_needed", "remote.passphrase_wrong"})
_WANT_PASSWORD = frozenset({"remote.no_credentials", "remote.password_refused", "remote.key_refused"})


def somebody_is_there(context: Context) -> bool:
    """Whether questions can be answered."""
    return sys.stdin.isatty() and not context.output.json


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
            context.output.note(
                printable(f"{error.facts['host']} shows this host key for the first time:") + f"\n  {shown}"
            )
            context.output.note(
                "Compare it with the board's own: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"
            )
            if not agrees("Is it the same? Then RKDeck remembers it. [y/N] "):
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
    context.output.note(word(error)[0])
    context.output.note(f"  before: {error.facts['known_fingerprint']}\n  now:    {shown}")
    if is_changed_jump_key(error):
        return agrees("Was that host set up anew, and is this its own new fingerprint? [y/N] ")
    return agrees("Did you give the board a new card, and is this its own new fingerprint? [y/N] ")


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
                context.output.note("The password had expired; the new one is set.")
                continue
            if not somebody_is_there(context) or not _takes_password(error):
                raise
            context.output.note(word(error)[0])
            draft = _asked(draft, error, renew)
    return action(draft)


def _takes_password(error: RKDeckError) -> bool:
    if error.code in _WANT_PASSPHRASE or error.code == "remote.password_expired":
        return True
    allowed = str(error.facts.get("allowed") or "password")
    return error.code in _WANT_PASSWORD and ("password" in allowed or "keyboard" in allowed)


def _asked(
    draft: BoardDraft, error: RKDeckError, renew: Callable[[BoardDraft, str], BoardDraft]
) -> BoardDraft:
    if error.code in _WANT_PASSPHRASE:
        file = printable(str(error.facts["file"]))
        return replace(draft, password=getpass.getpass(f"Passphrase of {file}: ") or None)
    who = printable(f"{error.facts['user']}@{error.facts['host']}")
    if error.code != "remote.password_expired":
        return replace(draft, password=getpass.getpass(f"Password of {who}: ") or None)
    old = draft.password or getpass.getpass(f"Present password of {who}: ")
    new = getpass.getpass(f"New password for {who}: ")
    if new != getpass.getpass("Once more: "):
        raise error
    return renew(replace(draft, password=old), new)


def agrees(question: str) -> bool:
    """Ask a question that only a clear yes answers with yes."""
    return input(question).strip().lower() in {"y", "yes"}
