"""Entering what a download brought."""

from collections.abc import Sequence
from pathlib import Path

from core.base.errors import JsonValue, RKDeckError
from core.base.left_out import LeftOut, left_out_json
from core.hub.addresses import parse_id
from core.hub.download import DownloadPlan
from core.hub.fetch import FetchedFile
from core.hub.order import DownloadOrder
from core.library.library import Library
from core.library.records import SOURCE, LibraryFile
from core.model.facts import load_local_facts, why_no_source
from core.model.files import weight_files
from core.model.parts import join_parts
from core.vendor.kinds import kind_of_name

# Told of files that are not there, which may be because they were not wanted.
_ABSENT = frozenset({"estimate.no_config", "estimate.missing_shard"})


def enter_download(
    library: Library, order: DownloadOrder, fetched: Sequence[FetchedFile], left_out: Sequence[LeftOut] = ()
) -> None:
    """Enter the converted models one by one, each with its parts, and all other files as one source.

    Args:
        library: where.
        order: what was fetched, from where.
        fetched: the files, verified.
        left_out: files of the repository that are not stored here.
    """
    folder, plan = order.folder, order.plan
    provenance: dict[str, JsonValue] = {
        "hub": parse_id(plan.repo).hub, "endpoint": order.endpoint, "repo": plan.repo, "commit": plan.commit,
        **({"left_out": left_out_json(left_out)} if left_out else {}),
    }  # fmt: skip
    converted = {file.name: file for file in fetched if kind_of_name(file.name) is not None}
    others = [
        LibraryFile(file.name, file.size_bytes, file.sha256)
        for file in fetched
        if kind_of_name(file.name) is None
    ]
    earlier = _earlier_files(library, folder, plan, {file.name for file in others})
    is_source = weight_files(file.name for file in others).is_source
    # The config.json and tokenizer beside a converted file make no source of their own.
    if is_source or earlier or (others and not converted):
        library.register(
            kind=SOURCE, title=plan.repo.rsplit("/", maxsplit=1)[-1], path=folder, repo=plan.repo,
            files=(*earlier, *others), revision=plan.commit, provenance=provenance,
        )  # fmt: skip
    for model in join_parts(converted):
        path, kind = folder / model.first, kind_of_name(model.first)
        assert kind is not None  # of a converted file
        parts = (converted[name] for name in model.paths)
        need = order.needs.get(model.first)
        library.register(
            kind=kind.name, title=Path(model.name).stem, path=path, repo=plan.repo, revision=plan.commit,
            files=tuple(LibraryFile(Path(part.name).name, part.size_bytes, part.sha256) for part in parts),
            provenance={**provenance, **(need.to_json() if need is not None else {})},
        )  # fmt: skip


def arrived_problem(folder: Path) -> RKDeckError | None:
    """Why what a download brought is no model to convert, as any other door says it; None for one, and for parts."""
    try:
        return why_no_source(load_local_facts(folder))
    except RKDeckError as error:
        # What came and cannot be read is the model's fault; what did not come may never have been wanted.
        return None if error.code in _ABSENT else error


def _earlier_files(
    library: Library, folder: Path, plan: DownloadPlan, names: set[str]
) -> tuple[LibraryFile, ...]:
    """Files of the same commit that an earlier download put there, for another choice of files."""
    item = library.find(str(folder))
    if item is None or (item.repo, item.revision) != (plan.repo, plan.commit):
        return ()
    return tuple(
        file
        for file in item.files
        if file.name not in names and kind_of_name(file.name) is None and (folder / file.name).is_file()
    )
