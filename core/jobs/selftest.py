"""The order of `rkdeck selftest`: prove that a worker process starts and answers."""

from dataclasses import dataclass
from typing import ClassVar, Self

from core.base.errors import JsonValue
from core.jobs.members import JsonObject
from core.jobs.model import WorkerCommand
from core.jobs.order import JobKind


@dataclass(frozen=True, slots=True)
class SelftestOrder:
    """Nothing to be said: answer."""

    kind: ClassVar[JobKind] = JobKind(
        name="selftest",
        worker=WorkerCommand(module="core.workers.selftest"),
        lane="selftest",
    )
    job_title: ClassVar[str] = "self-test"
    job_board: ClassVar[None] = None
    job_repo: ClassVar[None] = None

    def to_json(self) -> dict[str, JsonValue]:
        """Return the job's params."""
        return {}

    @classmethod
    def from_json(cls, value: JsonObject) -> Self:
        """Read a job's params: there is nothing to read."""
        del value
        return cls()
