"""One deployment from start to end, inside its worker process."""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

from core.base.digest import sha256_of
from core.base.errors import JsonValue, RKDeckError
from core.base.trouble import reason_of
from core.boards.records import Board
from core.boards.registry import BoardRegistry
from core.deploy.activation import activate
from core.deploy.companions import Companion, find_companions, origin_of
from core.deploy.deployments import read_held
from core.deploy.layout import Origin, file_blob_path, partial_path
from core.deploy.order import DeployOrder
from core.deploy.plan import DeployPlan, LocalModel, plan_deployment, renaming
from core.deploy.pruning import prune
from core.deploy.sending import Link, Sending, Share, joined, persist
from core.fitness.candidate import Candidate, look_at
from core.fitness.sight import look_over
from core.jobs.worker import WorkerContext
from core.library.library import Library
from core.remote.session import SshSession
from core.transfer.upload import UploadResult, upload
from core.words import tell


class DeployParts(Protocol):
    """What of the house this stage needs."""

    @property
    def library(self) -> Library:
        """The models on this computer."""
        ...

    @property
    def boards(self) -> BoardRegistry:
        """The boards the user added."""
        ...

    def connect(self, board: Board, *, password: str | None = None) -> SshSession:
        """Open a session to a board, with this password, else with the one kept for it."""
        ...


def run_deployment(context: WorkerContext, order: DeployOrder, parts: DeployParts) -> dict[str, JsonValue]:
    """Send a file to a board, verify it there and make it the current version of its name.

    Nothing on the board changes its meaning before the last step, a rename; whatever happens before can be done
    again.

    Returns:
        `{"board","name","sha256","path","size_bytes","bytes_sent","resumed_from_bytes","transfer_seconds",
        "seconds"}`.

    Raises:
        RKDeckError: of every room it passes through; see `plan_deployment`, `upload`, `switch`.
    """
    started = time.monotonic()
    board = parts.boards.get(order.board)
    candidate = look_at(parts.library, order.file)
    with Link(lambda: parts.connect(board, password=context.secrets.board_password)) as link:
        # The doctor's reading and not the probe's: it is one round trip, too, and tells the library's exact
        # release and who holds memory now, so that what the doctor fails is refused here by the same facts.
        seen = look_over(link.session, board)
        facts = seen.facts
        found = parts.boards.remember(board.name, facts)
        context.step("probed", model=facts.title, soc=facts.soc, simulated=facts.simulated)
        files = _local_files(context, order, candidate)
        plan = plan_deployment(
            _as(candidate, files).held_by(read_held(link.session, found.store)),
            files,
            seen,
            board=found.name,
            name=order.name,
            force=order.force,
        )
        renamed = renaming(order.name, plan.name)
        if renamed is not None:
            tell(context.log, renamed, "warning")
        companions, origin = _belongings(parts.library, order.file)
        context.step("planned", deployment=plan.name, store=plan.store, overridden=list(plan.overridden))
        sender = _Sender(context, link, order.limit_bytes_per_s)
        sender.send_companions(plan.store, companions)
        sent = sender.send_model(plan)
        if sent.connections > 1 or sent.alone_because.startswith("remote."):
            shared = RKDeckError(
                "deploy.connections", connections=sent.connections, alone_because=sent.alone_because
            )
            tell(context.log, shared)
        context.step("verified", path=plan.blob, bytes_sent=sent.bytes_sent, connections=sent.connections)
        version = persist(context, link, lambda session: activate(session, plan, origin)).version
        context.step("activated", version=version)
        _tidy(context, link.session, plan.store, order)
    return {
        "board": board.name,
        "name": plan.name,
        "sha256": plan.model.sha256,
        "path": plan.blob,
        "size_bytes": plan.size_bytes,
        "bytes_sent": sent.bytes_sent,
        "resumed_from_bytes": sent.resumed_from_bytes,
        "transfer_seconds": round(sent.seconds, 3),
        "seconds": round(time.monotonic() - started, 3),
    }


