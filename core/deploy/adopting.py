"""Model files that are on a board already become deployments without being sent."""

import posixpath
import re
from dataclasses import replace
from pathlib import Path

from core.base.errors import RefusedError, RKDeckError
from core.base.foreign import MAX_BYTES, digits
from core.base.names import printable
from core.boards.doctor.examination import Examination
from core.deploy import scripts
from core.deploy.activation import activate
from core.deploy.layout import Deployment, Origin
from core.deploy.plan import LocalModel, plan_deployment
from core.deploy.records import FoundFile
from core.fitness.candidate import Candidate, PartFile
from core.library.library import Library
from core.library.records import LibraryItem
from core.model.inspect import HEAD_BYTES, TAIL_BYTES, inspect_bytes
from core.model.need import ServedNeed
from core.model.parts import join_parts, siblings_of, title_of
from core.remote.scripts import rows
from core.remote.session import RemoteResult, SshSession

_GONE = 75
_TIMEOUT_S = 60.0
_SLOWEST_DIGEST_BYTES_PER_S = 10 << 20
_MAX_LIST_BYTES = 1 << 20
_DIGEST = re.compile(r"[0-9a-f]{64}")


def find_files(session: SshSession, folder: str) -> tuple[FoundFile, ...]:
    """The models in a folder on the board and two levels below; names with control characters stay out.

    One in parts is named by its first part and has the size of all.

    Raises:
        RefusedError: `deploy.bad_remote_path`.
        RKDeckError: `deploy.no_such_folder`.
    """
    folder = check_remote_path(folder)
    result = session.run(scripts.FIND, [folder], timeout_s=_TIMEOUT_S, max_output_bytes=_MAX_LIST_BYTES)
    if result.exit_status:
        raise RKDeckError("deploy.no_such_folder", folder=printable(folder), host=session.target.host)
    inside = folder.rstrip("/") + "/"
    found: dict[str, int] = {}
    for size, path in rows(result.text, 2):
        size_bytes = digits(size, high=MAX_BYTES)
        if size_bytes is not None and path.startswith(inside) and path.isprintable():
            found[path] = size_bytes
    models = (FoundFile(model.first, sum(map(found.__getitem__, model.paths))) for model in join_parts(found))
    return tuple(sorted(models, key=lambda file: file.path))


def adopt(
    session: SshSession,
    seen: Examination,
    path: str,
    *,
    board: str,
    name: str | None = None,
    force: bool = False,
    library: Library,
) -> Deployment:
    """Hash a model file on the board, give it a place in the store and make it current; a part stands for all of them.

    The file stays where it is; the store gets a second name for it, or refers to it when it lies on another
    disk. It is checked like a file that is sent.

    Args:
        session: to the board.
        seen: the board, fresh.
        path: absolute, on the board.
        board: its name, for messages.
        name: of the deployment; None: made from the file's name.
        force: go on where a check can be overridden.
        library: what is known of the files on this computer, one of which this may be.

    Raises:
        RefusedError: `deploy.bad_remote_path`, and what `plan_deployment` raises.
        RKDeckError: `deploy.no_such_file`, `deploy.adopt_failed`, and what `activate` raises.
    """
    path = check_remote_path(path)
    folder, candidate = posixpath.dirname(path), _look_at(session, path)
    sizes = [part.inspection.size_bytes for part in candidate.files]
    maybe = library.models_of(sizes)
    title = title_of(posixpath.basename(path))
    # One digest for each: parts are told apart by theirs.
    unknown = [
        LocalModel(Path(part.name), f"{number:064x}", part.inspection.size_bytes, title)
        for number, part in enumerate(candidate.files)
    ]
    if not maybe:
        # The checks first: hashing takes a while. Where this may be a file of the library, only the digest tells
        # whether its need is known.
        plan_deployment(candidate, unknown, seen, board=board, name=name, force=force)
    places = [posixpath.join(folder, part.name) for part in candidate.files]
    files = [
        replace(file, sha256=_digest(session, place, file.size_bytes))
        for file, place in zip(unknown, places, strict=True)
    ]
    digests = [file.sha256 for file in files]
    same = tuple(item for item in maybe if [file.sha256 for file in item.files] == digests)
    plan = plan_deployment(_as(candidate, same), files, seen, board=board, name=name, force=force)
    for file, place in zip(plan.files, places, strict=True):
        _link(session, place, plan.blob_of(file))
    return activate(session, plan, Origin(repo=same[0].repo, revision=same[0].revision) if same else Origin())


