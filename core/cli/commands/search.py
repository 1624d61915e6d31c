"""`rkdeck search`: models on the Hub."""

import argparse
import sys

from core.base.errors import JsonValue
from core.base.foreign import decimal
from core.base.names import printable
from core.base.units import format_count
from core.cli.command import Command, Context
from core.cli.parsing import needed, tr
from core.fitness.badge import Badge
from core.fitness.target import FitTarget
from core.usecases import fitting
from core.words import note_text, verdict_name

# Only repositories with files of a kind.
_KINDS = {"converted": "rkllm", "gguf": "gguf"}


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("query", metavar="QUERY")
    kinds = parser.add_mutually_exclusive_group()
    for name in _KINDS:
        kinds.add_argument(f"--{name}", action="store_true")
    parser.add_argument(
        "--sort", default="downloads", choices=("downloads", "likes", "updated", "created", "match")
    )
    parser.add_argument("--limit", type=int, default=20, metavar="N")
    parser.add_argument(
        "--platform",
        metavar="P",
    )
    parser.add_argument(
        "--max-ram",
        type=_memory,
        metavar="GIB",
    )


def _memory(text: str) -> float:
    """A size of memory in GiB from `--max-ram`; argparse words what is wrong."""
    refusal = tr("{text} is not a number of GiB, such as 8", text=printable(text))
    return needed(decimal(text, sys.float_info.epsilon), refusal)


def _run(context: Context) -> int:
    from core.hub.protocol import search
    from core.hub.records import SearchQuery
    from core.vendor.kinds import model_kinds

    options = context.options
    kind = next((model_kinds()[kind] for name, kind in _KINDS.items() if getattr(options, name)), None)
    query = SearchQuery(text=options.query, sort=options.sort, limit=options.limit, kind=kind)
    found = search(*context.services.hubs.searched_by(query))
    target = _target(context) if options.platform or options.max_ram is not None else None
    badges = {} if target is None else {model.repo: fitting.guess(model, target) for model in found}
    matched = bool(found)
    if options.max_ram is not None:
        # What the number of parameters does not decide stays in: `rkdeck estimate` reads the headers.
        found = [model for model in found if badges[model.repo].verdict != "failed"]
    models: list[JsonValue] = [{**model.to_json(), **_fit_json(badges.get(model.repo))} for model in found]
    context.output.document({"query": options.query, "models": models})
    if not found:
        context.output.text(_nothing(context, matched=matched))
        return 0
    unknown = context.output.tr("unknown")
    header: tuple[str, ...] = ("MODEL", "PARAMETERS", "DOWNLOADS", "LICENCE")
    rows: list[tuple[str, ...]] = [
        (model.repo, format_count(model.parameters), str(model.downloads), model.license or unknown)
        for model in found
    ]
    if target is not None:
        header = (*header, "FITS (GUESS)")
        rows = [(*row, _fit_text(badges[row[0]], context.output.language)) for row in rows]
    context.output.table(header, rows, right=(1, 2))
    return 0


def _nothing(context: Context, *, matched: bool) -> str:
    """Why there is no model to show: none has these words, or all that have them need more memory."""
    query, out = printable(context.options.query, 200), context.output
    if not matched:
        return out.tr('Nothing on the Hub matches "{query}". Try fewer words.', query=query)
    return out.tr(
        'What was found for "{query}" needs more memory than a board with {gib} GiB has. '
        "Without --max-ram it is listed.",
        query=query,
        gib=f"{context.options.max_ram:g}",
    )


def _target(context: Context) -> FitTarget:
    from core.estimate.fit import usable_bytes
    from core.vendor.platforms import get_platform

    options, settings = context.options, context.services.settings
    ram = None if options.max_ram is None else usable_bytes(options.max_ram)
    return FitTarget(
        get_platform(options.platform or settings.default_platform), settings.default_context, ram
    )


def _fit_json(badge: Badge | None) -> dict[str, JsonValue]:
    if badge is None:
        return {}
    return {
        "guess": {
            "verdict": badge.fits, "dtype": badge.dtype, "ram_low_bytes": badge.ram_low_bytes,
            "ram_high_bytes": badge.ram_high_bytes,
        }
    }  # fmt: skip


def _fit_text(badge: Badge, language: str) -> str:
    verdict = verdict_name(badge.fits or "unknown", language)
    return f"{verdict}: {note_text(badge.reason, language)}" if badge.reason is not None else verdict


COMMANDS = (Command("search", _configure, _run),)
