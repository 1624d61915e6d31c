"""Whether a model file may go to a board, decided before anything is sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.base.errors import RKDeckError
from core.base.names import printable, safe_component
from core.boards.doctor.examination import Examination
from core.boards.store import check_store_path
from core.deploy.layout import NAME, DeployedFile, blob_path, deployment_folder, partial_path
from core.fitness.candidate import Candidate
from core.fitness.judge import Judgement, judge
from core.model.inspect import Inspection
from core.model.parts import part_names
from core.vendor.kinds import ModelKind

# Of a deployment's name in those of its parts: a manifest names them all, and is at most 16 KiB.
_STEM = 40


@dataclass(frozen=True, slots=True)
class LocalModel:
    """The file to send.

    Attributes:
        sha256: hexadecimal.
        title: what people call it; any text.
    """

    path: Path
    sha256: str
    size_bytes: int
    title: str


def renaming(asked: str | None, name: str) -> RKDeckError | None:
    """What has to be told when a deployment is not called as was asked for: two such names may become one."""
    if asked is None or asked == name:
        return None
    return RKDeckError("deploy.renamed", asked=printable(asked), name=name)


@dataclass(frozen=True, slots=True)
class DeployPlan:
    """What will be done on the board.

    Attributes:
        name: of the deployment, a safe file name.
        files: to send, of a model in parts all of them in order.
        folder: of its versions.
        judgement: of the file on the board; what refuses in it was overridden.
    """

    name: str
    title: str
    store: str
    files: tuple[LocalModel, ...]
    kind: ModelKind
    inspection: Inspection
    folder: str
    judgement: Judgement

    @property
    def model(self) -> LocalModel:
        """The file, of a model in parts the first."""
        return self.files[0]

    @property
    def size_bytes(self) -> int:
        """Of all files together."""
        return sum(file.size_bytes for file in self.files)

    @property
    def blob(self) -> str:
        """Where the file will lie."""
        return self.blob_of(self.model)

    @property
    def parts(self) -> tuple[DeployedFile, ...]:
        """Of a model in several files, each under the name that a runtime finds it by; empty for one file."""
        if len(self.files) == 1:
            return ()
        names = part_names(f"{self.name[:_STEM]}{self.kind.ending}", len(self.files))
        return tuple(
            DeployedFile(name, file.sha256, file.size_bytes)
            for name, file in zip(names, self.files, strict=True)
        )

    def blob_of(self, file: LocalModel) -> str:
        """Where one of the files will lie."""
        return blob_path(self.store, file.sha256, self.kind)

    def partial_of(self, file: LocalModel) -> str:
        """Where it arrives."""
        return partial_path(self.store, file.sha256)

    @property
    def overridden(self) -> tuple[str, ...]:
        """Codes of the refusals that were overridden."""
        return tuple(refusal.finding.code for refusal in self.judgement.refusals)


def plan_deployment(
    candidate: Candidate,
    files: Sequence[LocalModel],
    seen: Examination,
    *,
    board: str,
    name: str | None = None,
    force: bool = False,
) -> DeployPlan:
    """Judge file and board and lay out where everything goes.

    Args:
        candidate: the file, looked at.
        files: to be sent, of a model in parts all of them in order.
        seen: the board, fresh.
        board: its name, for messages.
        name: of the deployment; None: made from the title.
        force: go on where a finding can be overridden.

    Raises:
        RefusedError: what `core.fitness.judge` finds that says no, by the finding's code: `deploy.wrong_platform`,
            `doctor.model_no_library`, `doctor.store_none`, ...
        UsageError: `boards.bad_store`.
    """
    judgement = judge(candidate, seen, board=board)
    refused = judgement.refused(force=force)
    if refused is not None:
        raise refused
    # Else it was refused, whatever the force.
    kind = candidate.kind
    assert seen.store is not None
    assert kind is not None
    store = check_store_path(seen.store.path)
    asked = name if name is not None else files[0].title
    # Names without a letter of ASCII would all be one, and each deployment the successor of another model.
    plain = safe_component(asked, unnamed=f"model-{files[0].sha256[:12]}")
    chosen = asked if name is not None and NAME.fullmatch(name) else plain
    return DeployPlan(
        name=chosen,
        title=printable(files[0].title),
        store=store,
        files=tuple(files),
        inspection=candidate.inspection,
        kind=kind,
        folder=deployment_folder(store, chosen),
        judgement=judgement,
    )
