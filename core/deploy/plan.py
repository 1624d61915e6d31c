"""Whether a model file may go to a board, decided before anything is sent."""

from dataclasses import dataclass
from pathlib import Path

from core.base.errors import RefusedError
from core.base.names import printable, safe_component
from core.boards.facts import BoardFacts
from core.boards.store import check_store_path
from core.convert.inspect import Inspection
from core.deploy.layout import blob_path, deployment_folder, partial_path

_FAT = frozenset({"vfat", "msdos"})
_FAT_LIMIT_BYTES = (4 << 30) - 1
_MEMORY = frozenset({"tmpfs", "ramfs"})


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
            `deploy.real_file_to_simulated_board`, `deploy.no_rknpu_driver`, `deploy.store_in_memory`.
        UsageError: `boards.bad_store`.
    """
    store = check_store_path(store)
    shown = printable(model.path.name)
    final = _final_refusal(inspection, model, facts, store, board, shown)
    if final is not None:
        raise final
    refusals = _refusals(inspection, facts, store, board, shown)
    if refusals and not force:
        raise refusals[0]
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
        overridden=tuple(error.code for error in refusals),
    )


@dataclass(frozen=True, slots=True)
class Check:
    """What a plan would run into: the first refusal, and whether force goes on past it."""

    refusal: RefusedError
    overridable: bool


def check_file(
    inspection: Inspection, model: LocalModel, facts: BoardFacts, store: str | None, *, board: str
) -> Check | None:
    """The first reason why a plan of this file for this board would be refused; None when there is none.

    Pure: `facts` may be of an earlier visit, and the model's digest is not looked at.
    """
    if store is None:
        return Check(RefusedError("deploy.no_store", board=board), overridable=False)
    shown = printable(model.path.name)
    final = _final_refusal(inspection, model, facts, store, board, shown)
    if final is not None:
        return Check(final, overridable=False)
    refusals = _refusals(inspection, facts, store, board, shown)
    return Check(refusals[0], overridable=True) if refusals else None


def _final_refusal(
    inspection: Inspection, model: LocalModel, facts: BoardFacts, store: str, board: str, shown: str
) -> RefusedError | None:
    if inspection.kind not in {"rkllm", "rkllm-simulated"}:
        return RefusedError("deploy.not_a_model", file=shown, kind=inspection.kind)
    if inspection.simulated and not facts.simulated:
        return RefusedError("deploy.simulated_file", file=shown, board=board, model=facts.title)
    if facts.missing_tools:
        return RefusedError("deploy.missing_tools", board=board, tools=", ".join(facts.missing_tools))
    mount = facts.mount_of(store)
    if mount is not None and mount.filesystem in _FAT and model.size_bytes > _FAT_LIMIT_BYTES:
        return RefusedError("deploy.file_too_large_for_fat", file=shown, board=board, store=store)
    return None


def _refusals(
    inspection: Inspection, facts: BoardFacts, store: str, board: str, shown: str
) -> list[RefusedError]:
    found = []
    if inspection.problems:
        problems = ", ".join(inspection.problems)
        found.append(RefusedError("deploy.damaged_file", file=shown, problems=problems))
    if facts.simulated and not inspection.simulated:
        found.append(RefusedError("deploy.real_file_to_simulated_board", file=shown, board=board))
    if facts.soc is None:
        found.append(
            RefusedError(
                "deploy.unknown_soc",
                board=board,
                model=facts.title,
                compatibles=", ".join(facts.compatibles) or "nothing",
                platform=inspection.platform,
            )
        )
    elif inspection.platform is not None and inspection.platform.lower() != facts.soc:
        found.append(
            RefusedError(
                "deploy.wrong_platform",
                file=shown,
                platform=inspection.platform,
                board=board,
                soc=facts.soc,
            )
        )
    if facts.npu_driver == "rocket":
        found.append(RefusedError("deploy.no_rknpu_driver", board=board, kernel=facts.kernel))
    mount = facts.mount_of(store)
    if mount is not None and mount.filesystem in _MEMORY:
        found.append(RefusedError("deploy.store_in_memory", board=board, store=store))
    return found
