"""One deployment from start to end, inside its worker process."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from core.base.database import Database
from core.base.digest import sha256_of
from core.base.errors import JsonValue, RKDeckError
from core.base.paths import AppPaths
from core.base.secrets import SecretStore
from core.boards.connect import connect
from core.boards.registry import BoardRegistry
from core.deploy.activation import activate
from core.deploy.companions import Companion, find_companions, origin_of
from core.deploy.deployments import bytes_there
from core.deploy.layout import Origin, file_blob_path, partial_path
from core.deploy.plan import LocalModel, plan_deployment
from core.deploy.pruning import prune
from core.deploy.sending import Link, Sending, persist
from core.fitness.candidate import look_at
from core.fitness.sight import look_over
from core.jobs.worker import WorkerContext
from core.library.library import Library
from core.remote.hostkeys import HostKeys
from core.remote.session import SshSession
from core.transfer.upload import UploadResult, upload


def run_deployment(context: WorkerContext) -> dict[str, JsonValue]:
    """Send a file to a board, verify it there and make it the current version of its name.

    Parameters of the job: `board`, `file`, `name` or None, `title` or None, `force`; and where wanted
    `limit_bytes_per_s`, `keep` (versions of each deployment) and `budget_bytes` (of the store). Nothing
    on the board changes its meaning before the last step, a rename; whatever happens before can be done again.

    Returns:
        `{"board","name","sha256","path","size_bytes","bytes_sent","resumed_from_bytes","transfer_seconds",
        "seconds"}`.

    Raises:
        RKDeckError: of every room it passes through; see `plan_deployment`, `upload`, `switch`.
    """
    started = time.monotonic()
    params, paths = context.params, AppPaths(context.home)
    name, title, force = params.get("name"), params.get("title"), params.get("force") is True
    with contextlib.closing(Database(paths.database_file)) as database:
        registry = BoardRegistry(database)
        board = registry.get(str(params["board"]))
        file = Path(str(params["file"]))
        candidate = look_at(Library(database, paths.library), file)
        keys, secrets = HostKeys(paths.known_hosts), SecretStore()
        with Link(lambda: connect(board, keys, secrets, password=context.secret)) as link:
            # The doctor's reading and not the probe's: it is one round trip, too, and tells the library's exact
            # release and who holds memory now, so that what the doctor fails is refused here by the same facts.
            seen = look_over(link.session, board)
            facts = seen.facts
            board = registry.remember(board.name, facts)
            context.step("probed", model=facts.title, soc=facts.soc, simulated=facts.simulated)
            model = _local_model(context, file, title if isinstance(title, str) else file.stem)
            plan = plan_deployment(
                replace(candidate, there_bytes=bytes_there(link.session, board.store or "", model.sha256)),
                model,
                seen,
                board=board.name,
                name=name if isinstance(name, str) else None,
                force=force,
            )
            companions, origin = _belongings(database, paths, file)
            context.step("planned", deployment=plan.name, store=plan.store, overridden=list(plan.overridden))
            _send_companions(context, link, plan.store, companions)
            sent = _send(context, link, model, plan.partial, plan.blob)
            if sent.connections > 1 or sent.alone_because.startswith("remote."):
                context.log(
                    f"sent over {sent.connections} connections; no more because: {sent.alone_because}"
                )
            context.step("verified", path=plan.blob, bytes_sent=sent.bytes_sent, connections=sent.connections)
            version = persist(context, link, lambda session: activate(session, plan, origin)).version
            context.step("activated", version=version)
            _tidy(context, link.session, plan.store)
    return {
        "board": board.name,
        "name": plan.name,
        "sha256": model.sha256,
        "path": plan.blob,
        "size_bytes": model.size_bytes,
        "bytes_sent": sent.bytes_sent,
        "resumed_from_bytes": sent.resumed_from_bytes,
        "transfer_seconds": round(sent.seconds, 3),
        "seconds": round(time.monotonic() - started, 3),
    }


def _local_model(context: WorkerContext, file: Path, title: str) -> LocalModel:
    """The file with its digest; `upload` notices when it changes afterwards."""
    try:
        size = file.stat().st_size
        digest = sha256_of(file, lambda done: context.progress("hash", done, size))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise RKDeckError("remote.source_missing", file=str(file), reason=reason) from error
    return LocalModel(file, digest, size, title)


def _send(
    context: WorkerContext, link: Link, local: LocalModel, partial: str, final: str, phase: str = "upload"
) -> UploadResult:
    """Upload a file, over new connections when one breaks; another sender's work is waited for and used."""
    limit = context.params.get("limit_bytes_per_s")

    def send(session: SshSession, takeover: bool, progress: Callable[[int, int], None]) -> UploadResult:
        return upload(
            session,
            local.path,
            partial,
            local.sha256,
            final=final,
            takeover=takeover,
            progress=progress,
            limit_bytes_per_s=limit if isinstance(limit, int) and limit > 0 else None,
            sender=context.job_id,
        )

    return Sending(context, link, local.size_bytes, phase=phase).run(send)


def _send_companions(
    context: WorkerContext, link: Link, store: str, companions: tuple[Companion, ...]
) -> None:
    for companion in companions:
        file = companion.file
        local = LocalModel(companion.path, file.sha256, file.size_bytes, file.name)
        final = file_blob_path(store, file.sha256)
        _send(context, link, local, partial_path(store, file.sha256), final, phase="files")


def _belongings(database: Database, paths: AppPaths, file: Path) -> tuple[tuple[Companion, ...], Origin]:
    """The small files that go with a model file, and what is known of its origin."""
    item = Library(database, paths.library).find(str(file))
    if item is None or item.kind != "rkllm":
        companions = find_companions(file, of_a_repository=False)
        return companions, origin_of(companions)
    # Only a download has a folder of its own that holds its repository and nothing else.
    downloaded = item.repo is not None and item.provenance.get("commit") is not None
    companions = find_companions(file, of_a_repository=downloaded)
    return companions, origin_of(companions, item.repo, item.revision)


def _tidy(context: WorkerContext, session: SshSession, store: str) -> None:
    """Remove what is older than what shall be kept; the deployment is done, so trouble is only told."""
    keep, budget = (context.params.get(key) for key in ("keep", "budget_bytes"))
    if not isinstance(keep, int) or not isinstance(budget, int) or not (keep or budget):
        return
    try:
        done = prune(session, store, keep, budget)
    except RKDeckError as error:
        context.log(f"older versions could not be removed: {error.code}", level="warning")
        return
    if done.versions or done.blobs:
        context.step("pruned", versions=len(done.versions), freed_bytes=done.freed_bytes)
