"""What a kind of job is, and what one job is to do: the typed side of a job folder's `spec.json`.

Every stage has its order: a frozen record whose `to_json` is the job's params, and whose `from_json` reads them
back in the worker, in another process, maybe months and a version later. What a kind needs and makes is said once,
in the order's `kind`; `core.plans.kinds` lists all of them. `core.jobs.store` draws the folder.
"""

import json
from dataclasses import dataclass, field
from enum import Flag, auto
from typing import ClassVar, Protocol, Self, TypeVar

from core.base.errors import JsonValue, RKDeckError
from core.base.foreign import read_json
from core.jobs.lanes import board_lane
from core.jobs.members import JsonObject
from core.jobs.model import DEFAULT_GRACE_S, JobSpec, WorkerCommand


class Secret(Flag):
    """What a worker must be told that is written down nowhere."""

    HUB_TOKEN = auto()
    BOARD_PASSWORD = auto()


class Makes(Flag):
    """What a job leaves behind when it succeeds, for whoever lists such things."""

    LIBRARY_ITEM = auto()
    DEPLOYMENT = auto()


NO_SECRET = Secret(0)
MAKES_NOTHING = Makes(0)


@dataclass(frozen=True, slots=True)
class JobKind:
    """A kind of job.

    Attributes:
        name: as `spec.json` and `rkdeck jobs` say it.
        worker: the program that does it.
        lane: jobs of one lane wait for each other; None: the lane of the order's board.
        resumable: whether a new run continues the old one's work; else it starts from the beginning.
        survives_front_end: whether it goes on when the program that asked for it ends.
        secrets: what its worker is told on standard input.
        makes: what it leaves behind.
        grace_s: seconds between SIGTERM and SIGKILL.
    """

    name: str
    worker: WorkerCommand
    lane: str | None
    resumable: bool = False
    survives_front_end: bool = False
    secrets: Secret = NO_SECRET
    makes: Makes = MAKES_NOTHING
    grace_s: float = DEFAULT_GRACE_S


class JobOrder(Protocol):
    """What one job is to do; a frozen record.

    Attributes:
        kind: of the job.
    """

    kind: ClassVar[JobKind]

    @property
    def job_title(self) -> str:
        """What the job is about, without the words of any language."""
        ...

    @property
    def job_board(self) -> str | None:
        """The board it works on."""
        ...

    @property
    def job_repo(self) -> str | None:
        """The model id whose hub it asks, with that hub's token."""
        ...

    def to_json(self) -> dict[str, JsonValue]:
        """Return the job's params."""
        ...

    @classmethod
    def from_json(cls, value: JsonObject) -> Self:
        """Read a job's params.

        Raises:
            RKDeckError: `jobs.order_lacks`, `jobs.bad_order`.
        """
        ...


Order = TypeVar("Order", bound=JobOrder)


def order_in(spec: JobSpec, wanted: type[Order]) -> Order | None:
    """Return a job's order when it is of that kind; None for other kinds, and for one that cannot be read.

    For lists that look for the jobs about something: an unreadable job is about nothing they could name, and
    whoever runs it again hears why it cannot be read.
    """
    if spec.kind != wanted.kind.name:
        return None
    try:
        return wanted.from_json(spec.params)
    except RKDeckError:
        return None


def lane_of(order: JobOrder) -> str:
    """The lane in which a job waits for its turn."""
    board = order.job_board
    if order.kind.lane is not None:
        return order.kind.lane
    assert board is not None, "a kind without a lane of its own works on a board"
    return board_lane(board)


@dataclass(frozen=True, slots=True)
class JobSecrets:
    """What a worker is told on its standard input, in one line that is written down nowhere.

    Attributes:
        hub_token: of the Hub, None without one.
        board_password: of the board (or its key's passphrase), None when the system's keyring has it, or nobody.
    """

    hub_token: str | None = field(default=None, repr=False)
    board_password: str | None = field(default=None, repr=False)

    def to_line(self) -> str:
        """Return the line, empty when there is nothing to tell."""
        told = {"hub_token": self.hub_token, "board_password": self.board_password}
        return json.dumps(told) if any(told.values()) else ""


def secrets_from_line(line: str) -> JobSecrets:
    """Read what `JobSecrets.to_line` wrote.

    Raises:
        RKDeckError: `jobs.bad_secrets`, which repeats nothing of it.
    """
    if not line:
        return JobSecrets()
    value = read_json(line)
    try:
        assert isinstance(value, dict)
        hub_token, board_password = value["hub_token"], value["board_password"]
        assert hub_token is None or isinstance(hub_token, str)
        assert board_password is None or isinstance(board_password, str)
    except (AssertionError, KeyError):
        # Without the cause: its text quotes the line.
        raise RKDeckError("jobs.bad_secrets") from None
    return JobSecrets(hub_token or None, board_password or None)
