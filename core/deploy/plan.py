"""Whether a model file may go to a board, decided before anything is sent."""

from dataclasses import dataclass
from pathlib import Path

from core.base.errors import RKDeckError
from core.base.names import printable, safe_component
from core.boards.doctor.examination import Examination
from core.boards.store import check_store_path
from core.deploy.layout import NAME, blob_path, deployment_folder, partial_path
from core.fitness.candidate import Candidate
from core.fitness.judge import Judgement, judge
from core.model.inspect import Inspection
from core.vendor.kinds import ModelKind, kind_of_format


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
        folder: of its versions.
        judgement: of the file on the board; what refuses in it was overridden.
    """

    name: str
    title: str
    store: str
    model: LocalModel
    kind: ModelKind
    inspection: Inspection
    blob: str
    partial: str
    folder: str
    judgement: Judgement

    @property
    def overridden(self) -> tuple[str, ...]:
        """Codes of the refusals that were overridden."""
        return tuple(refusal.finding.code for refusal in self.judgement.refusals)


def plan_deployment(
    candidate: Candidate,
    model: LocalModel,
    seen: Examination,
    *,
    board: str,
    name: str | None = None,
    force: bool = False,
) -> DeployPlan:
    """Judge file and board and lay out where everything goes.

    Args:
        candidate: the file, looked at.
        model: the file, to be sent.
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
    kind = kind_of_format(candidate.inspection.kind)
    assert seen.store is not None
    assert kind is not None
    store = check_store_path(seen.store.path)
    asked = name if name is not None else model.title
    # Names without a letter of ASCII would all be one, and each deployment the successor of another model.
    plain = safe_component(asked, unnamed=f"model-{model.sha256[:12]}")
    chosen = asked if name is not None and NAME.fullmatch(name) else plain
    return DeployPlan(
        name=chosen,
        title=printable(model.title),
        store=store,
        model=model,
        inspection=candidate.inspection,
        kind=kind,
        blob=blob_path(store, model.sha256, kind),
        partial=partial_path(store, model.sha256),
        folder=deployment_folder(store, chosen),
        judgement=judgement,
    )
