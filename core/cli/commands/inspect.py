"""`rkdeck inspect`: what a model file is, from its first and last bytes, also on the Hub."""

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING

from core.base.errors import JsonValue, RefusedError
from core.base.units import format_bytes, format_count
from core.cli.command import Command, Context
from core.cli.models import existing_path, is_path
from core.cli.output import Output
from core.words import value_word

if TYPE_CHECKING:
    from core.model.inspect import Inspection

# What is shown of a kind, where that is not what an .rkllm file has.
_RKLLM = ("architecture", "platform", "dtype", "max_context", "npu_cores", "toolkit_version")
_MEMBERS: Mapping[str, tuple[str, ...]] = {
    "gguf": (
        "role",
        "architecture",
        "dtype",
        "parameters",
        "max_context",
        "tokenizer",
        "chat_template",
        "part",
    ),
}


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE|REPO/FILE")


def _run(context: Context) -> int:
    from core.model.inspect import inspect_file
    from core.usecases.hub import inspect_on_hub

    text = context.options.file
    if is_path(text) and existing_path(text).is_dir():
        raise RefusedError("cli.inspects_files", path=text)
    inspection = (
        inspect_file(existing_path(text)) if is_path(text) else inspect_on_hub(context.services, text)
    )
    document = inspection.to_json()
    context.output.document(document)
    context.output.members(_shown(inspection, document, context.output))
    return 0


def _shown(
    inspection: "Inspection", document: Mapping[str, JsonValue], output: Output
) -> list[tuple[str, str]]:
    rows = []
    for key in ("kind", *_MEMBERS.get(inspection.kind, _RKLLM)):
        value, basis = document[key], inspection.fields.get(key)
        if key == "part" and inspection.parts == 1:
            continue  # all of it lies in this file
        told = _told(key, value, output)
        if key == "part" and inspection.parts is not None:
            told = f"{told}/{inspection.parts}"
        rows.append(
            (key, told if basis is None else f"{told} ({value_word('basis', basis, output.language)})")
        )
    rows.append(("size", format_bytes(inspection.size_bytes)))
    problems = (str(value_word("problems", problem, output.language)) for problem in inspection.problems)
    return rows + [("problem", problem) for problem in problems]


def _told(key: str, value: JsonValue, output: Output) -> str:
    if value is None:
        return output.tr("unknown")
    if key == "parameters" and isinstance(value, int):
        return format_count(value)
    if isinstance(value, bool):
        return output.tr("yes") if value else output.tr("no")
    return str(value_word(key, value, output.language))


COMMANDS = (Command("inspect", _configure, _run),)
