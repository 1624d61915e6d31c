"""What an analysis job is to do."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from core.base.errors import JsonValue
from core.jobs.members import JsonObject, Members
from core.jobs.model import WorkerCommand
from core.jobs.order import JobKind


@dataclass(frozen=True, slots=True)
class AnalyzeOrder:
    """One analysis of weights; it goes on without the front end, and behind the last tensor after a cut.

    Attributes:
        source: the model's folder.
        key: under which the analysis is kept (`core.lab.store.item_key`, `folder_key`).
        title: of the model, for people.
    """

    source: Path
    key: str
    title: str

    kind: ClassVar[JobKind] = JobKind(
        name="analyze",
        worker=WorkerCommand(module="core.workers.analyze"),
        lane="analyze",
        resumable=True,
        survives_front_end=True,
    )
    job_board: ClassVar[None] = None
    job_repo: ClassVar[None] = None

    @property
    def job_title(self) -> str:
        """The model."""
        return self.title

    def to_json(self) -> dict[str, JsonValue]:
        """Return the job's params."""
        return {"source": str(self.source), "key": self.key, "title": self.title}

    @classmethod
    def from_json(cls, value: JsonObject) -> Self:
        """Read a job's params.

        Raises:
            RKDeckError: `jobs.order_lacks`, `jobs.bad_order`.
        """
        members = Members(cls.kind.name, value)
        return cls(members.path("source"), members.text("key"), members.text("title"))
