"""`rkdeck board`: the boards RKDeck knows; the host key is shown and asked about once."""

import argparse
from collections.abc import Callable
from pathlib import Path

from core.base.errors import JsonValue, RefusedError, UsageError
from core.base.foreign import decimal
from core.base.names import printable
from core.base.secrets import Place
from core.base.units import format_bytes
from core.boards.discovery import DEFAULT_SECONDS
from core.boards.facts import BoardFacts
from core.boards.records import Board
from core.cli.asking import accepting, logging_in, read_secret, wants_new_key
from core.cli.command import Command, Context
from core.cli.output import Output
from core.cli.parsing import needed, tr
from core.usecases import boards as use
from core.usecases import reaching
from core.usecases.discovery import discover_boards
from core.words import value_word


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", choices=tuple(_ACTIONS), default="list")
    parser.add_argument("name", nargs="?", metavar="NAME")
    parser.add_argument("address", nargs="?", metavar="[USER@]HOST[:PORT]")
    parser.add_argument("--identity", metavar="F")
    parser.add_argument(
        "--password-stdin",
        action="store_true",
    )
    parser.add_argument(
        "--new-password-stdin",
        action="store_true",
    )
    parser.add_argument("--store", metavar="DIR")
    parser.add_argument(
        "--accept-host-key",
        metavar="SHA256:...",
        action="append",
    )
    parser.add_argument("--replaced", action="store_true")
    parser.add_argument(
        "--seconds",
        type=_seconds,
        default=DEFAULT_SECONDS,
        metavar="S",
    )
    parser.add_argument("--sysroot", default="", help=argparse.SUPPRESS)


def _seconds(text: str) -> float:
    """How long to listen, from `--seconds`; argparse words what is wrong."""
    refusal = tr("{text} is not a number of seconds from 0.1 to 3600", text=printable(text))
    return needed(decimal(text, 0.1, 3600), refusal)


def _run(context: Context) -> int:
    return _ACTIONS[context.options.action](context)


def _list(context: Context) -> int:
    boards = use.list_boards(context.services)
    context.output.document({"boards": [board.to_json() for board in boards]})
    if not boards:
        context.output.text(context.output.tr("No boards yet. Add one: rkdeck board add NAME USER@HOST"))
        return 0
    rows = [
        (
            board.name,
            f"{board.user}@{board.host}:{board.port}",
            _title(board.facts, context.output),
        )
        for board in boards
    ]
    context.output.table(("NAME", "ADDRESS", "BOARD"), rows)
    return 0


def _title(facts: BoardFacts | None, output: Output) -> str:
    if facts is None:
        return output.tr("not probed yet")
    return facts.title or output.tr("unknown board")


def _name(context: Context) -> str:
    name: str | None = context.options.name
    if not name:
        raise UsageError("cli.board_name", action=context.options.action)
    return name


def _address(context: Context) -> str:
    address: str | None = context.options.address
    if not address:
        raise UsageError("cli.board_address")
    return address


def _add(context: Context) -> int:
    options = context.options
    address = _address(context)
    reads = options.password_stdin or options.new_password_stdin
    draft = use.BoardDraft(
        name=_name(context),
        address=address,
        identity_file=Path(options.identity) if options.identity else None,
        password=read_secret() if reads else None,
        store=options.store,
        sysroot=options.sysroot,
    )
    new_password = read_secret() if options.new_password_stdin else None

    def tell_place(place: Place) -> None:
        if place == "memory":
            context.output.note(
                context.output.tr("This computer has no keyring: the password is kept for this command only.")
            )

    def log_in(fingerprint: str | None) -> Board:
        return logging_in(
            context,
            draft,
            lambda current: use.add_board(
                context.services, current, fingerprint, on_password_kept=tell_place
            ),
            lambda current, new: reaching.renew_password(context.services, current, new, fingerprint),
            new_password,
        )

    def add(fingerprint: str | None) -> Board:
        taken: list[tuple[str, int]] = []
        while True:
            try:
                return log_in(fingerprint)
            except RefusedError as error:
                place, shown = reaching.place_of_key(error), str(error.facts.get("fingerprint"))
                if place is None or place in taken or not reaching.is_changed_jump_key(error):
                    raise
                if not wants_new_key(context, error, fingerprint):
                    raise
            taken.append(place)
            _tell_hop(context, reaching.accept_jump_key(context.services, draft, shown, place))

    board = accepting(context, add)
    twins = use.same_hardware(context.services, board)
    if twins:
        known = context.services.boards.get(twins[0])
        context.output.note(
            context.output.tr(
                "This is the board you have already added as {known} ({place}). If its address has changed: "
                "rkdeck board remove {name}, then rkdeck board move {known} {address}",
                known=known.name,
                place=f"{known.user}@{known.host}:{known.port}",
                name=board.name,
                address=address,
            )
        )
    return _tell(context, board, same_hardware_as=list(twins))


