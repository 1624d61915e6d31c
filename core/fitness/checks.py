"""What refuses a file on a board, before anything is sent; pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from core.base.errors import RefusedError
from core.base.names import printable
from core.boards.facts import BoardFacts
from core.fitness.runtime import match_runtime
from core.model.inspect import Inspection

_FAT = frozenset({"vfat", "msdos"})
_FAT_LIMIT_BYTES = (4 << 30) - 1
_MEMORY = frozenset({"tmpfs", "ramfs"})


@dataclass(frozen=True, slots=True)
class Check:
    """One check that says no, and whether force goes on past it."""

    refusal: RefusedError
    overridable: bool


def checks(
    inspection: Inspection, facts: BoardFacts, store: str, *, board: str, file_name: str, size_bytes: int
) -> tuple[Check, ...]:
    """Every check that says no to a file on a board, those that force cannot override first.

    Pure, so that a front end can ask while a file hovers; `facts` are then those of the last visit.

    Args:
        inspection: of the file.
        facts: of the board.
        store: folder for models on the board.
        board: its name, for messages.
        file_name: of the file, for messages.
        size_bytes: of the file.
    """
    shown = printable(file_name)
    final = _final(inspection, facts, store, board, shown, size_bytes)
    rest = _overridable(inspection, facts, store, board, shown)
    return (*(Check(error, False) for error in final), *(Check(error, True) for error in rest))


def not_a_model(inspection: Inspection, file_name: str) -> RefusedError | None:
    """The check that needs no board: whether the file is a model for one at all."""
    if inspection.kind in {"rkllm", "rkllm-simulated"}:
        return None
    return RefusedError("deploy.not_a_model", file=printable(file_name), kind=inspection.kind)


def _final(
    inspection: Inspection, facts: BoardFacts, store: str, board: str, shown: str, size_bytes: int
) -> Iterator[RefusedError]:
    refusal = not_a_model(inspection, shown)
    if refusal is not None:
        yield refusal
    if inspection.simulated and not facts.simulated:
        yield RefusedError("deploy.simulated_file", file=shown, board=board, model=facts.title)
    if facts.missing_tools:
        yield RefusedError("deploy.missing_tools", board=board, tools=", ".join(facts.missing_tools))
    mount = facts.mount_of(store)
    if mount is not None and mount.filesystem in _FAT and size_bytes > _FAT_LIMIT_BYTES:
        yield RefusedError("deploy.file_too_large_for_fat", file=shown, board=board, store=store)


def _overridable(
    inspection: Inspection, facts: BoardFacts, store: str, board: str, shown: str
) -> Iterator[RefusedError]:
    if inspection.problems:
        yield RefusedError("deploy.damaged_file", file=shown, problems=", ".join(inspection.problems))
    if facts.simulated and not inspection.simulated:
        yield RefusedError("deploy.real_file_to_simulated_board", file=shown, board=board)
    platform = inspection.platform
    if facts.soc is None:
        yield RefusedError(
            "deploy.unknown_soc",
            board=board,
            model=facts.title,
            compatibles=", ".join(facts.compatibles) or "nothing",
            platform=platform,
        )
    elif platform is not None and platform.lower() != facts.soc:
        yield RefusedError("deploy.wrong_platform", file=shown, platform=platform, board=board, soc=facts.soc)
    match = match_runtime(facts, inspection.toolkit_version, simulated=inspection.simulated)
    if match.match == "too_old":
        yield RefusedError(
            "deploy.runtime_too_old",
            file=shown, board=board, toolkit=match.toolkit_version, runtime=match.runtime_version,
        )  # fmt: skip
    if facts.npu_driver == "rocket":
        yield RefusedError("deploy.no_rknpu_driver", board=board, kernel=facts.kernel)
    mount = facts.mount_of(store)
    if mount is not None and mount.filesystem in _MEMORY:
        yield RefusedError("deploy.store_in_memory", board=board, store=store)
