"""`rkdeck estimate`: what fits and how fast, per quantization level, before the download."""

import argparse

from core.base.units import GIB, format_count
from core.cli.command import Command, Context


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a Hub id, or a folder starting with ./ or /")
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--platform", metavar="P", help="rk3588 (default), rk3576, rk3562 or rv1126b")
    target.add_argument("--board", metavar="NAME", help="a board you added: its platform and its memory")
    parser.add_argument("--context", type=int, metavar="N", help="context length in tokens (default 4096)")
    parser.add_argument("--cores", type=int, metavar="N", help="NPU cores (default: all)")
    parser.add_argument(
        "--prompt", type=int, default=128, metavar="N", help="prompt length in tokens for TTFT"
    )
    parser.add_argument("--revision", metavar="R", help="branch, tag or commit on the Hub")


def _run(context: Context) -> int:
    from core.cli.models import model_facts
    from core.estimate.platforms import get_platform
    from core.estimate.table import estimate_model

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
        context=options.context or services.settings.default_context,
        cores=options.cores,
        prompt=options.prompt,
        board_ram_bytes=board_ram_bytes,
    )
    context.output.document(estimate.to_json())
    show_estimate(context, estimate.to_json())
    return 0


def show_estimate(context: Context, document: dict) -> None:  # type: ignore[type-arg]
    """Print the level table for people."""
    out = context.output
    out.text(
        f"{document['model']}: {document['architecture']}, {format_count(document['parameters'])} parameters; "
        f"{document['platform']}, context {document['context']}, {document['confidence']}"
    )
    rows = []
    for level in document["levels"]:
        refused = (
            "" if level["supported"] or level["kind"] == "reference" else (level["reason"] or "not supported")
        )
        rows.append(
            (
                level["dtype"],
                _gib(level["rule_of_thumb_bytes"]),
                _gib(level["ram_bytes"]),
                f"{_gib(level['ram_low_bytes'])}..{_gib(level['ram_high_bytes'])}",
                _gib(level["file_bytes"]),
                _number(level["tokens_per_s"], 1),
                _number(level["ttft_ms"], 0),
                refused,
            )
        )
    header = ("LEVEL", "RULE GiB", "RAM GiB", "RANGE GiB", "FILE GiB", "TOKENS/S", "TTFT ms", "NOTE")
    out.table(header, rows, right=(1, 2, 3, 4, 5, 6))
    for note in document["notes"]:
        out.text(f"  note: {note}")


def _gib(size_bytes: int | None) -> str:
    return "-" if size_bytes is None else f"{size_bytes / GIB:.3f}"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


COMMANDS = (Command("estimate", _configure, _run),)