def _local_files(context: WorkerContext, order: DeployOrder, candidate: Candidate) -> tuple[LocalModel, ...]:
    """The files with their digests, under their own title where the order has none; `upload` sees one change."""
    title = candidate.title if order.title is None else order.title
    total, before = candidate.size_bytes, 0
    found = []
    for part in candidate.files:
        file = order.file.with_name(part.name)
        told = partial(_tell_hashed, context, before, total)
        try:
            size = file.stat().st_size
            found.append(LocalModel(file, sha256_of(file, told), size, title))
        except OSError as error:
            reason = reason_of(error)
            raise RKDeckError("remote.source_missing", file=str(file), reason=reason) from error
        before += size
    return tuple(found)


def _tell_hashed(context: WorkerContext, before: int, total: int, done: int) -> None:
    context.progress("hash", before + done, total)


def _as(candidate: Candidate, files: tuple[LocalModel, ...]) -> Candidate:
    """What was looked at, with the digests that were computed."""
    digests = [file.sha256 for file in files]
    others = zip(candidate.others, digests[1:], strict=True)
    return replace(
        candidate,
        sha256=digests[0],
        others=tuple(replace(part, sha256=digest) for part, digest in others),
    )


class _Sender:
    """Sends files over new connections when one breaks; another sender's work is waited for and used."""

    def __init__(self, context: WorkerContext, link: Link, limit_bytes_per_s: int | None) -> None:
        self._context = context
        self._link = link
        self._limit_bytes_per_s = limit_bytes_per_s or None  # 0 is as fast as the line, too

    def send_model(self, plan: DeployPlan) -> UploadResult:
        """Send the model, of one in parts all of them; what is there of each is gone on with."""
        results = []
        before = 0
        for file in plan.files:
            share = Share(before, plan.size_bytes)
            results.append(self.send(file, plan.partial_of(file), plan.blob_of(file), share=share))
            before += file.size_bytes
        return joined(results)

    def send(
        self,
        local: LocalModel,
        partial: str,
        final: str,
        phase: str = "upload",
        share: Share | None = None,
    ) -> UploadResult:
        """Send one file."""

        def send(session: SshSession, takeover: bool, progress: Callable[[int, int], None]) -> UploadResult:
            return upload(
                session,
                local.path,
                partial,
                local.sha256,
                final=final,
                takeover=takeover,
                progress=progress,
                limit_bytes_per_s=self._limit_bytes_per_s,
                sender=self._context.job_id,
            )

        return Sending(self._context, self._link, local.size_bytes, phase=phase, share=share).run(send)

    def send_companions(self, store: str, companions: tuple[Companion, ...]) -> None:
        """Send the small files that go with a model."""
        for companion in companions:
            file = companion.file
            local = LocalModel(companion.path, file.sha256, file.size_bytes, file.name)
            final = file_blob_path(store, file.sha256)
            self.send(local, partial_path(store, file.sha256), final, phase="files")


def _belongings(library: Library, file: Path) -> tuple[tuple[Companion, ...], Origin]:
    """The small files that go with a model file, and what is known of its origin."""
    item = library.model_at(file)
    if item is None:
        companions = find_companions(file, of_a_repository=False)
        return companions, origin_of(companions)
    # Only a download has a folder of its own that holds its repository and nothing else.
    downloaded = item.repo is not None and item.provenance.get("commit") is not None
    companions = find_companions(item.path, of_a_repository=downloaded)
    return companions, origin_of(companions, item.repo, item.revision)


def _tidy(context: WorkerContext, session: SshSession, store: str, order: DeployOrder) -> None:
    """Remove what is older than what shall be kept; the deployment is done, so trouble is only told."""
    if not (order.keep or order.budget_bytes):
        return
    try:
        done = prune(session, store, order.keep, order.budget_bytes)
    except RKDeckError as error:
        tell(context.log, RKDeckError("deploy.not_tidied", cause=error.to_json()), "warning")
        return
    if not done.is_empty:
        context.step("pruned", versions=len(done.versions), freed_bytes=done.freed_bytes)
