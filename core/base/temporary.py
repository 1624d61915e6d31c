"""Folders for a while, where the system keeps such; what ends there for want of room says so and names the place."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from core.base.errors import CancelledError, RKDeckError, UsageError
from core.base.trouble import NO_ROOM, is_full


@contextlib.contextmanager
def temporary_folder(purpose: str) -> Iterator[Path]:
    """A new folder under TMPDIR (or /tmp), gone afterwards with all that is in it.

    Args:
        purpose: part of its name.

    Raises:
        RKDeckError: `base.temporary_full` in place of whatever failed in it on a full disk; a program that was
            started there cannot say so itself.
        OSError: as the system says, when no such folder can be made (`base.no_temporary_folder`).
    """
    with tempfile.TemporaryDirectory(prefix=f"rkdeck-{purpose}-") as folder:
        try:
            yield Path(folder)
        except (CancelledError, UsageError):
            raise
        except Exception as error:
            no_room = isinstance(error, OSError) and error.errno in NO_ROOM
            if no_room or is_full(Path(folder)):
                raise RKDeckError("base.temporary_full", folder=str(Path(folder).parent)) from error
            raise
