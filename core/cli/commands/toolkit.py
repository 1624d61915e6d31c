"""`rkdeck toolkit`: the Python environments that have rkllm-toolkit."""

import argparse
from pathlib import Path

from core.base.errors import UsageError
from core.cli.command import Command, Context


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", choices=("list", "add"), default="list")
    parser.add_argument("python", nargs="?", metavar="PYTHON", help="the interpreter of the environment")


def _run(context: Context) -> int:
    registry = context.services.toolkits
    if context.options.action == "add":
        if not context.options.python:
            raise UsageError("cli.toolkit_python")
        # Not resolved: a venv's python is a link, and the link is what makes it the venv's.
        toolkit = registry.add(Path(context.options.python).absolute())
        context.output.document(toolkit.to_json())
        context.output.text(f"added rkllm-toolkit {toolkit.version} ({toolkit.python})")
        return 0
    toolkits = registry.list()
    context.output.document({"toolkits": [toolkit.to_json() for toolkit in toolkits]})
    if not toolkits:
        context.output.text(
            "No toolkit yet. Install Rockchip's rkllm-toolkit wheel in a Python environment of its own\n"
            "(Linux x86_64) and add it: rkdeck toolkit add /path/to/env/bin/python"
        )
        return 0
    rows = [
        (toolkit.version, "simulated" if toolkit.simulated else "", str(toolkit.python))
        for toolkit in toolkits
    ]
    context.output.table(("VERSION", "", "PYTHON"), rows)
    return 0


COMMANDS = (Command("toolkit", _configure, _run),)
