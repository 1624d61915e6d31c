"""`rkdeck library`: what is on this computer."""

import argparse

from core.base.errors import UsageError
from core.base.left_out import tellings
from core.base.units import format_bytes
from core.cli.command import Command, Context
from core.cli.models import existing_path
from core.cli.output import Output
from core.library.records import LibraryItem
from core.usecases.library import add_path, list_items, remove_item, verify_item


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", choices=("list", "add", "remove", "verify"), default="list")
    parser.add_argument("what", nargs="?", metavar="PATH|ID")


def _run(context: Context) -> int:
    return {"list": _list, "add": _add, "remove": _remove, "verify": _verify}[context.options.action](context)


def _list(context: Context) -> int:
    items = list_items(context.services)
    context.output.document({"items": [item.to_json() for item in items]})
    if not items:
        context.output.text(context.output.tr("The library is empty. `rkdeck download REPO` fills it."))
        return 0
    rows = [
        (item.id, _kind(item, context.output), format_bytes(item.size_bytes), item.title, str(item.path))
        for item in items
    ]
    context.output.table(("ID", "KIND", "SIZE", "TITLE", "PATH"), rows, right=(2,))
    return 0


def _kind(item: LibraryItem, output: Output) -> str:
    return output.tr("source") if item.is_source else item.kind


def _needed(context: Context) -> str:
    what: str | None = context.options.what
    if not what:
        raise UsageError("cli.library_what", action=context.options.action)
    return what


def _add(context: Context) -> int:
    item = add_path(context.services, existing_path(_needed(context)))
    context.output.document(item.to_json())
    size = format_bytes(item.size_bytes)
    context.output.text(
        context.output.tr("added {id}: {title}, {size}", id=item.id, title=item.title, size=size)
    )
    for telling in tellings(item.left_out):
        context.output.note(context.output.sentence(telling))
    return 0


def _remove(context: Context) -> int:
    item = remove_item(context.services, _needed(context))
    context.output.document({"removed": item.to_json()})
    size = format_bytes(item.size_bytes)
    context.output.text(
        context.output.tr("removed {id}: {title}, {size}", id=item.id, title=item.title, size=size)
    )
    return 0


def _verify(context: Context) -> int:
    services, what = context.services, context.options.what
    ids = [what] if what else [item.id for item in list_items(services)]
    found = {item_id: verify_item(services, item_id) for item_id in ids}
    context.output.document(
        {
            "items": [
                {"id": key, "problems": [problem.to_json() for problem in value]}
                for key, value in found.items()
            ]
        }
    )
    for key, problems in found.items():
        context.output.text(
            f"{key}: " + ("; ".join(map(context.output.sentence, problems)) or context.output.tr("ok"))
        )
    return 1 if any(found.values()) else 0


COMMANDS = (Command("library", _configure, _run),)
