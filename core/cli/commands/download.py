"""`rkdeck download`: a model from the Hub into the library, resumed after any interruption."""

import argparse
from pathlib import Path

from core.base.errors import error_from_json
from core.base.foreign import number
from core.base.units import format_bytes, format_duration
from core.cli.command import Command, Context
from core.cli.following import run_job
from core.words import word


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("repo", metavar="REPO")
    parser.add_argument("--revision", metavar="R")
    parser.add_argument("--include", metavar="G", action="append", default=[])
    parser.add_argument("--exclude", metavar="G", action="append", default=[])
    parser.add_argument("--to", metavar="DIR")


def _run(context: Context) -> int:
    from core.hub.pasted import read_model_id
    from core.usecases.hub import download

    options = context.options
    handle, plan = download(
        context.services,
        read_model_id(options.repo),
        revision=options.revision,
        include=options.include,
        exclude=options.exclude,
        to=Path(options.to).absolute() if options.to else None,
    )
    result = run_job(handle, context.output)
    if not isinstance(result, dict):
        return result.exit_code
    files = result["files"]
    context.output.text(
        context.output.trn(
            "{repo} is in {path}: {n} file, {size} fetched in {time}",
            "{repo} is in {path}: {n} files, {size} fetched in {time}",
            len(files) if isinstance(files, list) else len(plan.files),
            repo=result["repo"],
            path=result["path"],
            size=format_bytes(number(result["bytes_fetched"])),
            time=format_duration(number(result["seconds"])),
        )
    )
    problem = result.get("problem")
    if isinstance(problem, dict):
        told = " ".join(word(error_from_json(problem), context.output.language))
        context.output.note(context.output.tr("note: {text}", text=told))
    return 0


COMMANDS = (Command("download", _configure, _run, lines=True),)
