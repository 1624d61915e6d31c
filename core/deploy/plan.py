"""Whether a model file may go to a board, decided before anything is sent."""

from dataclasses import dataclass
from pathlib import Path

from core.base.names import printable, safe_component
from core.boards.facts import BoardFacts
from core.boards.store import check_store_path
from core.deploy.layout import blob_path, deployment_folder, partial_path
from core.fitness.checks import checks
from core.model.inspect import Inspection


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


@dataclass(frozen=True, slots=True)
class DeployPlan:
    """What will be done on the board.

    Attributes:
        name: of the deployment, a safe file name.
        folder: of its versions.
        overridden: codes of the refusals that were overridden.
    """

    name: str
    title: str
    store: str
    model: LocalModel
    inspection: Inspection
    blob: str
    partial: str
    folder: str
    overridden: tuple[str, ...]


def plan_deployment(
    inspection: Inspection,
    model: LocalModel,
    facts: BoardFacts,
    store: str,
    *,
    board: str,
    name: str | None = None,
    force: bool = False,
) -> DeployPlan:
    """Check file against board and lay out where everything goes.

    Args:
        inspection: of the file.
        model: the file.
        facts: of the board, fresh.
        store: folder for models on the board.
        board: its name, for messages.
        name: of the deployment; None: made from the title.
        force: go on where a check can be overridden.

    Raises:
        RefusedError: never overridden: `deploy.not_a_model`, `deploy.simulated_file` (a simulated file only
            goes to a simulated board), `deploy.file_too_large_for_fat`, `deploy.missing_tools`; overridden by
            force: `deploy.damaged_file`, `deploy.unknown_soc`, `deploy.wrong_platform`,
            `deploy.real_file_to_simulated_board`, `deploy.runtime_too_old`, `deploy.no_rknpu_driver`,
            `deploy.store_in_memory`.
        UsageError: `boards.bad_store`.
    """
    store = check_store_path(store)
    found = checks(
        inspection, facts, store, board=board, file_name=model.path.name, size_bytes=model.size_bytes
    )
    for check in found:
        if not (check.overridable and force):
            raise check.refusal
    chosen = safe_component(name if name is not None else model.title)
    return DeployPlan(
        name=chosen,
        title=printable(model.title),
        store=store,
        model=model,
        inspection=inspection,
        blob=blob_path(store, model.sha256),
        partial=partial_path(store, model.sha256),
        folder=deployment_folder(store, chosen),
        overridden=tuple(check.refusal.code for check in found),
    )
