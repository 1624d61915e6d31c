"""`rkdeck inspect`: what a .rkllm file is, from its first and last bytes, also on the Hub."""

import argparse

from core.base.units import format_bytes
from core.cli.command import Command, Context
from core.cli.models import existing_path, is_path
from core.words import value_word


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE|REPO/FILE")


def _run(context: Context) -> int:
    from core.model.inspect import inspect_file
    from core.usecases.hub import inspect_on_hub

    text = context.options.file
    inspection = (
        inspect_file(existing_path(text)) if is_path(text) else inspect_on_hub(context.services, text)
    )
    document, tr = inspection.to_json(), context.output.tr
    context.output.document(document)
    fields = document["fields"]
    for key in ("kind", "architecture", "platform", "dtype", "max_context", "npu_cores", "toolkit_version"):
        value, basis = document[key], fields.get(key, "") if isinstance(fields, dict) else ""
        context.output.text(
            f"{key:>16}  {tr('unknown') if value is None else value}" + (f"  ({basis})" if basis else "")
        )
    context.output.text(f"{tr('size'):>16}  {format_bytes(inspection.size_bytes)}")
    problems = document["problems"]
    for problem in problems if isinstance(problems, list) else []:
        context.output.text(
            f"{tr('problem'):>16}  {value_word('problems', problem, context.output.language)}"
        )
    return 0


COMMANDS = (Command("inspect", _configure, _run),)
