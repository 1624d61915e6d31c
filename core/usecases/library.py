"""The models on this computer as a front end uses them."""

from pathlib import Path
from typing import TYPE_CHECKING

from core.base.errors import JsonValue, RefusedError, RKDeckError
from core.base.names import printable
from core.base.trouble import reason_of
from core.library.records import LibraryFile, LibraryItem
from core.model.facts import ModelFacts, load_local_facts, why_no_source
from core.model.parts import title_of
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

    A part of a model stands for all of it: one item with all parts.

    Raises:
        RefusedError: `library.not_a_model`, `convert.not_a_model`, `deploy.damaged_file`, `names.unsafe_path`,
            `deploy.not_a_file`, as
            `core.fitness.gguf_rules.check_whole`, and as `core.library.library.Library.add_source_folder`.
        RKDeckError: `convert.unreadable`.
    """
    path = path.absolute()
    if path.is_dir():
        return services.library.add_source_folder(path)
    from core.base.digest import sha256_of
    from core.fitness.candidate import look_at
    from core.fitness.gguf_rules import check_whole

    found = look_at(services.library, path)
    kind = kind_of_format(found.inspection.kind)
    for file in found.files:
        of = kind_of_format(file.inspection.kind)
        if of is None or of is not kind:
            raise RefusedError("convert.not_a_model", file=printable(file.name), kind=file.inspection.kind)
        if file.inspection.problems:
            problems = ", ".join(file.inspection.problems)
            raise RefusedError("deploy.damaged_file", file=printable(file.name), problems=problems)
    assert kind is not None
    check_whole(found)
    files = [
        LibraryFile(file.name, file.inspection.size_bytes, sha256_of(path.with_name(file.name)))
        for file in found.files
    ]
    provenance: dict[str, JsonValue] = {"added_from": str(path), "inspection": found.inspection.to_json()}
    return services.library.register(
        kind=kind.name, title=title_of(path.name), path=path.with_name(found.name), files=files,
        provenance=provenance,
    )  # fmt: skip


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
    """What a model file of the library is, from its bytes now; of one in parts the first.

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
