"""What a deployment job is to do."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from core.base.errors import JsonValue
from core.base.names import printable
from core.jobs.members import JsonObject, Members
from core.jobs.model import WorkerCommand
from core.jobs.order import JobKind, Makes, Secret


@dataclass(frozen=True, slots=True)
class DeployOrder:
    """One file to one board, in a job that goes on after an interruption where it stopped.

    No member has a default: whoever orders a deployment says all of it, so that no setting is lost on one road.

    Attributes:
        board: its name in the registry.
        file: a model file on this computer.
        name: of the deployment; None: made from the title.
        title: what people call the model; None: the library's, else the file's name without its ending.
        force: override the checks that can be.
        limit_bytes_per_s: send no faster than this; None or 0: as fast as the line.
        keep: newest versions of each deployment that stay on the board; 0: all.
        budget_bytes: for all files in the store, what is in use excepted; 0: no budget.
    """

    board: str
    file: Path
    name: str | None
    title: str | None
    force: bool
    limit_bytes_per_s: int | None
    keep: int
    budget_bytes: int

    kind: ClassVar[JobKind] = JobKind(
        name="deploy",
        worker=WorkerCommand(module="core.workers.deploy"),
        lane=None,
        resumable=True,
        secrets=Secret.BOARD_PASSWORD,
        makes=Makes.DEPLOYMENT,
    )

    job_repo: ClassVar[None] = None

    @property
    def job_title(self) -> str:
        """Which model to which board."""
        return f"{printable(self.title or self.file.name)} → {self.board}"

    @property
    def job_board(self) -> str:
        """The board."""
        return self.board

    def to_json(self) -> dict[str, JsonValue]:
        """Return the job's params."""
        return {
            "board": self.board,
            "file": str(self.file),
            "name": self.name,
            "title": self.title,
            "force": self.force,
            "limit_bytes_per_s": self.limit_bytes_per_s,
            "keep": self.keep,
            "budget_bytes": self.budget_bytes,
        }

    @classmethod
    def from_json(cls, value: JsonObject) -> Self:
        """Read a job's params.

        Raises:
            RKDeckError: `jobs.order_lacks`, `jobs.bad_order`.
        """
        members = Members(cls.kind.name, value)
        return cls(
            board=members.text("board"),
            file=members.path("file"),
            name=members.optional(members.text, "name"),
            title=members.optional(members.text, "title"),
            force=members.flag("force"),
            limit_bytes_per_s=members.optional(members.whole, "limit_bytes_per_s"),
            keep=members.whole("keep"),
            budget_bytes=members.whole("budget_bytes"),
        )