def _remove(context: Context) -> int:
    board = use.remove_board(context.services, _name(context))
    context.output.document({"removed": board.to_json()})
    context.output.text(
        context.output.tr("removed {name}; nothing was changed on the board itself", name=board.name)
    )
    return 0


def _probe(context: Context) -> int:
    name, replaced = _name(context), context.options.replaced

    def probe(fingerprint: str | None) -> Board:
        taken: list[tuple[str, int] | None] = []
        while True:
            try:
                return use.probe(context.services, name, fingerprint, replaced=replaced)
            except RefusedError as error:
                place, shown = reaching.place_of_key(error), str(error.facts.get("fingerprint"))
                if not reaching.is_changed_key(error) or place in taken:
                    raise
                if not wants_new_key(context, error, fingerprint):
                    raise
            taken.append(place)
            found = reaching.accept_new_key(context.services, name, shown, place=place, replaced=replaced)
            if found.hop is not None:
                _tell_hop(context, found)
                continue
            if found.match == "same":
                context.output.note(
                    context.output.tr("The hardware is the same as before: the new host key is remembered.")
                )
            return found.board

    return _tell(context, accepting(context, probe))


def _tell_hop(context: Context, found: reaching.Recognised) -> None:
    hop = printable(str(found.hop))
    context.output.note(context.output.tr("The new host key of {host} is remembered.", host=hop))


def _move(context: Context) -> int:
    name, address = _name(context), _address(context)
    found = accepting(
        context, lambda accepted: reaching.move_board(context.services, name, address, accepted)
    )
    return _tell(context, found.board)


def _discover(context: Context) -> int:
    context.output.note(
        context.output.tr("Listening for {seconds} s ...", seconds=f"{context.options.seconds:g}")
    )
    found = discover_boards(context.services, context.options.seconds)
    context.output.document({"candidates": [entry.to_json() for entry in found]})
    if not found:
        context.output.text(
            context.output.tr(
                "No computer announced itself. Many images do not: look for the board's address in your router."
            )
        )
        return 0
    rows = [
        (
            entry.candidate.name,
            entry.candidate.address,
            "ssh" if entry.candidate.port is not None else "",
            context.output.tr("{board} (moved)", board=entry.board) if entry.moved else entry.board or "",
        )
        for entry in found
    ]
    context.output.table(("NAME", "ADDRESS", "ANNOUNCES", "KNOWN AS"), rows)
    return 0


def _tell(context: Context, board: Board, **more: JsonValue) -> int:
    assert board.facts is not None
    context.output.document({"board": board.to_json(), **more})
    for line in describe(board, board.facts, context.output):
        context.output.text(printable(line))
    return 0


def describe(board: Board, facts: BoardFacts, output: Output) -> list[str]:
    """What a probe found, in lines; unknown is said to be unknown."""
    tr, unknown = output.tr, output.tr("unknown")
    simulated = "  " + tr("(SIMULATED)") if facts.simulated else ""
    version = facts.npu_driver_version or tr("unknown version")
    driver = f"{facts.npu_driver} {version}" if facts.npu_driver else tr("none found")
    mount = facts.mount_of(board.store) if board.store else None
    store = board.store or tr("no folder yet")
    if mount is not None:
        medium = str(value_word("medium", mount.medium, output.language))
        store = tr(
            "{store} on {medium}, {size} free",
            store=store,
            medium=medium,
            size=format_bytes(mount.free_bytes),
        )
    runtimes = ", ".join(f"{one.name} {one.version}" for one in facts.runtimes) or tr("none found")
    return [
        f"{board.name}: {_title(facts, output)}{simulated}",
        tr(
            "  SoC {soc}, {cores} NPU cores, driver {driver}",
            soc=facts.soc or unknown,
            cores=facts.npu_cores or tr("unknown number of"),
            driver=driver,
        ),
        tr(
            "  memory {free} available of {total}",
            free=format_bytes(facts.mem_available_bytes),
            total=format_bytes(facts.mem_total_bytes),
        ),
        tr("  kernel {kernel}, models in {store}", kernel=facts.kernel or unknown, store=store),
        tr("  runtimes: {runtimes}", runtimes=runtimes),
    ]


_ACTIONS: dict[str, Callable[[Context], int]] = {
    "list": _list,
    "add": _add,
    "remove": _remove,
    "move": _move,
    "probe": _probe,
    "discover": _discover,
}

COMMANDS = (Command("board", _configure, _run),)
