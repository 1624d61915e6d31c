"""`rkdeck board`: the boards RKDeck knows; the host key is shown and asked about once."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from core.base.errors import RefusedError, UsageError
from core.base.names import printable
from core.base.secrets import Place
from core.base.units import format_bytes
from core.boards.facts import BoardFacts
from core.boards.registry import Board
from core.cli.command import Command, Context
from core.usecases import boards as use


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", choices=("list", "add", "remove", "probe"), default="list")
    parser.add_argument("name", nargs="?", metavar="NAME")
    parser.add_argument("address", nargs="?", metavar="[USER@]HOST[:PORT]")
    parser.add_argument("--identity", metavar="F", help="private key file")
    parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    parser.add_argument("--store", metavar="DIR", help="folder for models on the board")
    parser.add_argument("--accept-host-key", metavar="SHA256:...", help="the fingerprint you have compared")
    parser.add_argument("--sysroot", default="", help=argparse.SUPPRESS)


def _run(context: Context) -> int:
    return {"list": _list, "add": _add, "remove": _remove, "probe": _probe}[context.options.action](context)


def _list(context: Context) -> int:
    boards = use.list_boards(context.services)
    context.output.document({"boards": [board.to_json() for board in boards]})
    if not boards:
        context.output.text("No boards yet. Add one: rkdeck board add NAME USER@HOST")
        return 0
    rows = [
        (
            board.name,
            f"{board.user}@{board.host}:{board.port}",
            board.facts.title if board.facts else "not probed yet",
        )
        for board in boards
    ]
    context.output.table(("NAME", "ADDRESS", "BOARD"), rows)
    return 0


def _name(context: Context) -> str:
    name: str | None = context.options.name
    if not name:
        raise UsageError("cli.board_name", action=context.options.action)
    return name


def _add(context: Context) -> int:
    options = context.options
    if not options.address:
        raise UsageError("cli.board_address")
    draft = use.BoardDraft(
        name=_name(context),
        address=options.address,
        identity_file=Path(options.identity) if options.identity else None,
        password=_password() if options.password_stdin else None,
        store=options.store,
        sysroot=options.sysroot,
    )

    def tell_place(place: Place) -> None:
        if place == "memory":
            context.output.note("This computer has no keyring: the password is kept for this command only.")

    def add(fingerprint: str | None) -> Board:
        return use.add_board(context.services, draft, fingerprint, on_password_kept=tell_place)

    return _tell(context, _accepting(context, add))


def _password() -> str:
    password = sys.stdin.readline().rstrip("\n")
    if not password:
        raise UsageError("cli.password_missing")
    return password


def _accepting(context: Context, action: Callable[[str | None], Board]) -> Board:
    """Do something with a board; an unknown host key is shown and asked about when somebody is there to answer."""
    accepted: str | None = context.options.accept_host_key
    try:
        return action(accepted)
    except RefusedError as error:
        if not use.is_unknown_key(error) or accepted or not sys.stdin.isatty() or context.output.json:
            raise
        fingerprint = str(error.facts["fingerprint"])
        context.output.note(
            f"The board {error.facts['host']} shows this host key for the first time:\n  {fingerprint}"
        )
        context.output.note(
            "Compare it with the board's own: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"
        )
        if input("Is it the same? Then RKDeck remembers it. [y/N] ").strip().lower() not in {"y", "yes"}:
            raise
    return action(fingerprint)


def _remove(context: Context) -> int:
    board = use.remove_board(context.services, _name(context))
    context.output.document({"removed": board.to_json()})
    context.output.text(f"removed {board.name}; nothing was changed on the board itself")
    return 0


def _probe(context: Context) -> int:
    name = _name(context)
    return _tell(context, _accepting(context, lambda accepted: use.probe(context.services, name, accepted)))


def _tell(context: Context, board: Board) -> int:
    assert board.facts is not None
    context.output.document({"board": board.to_json()})
    for line in describe(board, board.facts):
        context.output.text(printable(line))
    return 0


def describe(board: Board, facts: BoardFacts) -> list[str]:
    """What a probe found, in lines; unknown is said to be unknown."""
    simulated = "  (SIMULATED)" if facts.simulated else ""
    driver = (
        f"{facts.npu_driver} {facts.npu_driver_version or 'unknown version'}"
        if facts.npu_driver
        else "none found"
    )
    mount = facts.mount_of(board.store) if board.store else None
    store = (
        f"{board.store} on {mount.medium}, {format_bytes(mount.free_bytes)} free" if mount else board.store
    )
    runtimes = ", ".join(f"{runtime.name} {runtime.version}" for runtime in facts.runtimes) or "none found"
    return [
        f"{board.name}: {facts.title}{simulated}",
        f"  SoC {facts.soc or 'unknown'}, {facts.npu_cores or 'unknown number of'} NPU cores, driver {driver}",
        f"  memory {format_bytes(facts.mem_available_bytes)} available of {format_bytes(facts.mem_total_bytes)}",
        f"  kernel {facts.kernel or 'unknown'}, models in {store or 'no folder yet'}",
        f"  runtimes: {runtimes}",
    ]


COMMANDS = (Command("board", _configure, _run),)