def _look_at(session: SshSession, path: str) -> Candidate:
    """A file on the board, by its first and last bytes, with the other parts of its model beside it."""
    folder, named = posixpath.split(path)
    names = siblings_of(named)
    sizes = {named: _size(session, path)}
    for name in names:
        if name != named:
            try:
                sizes[name] = _size(session, posixpath.join(folder, name))
            except RKDeckError as error:
                if error.code != "deploy.no_such_file":
                    raise
    there = [name for name in names if name in sizes]
    first, *others = (_part(session, posixpath.join(folder, name), sizes[name]) for name in there)
    return Candidate(
        first.name,
        first.inspection,
        there_bytes=sum(sizes.values()),
        others=tuple(others),
        missing=tuple(name for name in names if name not in sizes),
    )


def _part(session: SshSession, path: str, size: int) -> PartFile:
    base = posixpath.basename(path)
    head = _bytes(session, ["head", "-c", str(HEAD_BYTES), path], path)
    tail = _bytes(session, ["tail", "-c", str(min(TAIL_BYTES, size)), path], path)
    return PartFile(base, inspect_bytes(head, tail, size, base))


def _link(session: SshSession, path: str, blob: str) -> None:
    result = session.run(scripts.LINK, [path, blob], timeout_s=_TIMEOUT_S)
    if result.exit_status == _GONE:
        raise _no_such_file(session, path)
    if result.exit_status:
        raise _failed(session, path, result)


def _as(candidate: Candidate, items: tuple[LibraryItem, ...]) -> Candidate:
    """The file as one of the library's, with the first need that is known."""
    needs = (ServedNeed.read(item.provenance) for item in items)
    return replace(candidate, need=next((need for need in needs if need is not None), None))


def check_remote_path(path: str) -> str:
    """An absolute path on a board, in its shortest form.

    Raises:
        RefusedError: `deploy.bad_remote_path`.
    """
    if not path.startswith("/") or "\0" in path or len(path.encode("utf-8", "replace")) > 4000:
        raise RefusedError("deploy.bad_remote_path", path=printable(path))
    return "/" + posixpath.normpath(path).lstrip("/")


def _size(session: SshSession, path: str) -> int:
    result = session.run(scripts.SIZE_OF, [path], timeout_s=_TIMEOUT_S)
    size = digits(result.text, high=MAX_BYTES)
    if result.exit_status == _GONE:
        raise _no_such_file(session, path)
    if result.exit_status or size is None:
        raise _failed(session, path, result)
    return size


def _bytes(session: SshSession, command: list[str], path: str) -> bytes:
    result = session.run(command, timeout_s=_TIMEOUT_S)
    if result.exit_status:
        raise _failed(session, path, result)
    return result.stdout


def _digest(session: SshSession, path: str, size: int) -> str:
    timeout_s = _TIMEOUT_S + size / _SLOWEST_DIGEST_BYTES_PER_S
    result = session.run(scripts.DIGEST_OF, [path], timeout_s=timeout_s)
    found = _DIGEST.match(result.text)
    if result.exit_status or found is None:
        raise _failed(session, path, result)
    return found[0]


def _no_such_file(session: SshSession, path: str) -> RKDeckError:
    return RKDeckError("deploy.no_such_file", path=printable(path), host=session.target.host)


def _failed(session: SshSession, path: str, result: RemoteResult) -> RKDeckError:
    return RKDeckError(
        "deploy.adopt_failed", path=printable(path), host=session.target.host, reason=result.why
    )
