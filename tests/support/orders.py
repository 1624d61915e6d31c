"""Orders for the tests: a kind of job made up on the spot, and the real ones with the usual values filled in."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from core.base.errors import JsonValue
from core.boards.records import Board
from core.convert.plan import plan_conversion
from core.convert.recipe import Recipe
from core.convert.records import Toolkit
from core.deploy.order import DeployOrder
from core.hub.download import DownloadPlan, Patience, library_place
from core.hub.order import DownloadOrder
from core.jobs.manager import JobHandle, JobManager
from core.jobs.model import DEFAULT_GRACE_S, WorkerCommand
from core.jobs.order import JobKind, JobOrder, JobSecrets


@dataclass(frozen=True)
class MadeUpOrder:
    """Whatever a test's worker is told; its class is made by `made_up`."""

    params: dict[str, JsonValue]
    job_title: str = "made up"

    kind: ClassVar[JobKind]
    job_board: ClassVar[None] = None
    job_repo: ClassVar[None] = None

    def to_json(self) -> dict[str, JsonValue]:
        return self.params

    @classmethod
    def from_json(cls, value: Mapping[str, JsonValue]) -> Self:
        return cls(dict(value))


def made_up(
    worker: WorkerCommand,
    params: Mapping[str, JsonValue],
    *,
    name: str = "test",
    title: str = "made up",
    lane: str = "test",
    resumable: bool = False,
    survives_front_end: bool = False,
    grace_s: float = DEFAULT_GRACE_S,
) -> JobOrder:
    """An order of a kind that no table knows."""

    class Order(MadeUpOrder):
        kind = JobKind(
            name,
            worker,
            lane,
            resumable=resumable,
            survives_front_end=survives_front_end,
            grace_s=grace_s,
        )

    return Order(dict(params), title)


def start_download(
    jobs: JobManager,
    endpoint: str,
    plan: DownloadPlan,
    *,
    library_folder: Path,
    to: Path | None = None,
    token: str | None = None,
    patience: Patience | None = None,
) -> JobHandle:
    """Start a download without a whole house around it."""
    folder = to or library_place(library_folder, plan)
    order = DownloadOrder(endpoint, plan, folder, patience or Patience())
    return jobs.submit(order, JobSecrets(hub_token=token))


def start_deploy(
    jobs: JobManager,
    board: Board,
    file: Path,
    *,
    name: str | None = None,
    title: str | None = None,
    force: bool = False,
    secret: str | None = None,
    limit_bytes_per_s: int | None = None,
    keep: int = 0,
    budget_bytes: int = 0,
) -> JobHandle:
    """Start a deployment without a whole house around it."""
    order = DeployOrder(board.name, file, name, title, force, limit_bytes_per_s, keep, budget_bytes)
    return jobs.submit(order, JobSecrets(board_password=secret))


def start_conversion(
    jobs: JobManager,
    folder: Path,
    recipe: Recipe,
    toolkit: Toolkit,
    *,
    library_folder: Path,
    output: Path | None = None,
    force: bool = False,
) -> JobHandle:
    """Start a conversion without a whole house around it."""
    return jobs.submit(
        plan_conversion(folder, recipe, toolkit, library_folder=library_folder, output=output, force=force)
    )
