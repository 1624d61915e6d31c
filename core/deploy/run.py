"""One deployment from start to end, inside its worker process."""

import contextlib
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from core.base.database import Database
from core.base.digest import sha256_of
from core.base.errors import JsonValue, RefusedError, RKDeckError
from core.base.paths import AppPaths
from core.base.secrets import SecretStore
from core.boards.connect import connect
from core.boards.probe import probe_board
from core.boards.registry import Board, BoardRegistry
from core.convert.inspect import inspect_file
from core.deploy.deployments import list_versions, switch
from core.deploy.layout import Deployment, next_version
from core.deploy.plan import DeployPlan, LocalModel, plan_deployment
from core.deploy.sending import Link, Sending
from core.jobs.worker import WorkerContext
from core.remote.hostkeys import HostKeys
from core.remote.session import SshSession
from core.remote.transfer import UploadResult, upload


def run_deployment(context: WorkerContext) -> dict[str, JsonValue]:
    """Send a file to a board, verify it there and make it the current version of its name.

    Parameters of the job: `board`, `file`, `name` or None, `title` or None, `force`, `limit_bytes_per_s` or None.
    Nothing on the board changes its meaning before the last step, a rename; whatever happens before can be done
    again.

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
        inspection = inspect_file(file)
        keys, secrets = HostKeys(paths.known_hosts), SecretStore()
        with Link(lambda: connect(board, keys, secrets, password=context.secret)) as link:
            facts = probe_board(link.session, board.sysroot)
            board = registry.remember(board.name, facts)
            context.step("probed", model=facts.title, soc=facts.soc, simulated=facts.simulated)
            model = _local_model(context, file, title if isinstance(title, str) else file.stem)
            plan = plan_deployment(
                inspection,
                model,
                facts,
                _store(board),
                board=board.name,
                name=name if isinstance(name, str) else None,
                force=force,
            )
            context.step("planned", deployment=plan.name, store=plan.store, overridden=list(plan.overridden))
            sent = _send(context, link, plan)
            context.step("verified", path=plan.blob, bytes_sent=sent.bytes_sent)
            version = _activate(link.session, plan)
            context.step("activated", version=version)
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


def _store(board: Board) -> str:
    if board.store is None:
        raise RefusedError("boards.no_store", name=board.name, user=board.user)
    return board.store


def _local_model(context: WorkerContext, file: Path, title: str) -> LocalModel:
    """The file with its digest; `upload` notices when it changes afterwards."""
    try:
        size = file.stat().st_size
        digest = sha256_of(file, lambda done: context.progress("hash", done, size))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise RKDeckError("remote.source_missing", file=str(file), reason=reason) from error
    return LocalModel(file, digest, size, title)


def _send(context: WorkerContext, link: Link, plan: DeployPlan) -> UploadResult:
    """Upload the blob, over new connections when one breaks; the work of another sender is waited for and used."""
    limit = context.params.get("limit_bytes_per_s")

    def send(session: SshSession, takeover: bool, progress: Callable[[int, int], None]) -> UploadResult:
        return upload(
            session,
            plan.model.path,
            plan.partial,
            plan.model.sha256,
            final=plan.blob,
            takeover=takeover,
            progress=progress,
            limit_bytes_per_s=limit if isinstance(limit, int) and limit > 0 else None,
            sender=context.job_id,
        )

    return Sending(context, link, plan.model.size_bytes).run(send)


def _activate(session: SshSession, plan: DeployPlan) -> str:
    """Make the blob the current version of its name; the same file again stays the version it is."""
    known = [version for version in list_versions(session, plan.store) if version.name == plan.name]
    for version in known:
        if version.current and version.sha256 == plan.model.sha256:
            return version.version
    now = datetime.now(UTC)
    deployment = Deployment(
        name=plan.name,
        version=next_version(now, plan.model.sha256, (version.version for version in known)),
        path=plan.blob,
        sha256=plan.model.sha256,
        size_bytes=plan.model.size_bytes,
        dtype=plan.inspection.dtype,
        platform=plan.inspection.platform,
        simulated=plan.inspection.simulated,
        title=plan.title,
        toolkit_version=plan.inspection.toolkit_version,
        max_context=plan.inspection.max_context,
        deployed_unix_s=now.timestamp(),
    )
    switch(session, plan.folder, deployment, json.dumps(deployment.manifest(), ensure_ascii=True))
    return deployment.version
