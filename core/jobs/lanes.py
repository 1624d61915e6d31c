"""Lanes: jobs of one lane wait for each other, first come first served, across processes.

A lane has slots, each a lock file. A waiter leaves a ticket (a locked file named by its time of creation)
and takes a slot only when no living waiter stands before it.
"""

from pathlib import Path

from core.base.locks import FileLock, lock_is_held
from core.base.names import safe_component

_SLOTS = {"download": 2, "convert": 1}
_DEFAULT_SLOTS = 1


def board_lane(board: str) -> str:
    """The lane of the jobs on a board: one at a time."""
    return f"board-{board}"


class Lane:
    """A place in one lane, for one job."""

    def __init__(self, folder: Path, name: str, job_id: str, created_unix_s: float) -> None:
        self._folder = folder / safe_component(name)
        self._slots = _SLOTS.get(name, _DEFAULT_SLOTS)
        self._ticket_file = self._folder / f"ticket-{created_unix_s:017.6f}-{job_id}"
        self._ticket: FileLock | None = None
        self._slot: FileLock | None = None

    def try_enter(self) -> bool:
        """Take a slot if it is this job's turn and one is free."""
        if self._slot is not None:
            return True
        self._folder.mkdir(exist_ok=True, mode=0o700)
        if self._ticket is None or not self._ticket_file.exists():
            self._take_ticket()
        # The ticket that is first in line may take any free slot; the others wait for their turn.
        if self._is_first():
            for number in range(self._slots):
                slot = FileLock(self._folder / f"slot-{number}")
                if slot.try_acquire():
                    self._slot = slot
                    self._drop_ticket()
                    return True
        return False

    def leave(self) -> None:
        """Free the slot and the place in line; harmless when there is none."""
        self._drop_ticket()
        if self._slot is not None:
            self._slot.release()
            self._slot = None

    def _take_ticket(self) -> None:
        """Appear in the line with the lock already held: a ticket without it is a dead waiter's to others."""
        if self._ticket is not None:
            self._ticket.release()
        hidden = self._folder / f".{self._ticket_file.name}"
        self._ticket = FileLock(hidden)
        self._ticket.acquire(timeout_s=5)
        hidden.replace(self._ticket_file)

    def _is_first(self) -> bool:
        for path in sorted(self._folder.glob("ticket-*")):
            if path == self._ticket_file:
                return True
            if lock_is_held(path):
                return False
            path.unlink(missing_ok=True)
        return True

    def _drop_ticket(self) -> None:
        if self._ticket is not None:
            self._ticket_file.unlink(missing_ok=True)
            self._ticket.release()
            self._ticket = None
