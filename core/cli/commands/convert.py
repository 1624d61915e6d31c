"""`rkdeck convert`: a source model becomes a .rkllm file, by the user's rkllm-toolkit."""

import argparse
from pathlib import Path

from core.base.foreign import number
from core.base.units import format_bytes, format_duration
from core.cli.command import Command, Context
from core.cli.following import run_job
from core.words import word


def _configure(parser: argparse.ArgumentParser) -> None:
    from core.vendor.levels import PLAIN_ALGORITHM, load_levels
    from core.vendor.platforms import load_platforms

    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("--platform", metavar="P", required=True, help=", ".join(load_platforms()))
    parser.add_argument(
        "--dtype",
        metavar="D",
        required=True,
        help=" ".join(level.name for level in load_levels() if level.kind == "rkllm"),
    )
    parser.add_argument("--algorithm", metavar="A", default=PLAIN_ALGORITHM)
    parser.add_argument("--context", type=int, metavar="N")
    parser.add_argument("--cores", type=int, metavar="N")
    parser.add_argument("--optimization", type=int, choices=(0, 1), default=1)
    parser.add_argument("--dataset", metavar="F")
    parser.add_argument("--hybrid-rate", type=float, default=0.0, metavar="X")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--load-dtype", metavar="T", default="float32")
    parser.add_argument("--lora", metavar="DIR")
    parser.add_argument("--toolkit", metavar="PYTHON")
    parser.add_argument("--output", metavar="F")
    parser.add_argument("--force", action="store_true")


def _path(text: str | None) -> Path | None:
    return Path(text).absolute() if text else None


def _run(context: Context) -> int:
    from core.cli.models import local_source
    from core.convert.plan import start_warnings
    from core.convert.recipe import Recipe
    from core.usecases.conversion import convert

    options, services = context.options, context.services
    folder, item = local_source(services, options.model)
    recipe = Recipe(
        platform=options.platform,
        dtype=options.dtype,
        context=services.settings.default_context if options.context is None else options.context,
        cores=options.cores,
        algorithm=options.algorithm,
        optimization=options.optimization,
        dataset=_path(options.dataset),
        hybrid_rate=options.hybrid_rate,
        device=options.device,
        load_dtype=options.load_dtype,
        lora=_path(options.lora),
    )
    handle = convert(
        services,
        folder,
        recipe,
        item=item,
        toolkit_python=_path(options.toolkit),
        output=_path(options.output),
        force=options.force,
    )
    for warning in start_warnings(handle):
        told = " ".join(word(warning, context.output.language))
        context.output.note(context.output.tr("note: {text}", text=told))
    result = run_job(handle, context.output)
    if not isinstance(result, dict):
        return result.exit_code
    context.output.text(
        context.output.tr(
            "{path}: {size}, {dtype} for {platform}, rkllm-toolkit {version}, {time}",
            path=result["path"],
            size=format_bytes(number(result["size_bytes"])),
            dtype=result["dtype"],
            platform=result["platform"],
            version=result["toolkit_version"],
            time=format_duration(number(result["seconds"])),
        )
        + ("  " + context.output.tr("(SIMULATED toolkit)") if result["simulated"] else "")
    )
    return 0


COMMANDS = (Command("convert", _configure, _run, lines=True),)
