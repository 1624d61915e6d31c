"""`rkdeck deploy` and its relatives: models onto boards, what is there, back and off again."""

import argparse
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from core.base.errors import JsonValue, RefusedError, RKDeckError
from core.base.foreign import digits, number
from core.base.names import printable
from core.base.units import MAX_WHOLE, format_bytes, format_duration, format_rate
from core.boards.records import Board
from core.cli.command import Command, Context
from core.cli.following import run_job
from core.cli.models import model_file
from core.cli.parsing import needed, tr
from core.deploy.plan import renaming
from core.jobs.manager import JobHandle
from core.usecases import deployment as use
from core.vendor.kinds import kind_of_name

Outcome = RKDeckError | dict[str, JsonValue]


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("boards", nargs="+", metavar="BOARD")
    parser.add_argument("--name", metavar="N")
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--force", action="store_true")
    parser.add_argument(
        "--limit",
        metavar="BYTES_PER_S",
        type=_amount,
    )


def _amount(text: str) -> int:
    """A number of bytes from `--limit` or `--budget`; argparse words what is wrong."""
    factor = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}.get(text[-1:].lower(), 1)
    count = digits(text[:-1] if factor > 1 else text, 0, MAX_WHOLE // factor)
    refusal = tr("{text} is not a number of bytes, such as 20M", text=printable(text))
    return needed(count, refusal) * factor


def _versions(text: str) -> int:
    """A number of versions from `--keep`."""
    refusal = tr("{text} is not a number of versions, such as 3", text=printable(text))
    return needed(digits(text), refusal)


def _run(context: Context) -> int:
    options, services = context.options, context.services
    path = model_file(services, options.file)
    boards = [services.boards.get(name) for name in dict.fromkeys(options.boards)]
    refused = _refused_beforehand(context, path, boards)
    if len(refused) == len(boards):
        return RefusedError.exit_code
    boards = [board for board in boards if board.name not in refused]
    started = use.start_deploys(
        services,
        path,
        [board.name for board in boards],
        name=options.name,
        force=options.force,
        limit_bytes_per_s=options.limit,
    )
    handles = [services.jobs.attach(job_id) for job_id in started]
    outcomes = _follow_all(context, boards, handles)
    codes = [_conclude(context, board, outcome) for board, outcome in zip(boards, outcomes, strict=True)]
    return max([*codes, RefusedError.exit_code] if refused else codes)


def _refused_beforehand(context: Context, path: Path, boards: list[Board]) -> set[str]:
    """The boards that will not have the file, each told; the others go on."""
    refused = set()
    for board in boards:
        error = use.refusal_beforehand(
            context.services, path, board.name, force=context.options.force, serve=context.options.serve
        )
        if error is not None:
            context.output.error(error, board=board.name)
            refused.add(board.name)
    return refused


def _follow_all(context: Context, boards: list[Board], handles: list[JobHandle]) -> list[Outcome]:
    """Follow the jobs side by side, so that a failing board does not hold the others."""
    if len(handles) == 1:
        return [run_job(handles[0], context.output, boards[0].name)]
    with ThreadPoolExecutor(len(handles), thread_name_prefix="deploy") as pool:
        running = [
            pool.submit(run_job, handle, context.output, board.name)
            for handle, board in zip(handles, boards, strict=True)
        ]
        try:
            wait(running)
        except KeyboardInterrupt:
            for handle in handles:
                handle.cancel()
        return [future.result() for future in running]


def _conclude(context: Context, board: Board, outcome: Outcome) -> int:
    if isinstance(outcome, RKDeckError):
        return outcome.exit_code
    sent, seconds = number(outcome["bytes_sent"]), number(outcome["transfer_seconds"])
    tr = context.output.tr
    context.output.text(
        tr(
            "{name} is live on {board}: {size} sent ({rate}), verified, {time}",
            name=outcome["name"],
            board=board.name,
            size=format_bytes(sent),
            rate=format_rate(sent / seconds) if seconds and sent else tr("nothing to send"),
            time=format_duration(seconds),
        )
    )
    if context.options.serve:
        from core.cli.commands.serve import serve

        serve(context, board, str(outcome["name"]))
    return 0


def _configure_list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("board", metavar="BOARD")


def _list(context: Context) -> int:
    board = context.services.boards.get(context.options.board)
    listing = use.read_store(context.services, board.name)
    found = listing.versions
    context.output.document({
        "board": board.name,
        "deployments": [entry.to_json() for entry in found],
        "unreadable": [entry.to_json() for entry in listing.unreadable],
    })  # fmt: skip
    for entry in listing.unreadable:
        context.output.note(
            context.output.tr(
                "{name} {version} cannot be read; its manifest is {path}",
                name=entry.name, version=entry.version, path=printable(entry.path),
            )
        )  # fmt: skip
    if not found and listing.unreadable:
        return 0
    if not found:
        context.output.text(context.output.tr("Nothing is deployed on {board} yet.", board=board.name))
        return 0
    rows = [
        (
            entry.name,
            entry.version,
            context.output.tr("current") if entry.current else "",
            entry.dtype or context.output.tr("unknown"),
            format_bytes(entry.size_bytes),
            entry.sha256[:12],
        )
        for entry in found
    ]
    context.output.table(("NAME", "VERSION", "", "DTYPE", "SIZE", "SHA256"), rows, right=(4,))
    return 0


def _configure_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("board", metavar="BOARD")
    parser.add_argument("name", metavar="NAME")


def _configure_rollback(parser: argparse.ArgumentParser) -> None:
    _configure_name(parser)
    parser.add_argument("--version", metavar="V")


def _rollback(context: Context) -> int:
    board = context.services.boards.get(context.options.board)
    now = use.rollback(context.services, board.name, context.options.name, context.options.version)
    context.output.document({"board": board.name, "deployment": now.to_json()})
    context.output.text(
        context.output.tr(
            "{name} on {board} is back at {version}", name=now.name, board=board.name, version=now.version
        )
    )
    return 0


def _undeploy(context: Context) -> int:
    board = context.services.boards.get(context.options.board)
    gone = use.undeploy(context.services, board.name, context.options.name)
    context.output.document({"board": board.name, "removed": gone.to_json()})
    context.output.text(context.output.tr("{name} is gone from {board}", name=gone.name, board=board.name))
    return 0


def _configure_adopt(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("board", metavar="BOARD")
    parser.add_argument(
        "path",
        nargs="?",
        metavar="PATH",
    )
    parser.add_argument("--name", metavar="N")
    parser.add_argument("--force", action="store_true")


def _adopt(context: Context) -> int:
    options, services, tr = context.options, context.services, context.output.tr
    board = services.boards.get(options.board)
    if options.path is not None and kind_of_name(options.path):
        context.output.note(tr("the board is computing the file's checksum ..."))
        now = use.adopt(services, board.name, options.path, name=options.name, force=options.force)
        renamed = renaming(options.name, now.name)
        if renamed is not None:
            context.output.note(context.output.sentence(renamed))
        context.output.document({"board": board.name, "deployment": now.to_json()})
        context.output.text(
            tr("{name} is live on {board}; nothing was sent", name=now.name, board=board.name)
        )
        return 0
    found = use.find_adoptable(services, board.name, options.path)
    context.output.document({"board": board.name, "files": [file.to_json() for file in found]})
    if not found:
        context.output.text(tr("No .rkllm file was found there on {board}.", board=board.name))
        return 0
    rows = [(printable(file.path), format_bytes(file.size_bytes)) for file in found]
    context.output.table(("PATH", "SIZE"), rows, right=(1,))
    return 0


def _configure_prune(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("board", metavar="BOARD")
    parser.add_argument("--keep", type=_versions, metavar="N")
    parser.add_argument("--budget", type=_amount, metavar="BYTES")
    parser.add_argument("--dry-run", action="store_true")


def _prune(context: Context) -> int:
    options = context.options
    board = context.services.boards.get(options.board)
    done = use.prune(
        context.services, board.name, keep=options.keep, budget_bytes=options.budget, dry_run=options.dry_run
    )
    context.output.document({"board": board.name, "dry_run": options.dry_run, **done.to_json()})
    for entry in done.versions:
        context.output.text(f"{entry.name} {entry.version}")
    tr = context.output.tr
    facts = {
        "versions": len(done.versions), "files": len(done.blobs) + len(done.parts), "board": board.name,
        "size": format_bytes(done.freed_bytes),
    }  # fmt: skip
    context.output.text(
        tr("would be removed from {board}: {size}, old versions {versions}, files {files}", **facts)
        if options.dry_run
        else tr("removed from {board}: {size}, old versions {versions}, files {files}", **facts)
    )
    return 0


COMMANDS = (
    Command("deploy", _configure, _run, lines=True),
    Command("deployments", _configure_list, _list),
    Command("rollback", _configure_rollback, _rollback),
    Command("undeploy", _configure_name, _undeploy),
    Command("adopt", _configure_adopt, _adopt),
    Command("prune", _configure_prune, _prune),
)
