"""What a card offers when its board is not reached: the dialog that mends it."""

from core.base.errors import RKDeckError
from gui.text import tr

_ELSEWHERE = frozenset(
    {
        "boards.other_hardware", "boards.unclear_hardware", "remote.unknown_host", "remote.no_route", "remote.timeout",
        "remote.refused", "remote.not_ssh",
    }
)  # fmt: skip
_LOGIN = frozenset(
    {
        "remote.password_refused",
        "remote.no_credentials",
        "remote.passphrase_needed",
        "remote.passphrase_wrong",
    }
)


def remedy_for(error: RKDeckError | None) -> tuple[str, str] | None:
    """What to ask of the page (see `BoardCard.asked`), and the button's text; None where nothing here helps."""
    code = error.code if error is not None else None
    if code == "remote.host_key_changed":
        return "new_key", tr("Compare the keys ...")
    if code == "remote.password_expired":
        return "renew", tr("Choose a new password ...")
    if code in _LOGIN:
        return "password", tr("Set the password ...")
    if code in _ELSEWHERE:
        return "move", tr("Change the address ...")
    return None
