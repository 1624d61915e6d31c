"""The user's settings and the state of the window, kept in the home folder."""

from core.base import atomic
from core.base.errors import JsonValue, RKDeckError
from core.base.settings import save_settings
from core.base.trouble import reason_of
from core.services import Services

_WINDOW_FILE = "window.json"


def keep_settings(services: Services) -> None:
    """Keep the settings that are in use; of several calls at once the last to write keeps the newest.

    Raises:
        RKDeckError: `base.not_saved` when they cannot be written; they are in use all the same.
    """
    try:
        with services.keeping_settings:
            save_settings(services.paths.settings_file, services.settings)
    except OSError as error:
        raise RKDeckError(
            "base.not_saved", file=str(services.paths.settings_file), reason=reason_of(error)
        ) from error


def window_state(services: Services) -> dict[str, JsonValue]:
    """Where the window stood; empty when that is not known."""
    try:
        found = atomic.read_json(services.paths.home / _WINDOW_FILE)
    except (RKDeckError, FileNotFoundError):
        return {}
    return found if isinstance(found, dict) else {}


def keep_window_state(services: Services, state: dict[str, JsonValue]) -> None:
    """Keep where the window stood.

    Raises:
        RKDeckError: `base.not_saved`.
    """
    path = services.paths.home / _WINDOW_FILE
    try:
        atomic.write_json(path, state)
    except OSError as error:
        raise RKDeckError("base.not_saved", file=str(path), reason=reason_of(error)) from error
