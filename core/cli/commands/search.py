"""`rkdeck search`: models on the Hub."""

import argparse

from core.base.units import format_count
from core.cli.command import Command, Context


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("query", help="words to look for")
    parser.add_argument(
        "--converted", action="store_true", help="only repositories with ready-made .rkllm files"
    )
    parser.add_argument(
        "--sort", default="downloads", choices=("downloads", "likes", "updated", "created", "match")
    )
    parser.add_argument("--limit", type=int, default=20, metavar="N")


def _run(context: Context) -> int:
    from core.hub.records import SearchQuery

    options = context.options
    query = SearchQuery(
        text=options.query, sort=options.sort, limit=options.limit, converted=options.converted
    )
    found = context.services.hub.search(query)
    context.output.document({"query": options.query, "models": [model.to_json() for model in found]})
    if not found:
        context.output.text(f"Nothing on the Hub matches {options.query!r}. Try fewer words.")
        return 0
    rows = [
        (
            model.repo,
            format_count(model.parameters),
            str(model.downloads),
            model.license or "unknown",
        )
        for model in found
    ]
    context.output.table(("MODEL", "PARAMETERS", "DOWNLOADS", "LICENCE"), rows, right=(1, 2))
    return 0


COMMANDS = (Command("search", _configure, _run),)
