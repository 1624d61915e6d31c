"""Which old versions and files a store can do without, and removing them."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from core.base.errors import RKDeckError
from core.base.foreign import MAX_BYTES, digits
from core.deploy import scripts
from core.deploy.deployments import list_versions
from core.deploy.layout import Deployment, blob_endings, partial_path
from core.deploy.records import Blob, Part, Pruning
from core.remote.scripts import rows
from core.remote.session import SshSession
from core.transfer.discard import discard_part

_PART = re.compile(r"([0-9a-f]{64})\.partial")
_BLOB = re.compile(rf"(([0-9a-f]{{64}})(?:{'|'.join(map(re.escape, blob_endings()))}))(\.gone\.[0-9]+)?")
_TIMEOUT_S = 120.0


def plan_pruning(
    versions: Sequence[Deployment], blobs: Iterable[Blob], keep: int, budget_bytes: int = 0
) -> Pruning:
    """Choose what goes: first what is beyond `keep`, then the oldest until the rest is within the budget.

    Args:
        versions: all of a store.
        blobs: all of a store.
        keep: newest versions of each deployment that stay, the one in use counted in; 0: all.
        budget_bytes: for all files together; 0: no budget. What is in use stays whatever it costs.
    """
    sizes = {blob.name: blob for blob in blobs}
    by_name: dict[str, list[Deployment]] = defaultdict(list)
    for version in versions:
        by_name[version.name].append(version)
    gone = [old for entries in by_name.values() for old in _beyond(entries, keep)]
    kept = [version for version in versions if version not in gone]
    if budget_bytes:
        for version in sorted(kept, key=_age):
            if _size(kept, sizes.values()) <= budget_bytes:
                break
            if not version.current:
                kept.remove(version)
                gone.append(version)
    needed = {digest for version in kept for digest in version.digests}
    losing = {digest for version in gone for digest in version.digests}
    free = tuple(
        blob
        for blob in sizes.values()
        if blob.sha256 not in needed and (blob.settled or blob.sha256 in losing)
    )
    freed = sum(blob.size_bytes for blob in free)
    return Pruning(
        tuple(sorted(gone, key=_age)), free, freed, sum(blob.size_bytes for blob in sizes.values()) - freed
    )


def prune(
    session: SshSession, store: str, keep: int, budget_bytes: int = 0, *, dry_run: bool = False
) -> Pruning:
    """Remove what `plan_pruning` chooses, and old parts; the board checks again that nobody needs them.

    Returns:
        What was removed, or with `dry_run` would be.

    Raises:
        RKDeckError: `deploy.list_failed`, `deploy.prune_failed`, and what removing a part raises
            (`core.transfer.discard`).
    """
    parts = _old_parts(session, store)
    if not dry_run:
        parts = tuple(
            part for part in parts if discard_part(session, partial_path(store, part.sha256), part.size_bytes)
        )
    done = _prune_whole(session, store, keep, budget_bytes, dry_run=dry_run)
    freed = done.freed_bytes + sum(part.size_bytes for part in parts)
    return replace(done, parts=parts, freed_bytes=freed)


def _prune_whole(session: SshSession, store: str, keep: int, budget_bytes: int, *, dry_run: bool) -> Pruning:
    """`prune`, as far as versions and whole files go."""
    blobs = _blobs(session, store)
    plan = plan_pruning(list_versions(session, store), blobs, keep, budget_bytes)
    if dry_run or not (plan.versions or plan.blobs or any(blob.aside for blob in blobs)):
        return plan
    words = [f"v:{version.name}/{version.version}" for version in plan.versions]
    words += [f"b:{blob.name}" for blob in plan.blobs]
    result = session.run(scripts.PRUNE, [store, *words], timeout_s=_TIMEOUT_S)
    if result.exit_status:
        raise RKDeckError("deploy.prune_failed", host=session.target.host, store=store, reason=result.why)
    done = set(result.text.split())
    versions = tuple(entry for entry in plan.versions if f"v:{entry.name}/{entry.version}" in done)
    gone = tuple(blob for blob in plan.blobs if f"b:{blob.name}" in done)
    freed = sum(blob.size_bytes for blob in gone)
    return Pruning(versions, gone, freed, plan.kept_bytes + plan.freed_bytes - freed)


def _beyond(entries: Sequence[Deployment], keep: int) -> list[Deployment]:
    """The versions of one deployment that are too old; one in use stays and takes one of the places."""
    if keep <= 0:
        return []
    old = sorted((entry for entry in entries if not entry.current), key=lambda entry: entry.version)
    places = keep - sum(entry.current for entry in entries)
    return old[: len(old) - max(0, places)]


def _age(version: Deployment) -> tuple[str, str]:
    return version.version, version.name


def _size(kept: Iterable[Deployment], blobs: Iterable[Blob]) -> int:
    needed = {digest for version in kept for digest in version.digests}
    return sum(blob.size_bytes for blob in blobs if blob.sha256 in needed)


def _blobs(session: SshSession, store: str) -> list[Blob]:
    """The files in a store that bear a name RKDeck gives."""
    result = session.run(scripts.BLOBS, [store], timeout_s=_TIMEOUT_S)
    if result.exit_status:
        raise RKDeckError("deploy.list_failed", host=session.target.host, store=store, reason=result.why)
    found = []
    for name, told, names, age, kind in rows(result.text, 5):
        match, size, links = _BLOB.fullmatch(name), digits(told, high=MAX_BYTES), digits(names)
        if match is not None and size is not None and links is not None:
            size = 0 if kind == "link" or links > 1 else size
            found.append(Blob(match[1], match[2], size, age == "old", match[3] is not None))
    return found


def _old_parts(session: SshSession, store: str) -> tuple[Part, ...]:
    result = session.run(scripts.OLD_PARTS, [store], timeout_s=_TIMEOUT_S)
    found = []
    for name, told in rows(result.text, 2):
        match, size = _PART.fullmatch(name), digits(told, high=MAX_BYTES)
        if match is not None and size is not None:
            found.append(Part(match[1], size))
    return tuple(found)
