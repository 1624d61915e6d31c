"""`rkdeck toolkit`: the Python environments that have rkllm-toolkit."""

import argparse
from pathlib import Path

from core.base.errors import UsageError
from core.base.names import printable
from core.base.opening import is_missing
from core.cli.command import Command, Context


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", choices=("list", "add", "remove"), default="list")
    parser.add_argument("python", nargs="?", metavar="PYTHON")


def _run(context: Context) -> int:
    return {"list": _list, "add": _add, "remove": _remove}[context.options.action](context)


def _needed(context: Context) -> Path:
    options = context.options
    if not options.python:
        raise UsageError("cli.toolkit_python", action=options.action)
    return Path(options.python)


def _add(context: Context) -> int:
    from core.usecases.conversion import add_toolkit

    python = _needed(context)
    if is_missing(python):
        raise UsageError("convert.input_missing", path=str(python))
    context.output.note(
        context.output.tr(
            "asking {python}; importing a toolkit may take minutes", python=printable(str(python))
        )
    )
    toolkit = add_toolkit(context.services, python)
    context.output.document(toolkit.to_json())
    context.output.text(
        context.output.tr(
            "added rkllm-toolkit {version} ({python})", version=toolkit.version, python=toolkit.python
        )
    )
    return 0


def _remove(context: Context) -> int:
    from core.usecases.conversion import remove_toolkit

    toolkit = remove_toolkit(context.services, _needed(context))
    context.output.document({"removed": toolkit.to_json()})
    context.output.text(
        context.output.tr(
            "removed rkllm-toolkit {version} ({python}); it stays installed",
            version=toolkit.version,
            python=toolkit.python,
        )
    )
    return 0


def _list(context: Context) -> int:
    from core.usecases.conversion import list_toolkits

    toolkits = list_toolkits(context.services)
    context.output.document({"toolkits": [toolkit.to_json() for toolkit in toolkits]})
    if not toolkits:
        context.output.text(
            context.output.tr(
                "No toolkit yet. Install Rockchip's rkllm-toolkit wheel in a Python environment of its own\n"
                "(Linux x86_64) and add it: rkdeck toolkit add /path/to/env/bin/python"
            )
        )
        return 0
    rows = [
        (toolkit.version, context.output.tr("simulated") if toolkit.simulated else "", str(toolkit.python))
        for toolkit in toolkits
    ]
    context.output.table(("VERSION", "", "PYTHON"), rows)
    return 0


COMMANDS = (Command("toolkit", _configure, _run),)
