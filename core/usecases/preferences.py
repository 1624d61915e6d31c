"""The user's settings, the state of the window and that there is one, kept in the home folder."""

from collections.abc import Callable

from core.base import atomic
from core.base.errors import JsonValue, RKDeckError
from core.base.locks import FileLock
from core.base.paths import AppPaths
from core.base.settings_file import save_settings
from core.base.trouble import reason_of
from core.services import Services

_WINDOW_FILE = "window.json"
_MAX_WINDOW_BYTES = 64 << 10


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


def take_window(paths: AppPaths) -> Callable[[], None] | None:
    """Become the one window of a home folder; returns what gives that up, None while another one has it."""
    lock = FileLock(paths.locks / "window")
    return lock.release if lock.try_acquire() else None


def window_state(services: Services) -> dict[str, JsonValue]:
    """Where the window stood; empty when that is not known, whatever lies in the place of its file."""
    try:
        found = atomic.read_json(services.paths.home / _WINDOW_FILE, _MAX_WINDOW_BYTES)
    except (RKDeckError, OSError):
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
