"""What a download job is to do."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import ClassVar, Self

from core.base.errors import JsonValue
from core.base.left_out import LeftOut
from core.hub.download import DownloadPlan, Patience, library_place
from core.hub.records import RepoFile
from core.jobs.members import JsonObject, Members
from core.jobs.model import WorkerCommand
from core.jobs.order import JobKind, Makes, Secret
from core.model.need import ServedNeed

_MAX_TIMEOUT_S = 86_400.0
_MAX_TRIES = 1_000_000


@dataclass(frozen=True, slots=True)
class DownloadOrder:
    """One download; it stops with the front end and is resumed later.

    Attributes:
        endpoint: base URL of the Hub.
        plan: which files of which commit.
        folder: where they go.
        patience: with a bad line.
        needs: what ready-made files of the plan will need on a board, by their paths, as far as it was found out.
    """

    endpoint: str
    plan: DownloadPlan
    folder: Path
    patience: Patience = Patience()  # noqa: RUF009  # frozen
    needs: Mapping[str, ServedNeed] = field(default_factory=dict)

    kind: ClassVar[JobKind] = JobKind(
        name="download",
        worker=WorkerCommand(module="core.workers.download"),
        lane="download",
        resumable=True,
        secrets=Secret.HUB_TOKEN,
        makes=Makes.LIBRARY_ITEM,
    )
    job_board: ClassVar[None] = None

    @property
    def job_title(self) -> str:
        """The repository."""
        return self.plan.repo

    @property
    def job_repo(self) -> str:
        """The repository, whose id names its hub."""
        return self.plan.repo

    def place(self, name: str) -> Path:
        """Where a file of the plan will lie."""
        return self.folder / name

    def to_json(self) -> dict[str, JsonValue]:
        """Return the job's params."""
        files: list[JsonValue] = [
            {
                "path": file.path, "size_bytes": file.size_bytes, "blob_id": file.blob_id, "sha256": file.sha256,
                **({"need": self.needs[file.path].to_json()} if file.path in self.needs else {}),
            }
            for file in self.plan.files
        ]  # fmt: skip
        return {
            "endpoint": self.endpoint, "repo": self.plan.repo, "commit": self.plan.commit,
            "folder": str(self.folder), "files": files, "patience": asdict(self.patience),
            "left_out": [item.to_json() for item in self.plan.left_out],
        }  # fmt: skip

    @classmethod
    def from_json(cls, value: JsonObject) -> Self:
        """Read a job's params.

        Raises:
            RKDeckError: `jobs.order_lacks`, `jobs.bad_order`.
        """
        members = Members(cls.kind.name, value)
        # The first orders left nothing out: they were refused.
        left_out = members.rows("left_out") if "left_out" in members else ()
        plan = DownloadPlan(
            members.text("repo"), members.text("commit"), tuple(_file(row) for row in members.rows("files")),
            tuple(LeftOut(row.text("path"), row.text("why")) for row in left_out),
        )  # fmt: skip
        if not plan.files:
            raise members.refuse("files")
        # The first orders said nothing of patience: there was only the usual one.
        patience = _patience(members.inner("patience")) if "patience" in members else Patience()
        needs = {
            row.text("path"): need
            for row in members.rows("files")
            if "need" in row and (need := ServedNeed.ordered(row.inner("need"))) is not None
        }
        return cls(members.text("endpoint"), plan, members.path("folder"), patience, needs)


def library_download(library_folder: Path, endpoint: str, plan: DownloadPlan) -> DownloadOrder:
    """The order for a download into the library's own folder."""
    return DownloadOrder(endpoint, plan, library_place(library_folder, plan))


def _patience(members: Members) -> Patience:
    return Patience(
        stall_timeout_s=members.number("stall_timeout_s", maximum=_MAX_TIMEOUT_S),
        first_pause_s=members.number("first_pause_s", maximum=_MAX_TIMEOUT_S),
        tries=members.whole("tries", 1, _MAX_TRIES),
    )


def _file(row: Members) -> RepoFile:
    return RepoFile(
        row.text("path"),
        row.whole("size_bytes"),
        row.optional(row.text, "blob_id"),
        row.optional(row.text, "sha256"),
    )
