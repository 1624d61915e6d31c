"""The models on this computer as a front end uses them."""

from pathlib import Path
from typing import TYPE_CHECKING

from core.base.errors import JsonValue, RefusedError, RKDeckError
from core.base.trouble import reason_of
from core.library.records import LibraryFile, LibraryItem
from core.model.facts import ModelFacts, load_local_facts, why_no_source
from core.services import Services
from core.usecases.hub import ModelReport
from core.vendor.kinds import kind_of_format

if TYPE_CHECKING:
    from core.model.inspect import Inspection


def list_items(services: Services) -> tuple[LibraryItem, ...]:
    """All items, the newest first."""
    return tuple(services.library.list())


def add_path(services: Services, path: Path) -> LibraryItem:
    """Enter a model folder or a file that a board runs where it lies (a file is read whole, for its digest).

    Raises:
        RefusedError: `library.not_a_model`, `convert.not_a_model`, `names.unsafe_path`, and as
            `core.library.library.Library.add_source_folder`.
        RKDeckError: `convert.unreadable`.
    """
    path = path.absolute()
    if path.is_dir():
        return services.library.add_source_folder(path)
    from core.base.digest import sha256_of
    from core.model.inspect import inspect_file

    inspection = inspect_file(path)
    kind = kind_of_format(inspection.kind)
    if kind is None or not inspection.is_model:
        raise RefusedError("convert.not_a_model", file=path.name, kind=inspection.kind)
    file = LibraryFile(path.name, path.stat().st_size, sha256_of(path))
    provenance: dict[str, JsonValue] = {"added_from": str(path), "inspection": inspection.to_json()}
    return services.library.register(
        kind=kind.name, title=path.stem, path=path, files=(file,), provenance=provenance
    )


def remove_item(services: Services, item_id: str) -> LibraryItem:
    """Forget an item; its files are deleted only when they are in the library's own folder.

    Raises:
        UsageError: `library.unknown`.
        RKDeckError: `library.cannot_delete`; the item is then still listed.
    """
    item = services.library.remove(item_id)
    services.analyses.forget(item.id)
    return item


def verify_item(services: Services, item_id: str) -> tuple[RKDeckError, ...]:
    """Compare an item's files with what they were; returns what is wrong.

    Raises:
        UsageError: `library.unknown`.
    """
    return services.library.verify(item_id)


def item_report(services: Services, item_id: str) -> ModelReport:
    """Look at a source model on this computer; what is wrong with it is the report's `problem`.

    Raises:
        UsageError: `library.unknown`.
    """
    item = services.library.get(item_id)
    facts: ModelFacts | None = None
    problem: RKDeckError | None = None
    try:
        facts = local_facts(item.path)
        problem = why_no_source(facts)
    except RKDeckError as error:
        problem = error
    return ModelReport(item.repo, None, item, facts, problem, None, ())


def inspect_item(services: Services, item_id: str) -> "Inspection":
    """What a .rkllm file of the library is, from its bytes now.

    Raises:
        UsageError: `library.unknown`.
        RKDeckError: `convert.unreadable`.
    """
    from core.model.inspect import inspect_file

    return inspect_file(services.library.get(item_id).path)


def local_facts(folder: Path) -> ModelFacts:
    """Facts of a model folder, with folders that cannot be read told as errors too.

    Raises:
        RKDeckError: as `core.model.facts.load_local_facts`.
    """
    try:
        return load_local_facts(folder)
    except OSError as error:
        raise RKDeckError("estimate.unreadable", file=str(folder), problem=reason_of(error)) from error
