"""What the job "from the Hub onto a board" is to do: a download, then a deployment of what it brought."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from core.base.errors import JsonValue
from core.deploy.order import DeployOrder
from core.hub.order import DownloadOrder
from core.jobs.members import JsonObject, Members
from core.jobs.model import WorkerCommand
from core.jobs.order import JobKind, Makes, Secret
from core.model.parts import siblings_of

# A `run` job of RKDeck 0.1.0 knew no more of its deployment than board, title and force, and so it was done: under the
# name made from the title, as fast as the line, with every older version kept. Its orders are read as what they meant.
_FIRST_FORM: dict[str, JsonValue] = {"name": None, "limit_bytes_per_s": None, "keep": 0, "budget_bytes": 0}


@dataclass(frozen=True, slots=True)
class RunOrder:
    """One ready-made file from the Hub to a board; both orders whole, so that neither loses a setting.

    Attributes:
        download: of exactly one model: a file, or all its parts.
        deploy: of the file, or the first part, where the download puts it.
        serve: start serving it afterwards.
    """

    download: DownloadOrder
    deploy: DeployOrder
    serve: bool

    kind: ClassVar[JobKind] = JobKind(
        name="run",
        worker=WorkerCommand(module="core.workers.run"),
        lane=None,
        resumable=True,
        secrets=Secret.HUB_TOKEN | Secret.BOARD_PASSWORD,
        makes=Makes.LIBRARY_ITEM | Makes.DEPLOYMENT,
    )

    @property
    def job_title(self) -> str:
        """Which model to which board."""
        return self.deploy.job_title

    @property
    def job_board(self) -> str:
        """The board."""
        return self.deploy.board

    @property
    def job_repo(self) -> str:
        """The repository."""
        return self.download.job_repo

    def to_json(self) -> dict[str, JsonValue]:
        """Return the job's params: those of both orders side by side (they share no name), and `serve`."""
        return {**self.download.to_json(), **self.deploy.to_json(), "serve": self.serve}

    @classmethod
    def from_json(cls, value: JsonObject) -> Self:
        """Read a job's params.

        Raises:
            RKDeckError: `jobs.order_lacks`, `jobs.bad_order`.
        """
        members = Members(cls.kind.name, value)
        download = DownloadOrder.from_json(value)
        paths = sorted(file.path for file in download.plan.files)
        if not paths or paths != list(siblings_of(paths[0])):
            raise members.refuse("files")
        fetched = arriving(download)
        # The first form named no file, as it follows from the download.
        deploying = value if "file" in members else {**value, **_FIRST_FORM, "file": str(fetched)}
        deploy = DeployOrder.from_json(deploying)
        if deploy.file != fetched:
            raise members.refuse("file")
        return cls(download, deploy, members.flag("serve"))


def arriving(download: DownloadOrder) -> Path:
    """Where the one file of a download will lie, of a model in parts the first."""
    return download.place(min(file.path for file in download.plan.files))
