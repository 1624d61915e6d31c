"""`rkdeck estimate`: what fits and how fast, per quantization level, before the download."""

import argparse
from typing import TYPE_CHECKING

from core.base.foreign import number
from core.base.names import printable
from core.base.units import GIB, format_count
from core.cli.command import Command, Context
from core.cli.output import Output
from core.words import note_text, value_word

if TYPE_CHECKING:
    from core.estimate.records import Estimate, LevelEstimate
    from core.lab.perplexity.records import PerplexityRun


def _configure(parser: argparse.ArgumentParser) -> None:
    from core.vendor.platforms import load_platforms

    parser.add_argument("model", metavar="MODEL")
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--platform", metavar="P", help=", ".join(load_platforms()))
    target.add_argument("--board", metavar="NAME")
    parser.add_argument("--context", type=int, metavar="N")
    parser.add_argument("--cores", type=int, metavar="N")
    parser.add_argument("--prompt", type=int, default=128, metavar="N")
    parser.add_argument("--revision", metavar="R")


def _run(context: Context) -> int:
    from core.cli.models import model_facts
    from core.estimate.table import estimate_model
    from core.vendor.platforms import get_platform

    options, services = context.options, context.services
    platform_name, board_ram_bytes = options.platform or services.settings.default_platform, None
    if options.board:
        board = services.boards.get(options.board)
        if board.facts is not None:
            platform_name = board.facts.soc or platform_name
            board_ram_bytes = board.facts.mem_total_bytes
    estimate = estimate_model(
        model_facts(services, options.model, options.revision),
        get_platform(platform_name),
        context=services.settings.default_context if options.context is None else options.context,
        cores=options.cores,
        prompt=options.prompt,
        board_ram_bytes=board_ram_bytes,
    )
    context.output.document(estimate.to_json())
    if not context.output.json:
        show_estimate(context, estimate, _measured(context))
    return 0


def _measured(context: Context) -> "PerplexityRun | None":
    """The newest perplexities of the model as it lies here, if any were measured."""
    from core.cli.models import existing_path, is_path
    from core.hub.addresses import usual_id
    from core.usecases.perplexity import newest_run, stored_for_folder

    options, services = context.options, context.services
    path = existing_path(options.model) if is_path(options.model) else None
    item = services.library.find_source(str(path) if path else usual_id(options.model))
    if item is not None and options.revision not in {None, item.revision}:
        return None
    folder = path or (item.path if item else None)
    return None if folder is None else newest_run(stored_for_folder(services, folder, item))


def show_estimate(context: Context, estimate: "Estimate", measured: "PerplexityRun | None" = None) -> None:
    """Print the level table for people, with the perplexities that were measured."""
    out = context.output
    document, tr = estimate.to_json(), out.tr
    out.text(
        tr(
            "{model}: {architecture}, {parameters} parameters; {platform}, context {context}, {confidence}",
            model=document["model"],
            architecture=document["architecture"],
            parameters=format_count(estimate.parameters),
            platform=document["platform"],
            context=document["context"],
            confidence=value_word("confidence", document["confidence"], out.language),
        )
    )
    rows = [_row(out, level, measured) for level in estimate.rows]
    perplexity = ("PERPLEXITY",) if measured else ()
    header = (
        "LEVEL",
        "RULE GiB",
        "RAM GiB",
        "RANGE GiB",
        "FILE GiB",
        "TOKENS/S",
        "TTFT ms",
        *perplexity,
        "NOTE",
    )
    out.table(header, rows, right=tuple(range(1, len(header) - 1)))
    if measured:
        out.text(
            tr(
                "  perplexity: measured on {text}, {windows} windows of {window} tokens, by {engine}",
                text=printable(measured.text),
                windows=measured.windows,
                window=measured.window,
                engine=measured.engine,
            )
        )
    for note in estimate.notes:
        out.text("  " + tr("note: {text}", text=note_text(note, out.language)))


def _row(out: Output, row: "LevelEstimate", measured: "PerplexityRun | None") -> tuple[str, ...]:
    level = row.to_json()
    refused = ""
    if not row.supported:
        refused = note_text(row.reason, out.language) if row.reason else out.tr("not supported")
    return (
        row.dtype,
        _gib(number(level["rule_of_thumb_bytes"])),
        _gib(number(level["ram_bytes"])),
        _range(number(level["ram_low_bytes"]), number(level["ram_high_bytes"])),
        _gib(number(level["file_bytes"])),
        _number(number(level["tokens_per_s"]), 1),
        _number(number(level["ttft_ms"]), 0),
        *_perplexity(measured, row.dtype),
        refused,
    )


def _perplexity(measured: "PerplexityRun | None", level: str) -> tuple[str, ...]:
    if measured is None:
        return ()
    result = measured.result(level)
    return (_number(result.perplexity if result else None, 3),)


def _gib(size_bytes: float | None) -> str:
    return "-" if size_bytes is None else f"{size_bytes / GIB:.3f}"


def _range(low_bytes: float | None, high_bytes: float | None) -> str:
    return "-" if low_bytes is None or high_bytes is None else f"{_gib(low_bytes)}..{_gib(high_bytes)}"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


COMMANDS = (Command("estimate", _configure, _run),)
