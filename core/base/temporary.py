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
        RKDeckError: `base.temporary_full` as `blaming_full_disk`.
        OSError: as the system says, when no such folder can be made (`base.no_temporary_folder`).
    """
    with tempfile.TemporaryDirectory(prefix=f"rkdeck-{purpose}-") as folder:
        place = Path(folder)
        with blaming_full_disk(place, RKDeckError("base.temporary_full", folder=str(place.parent))):
            yield place


@contextlib.contextmanager
def blaming_full_disk(place: Path, instead: RKDeckError) -> Iterator[None]:
    """What fails while the disk under `place` is full failed for that; a foreign program cannot say so itself.

    Raises:
        RKDeckError: `instead`, in place of whatever failed; a user's will (cancelled, wrong use) stays what it is.
    """
    try:
        yield
    except (CancelledError, UsageError):
        raise
    except Exception as error:
        if (isinstance(error, OSError) and error.errno in NO_ROOM) or is_full(place):
            raise instead from error
        raise
