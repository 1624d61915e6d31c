"""`rkdeck selftest`: is this installation whole? For bundles, bug reports and the first minute."""

import argparse
import importlib
from collections.abc import Callable

from core.base.errors import RKDeckError
from core.base.log import redact
from core.base.paths import AppPaths
from core.base.temporary import temporary_folder
from core.base.trouble import system_said
from core.cli.command import Command, Context
from core.cli.output import Output
from core.words import field_name

_ROOMS = (
    "core.hub.huggingface.client", "core.estimate.table", "core.convert.run", "core.boards.probe", "core.deploy.run",
    "core.serve.service", "core.monitor.sampler", "core.library.library",
)  # fmt: skip
_DATA = (
    "platforms.toml",
    "dtypes.toml",
    "runtimes.toml",
    "boards.toml",
    "board/sampler.sh",
    "board/probe.sh",
    "board/examine.sh",
)


def _configure(parser: argparse.ArgumentParser) -> None:
    """No options."""


def _imports(output: Output) -> str:
    for name in _ROOMS:
        importlib.import_module(name)
    return output.tr("{n} rooms", n=len(_ROOMS))


def _data(output: Output) -> str:
    from importlib import resources

    from core.vendor.levels import load_levels
    from core.vendor.platforms import load_platforms

    for name in _DATA:
        (resources.files("resources") / name).read_bytes()
    return output.tr(
        "{platforms} platforms, {levels} levels", platforms=len(load_platforms()), levels=len(load_levels())
    )


def _database(output: Output) -> str:
    from core.base.database import Database

    with temporary_folder("selftest") as folder:
        database = Database(folder / "test.sqlite3")
        tables = database.query("SELECT name FROM sqlite_master WHERE type = 'table'")
        database.close()
    return output.tr("{n} tables", n=len(tables))


def _worker(output: Output) -> str:
    from core.jobs.manager import JobManager
    from core.jobs.selftest import SelftestOrder

    with temporary_folder("selftest") as folder:
        paths = AppPaths(folder / "home")
        paths.ensure()
        jobs = JobManager(paths)
        try:
            result = jobs.submit(SelftestOrder()).result(timeout_s=30)
            return output.tr("process {pid} answered", pid=result["pid"])
        finally:
            jobs.close()


_CHECKS: dict[str, Callable[[Output], str]] = {
    "imports": _imports, "data": _data, "database": _database, "worker": _worker,
}  # fmt: skip


def _run(context: Context) -> int:
    results, failed = {}, []
    for name, check in _CHECKS.items():
        try:
            results[name] = check(context.output)
        except Exception as error:  # noqa: BLE001  # whatever is broken is the answer
            known = error if isinstance(error, RKDeckError) else system_said(error)
            known = known or RKDeckError(
                "cli.fault_outside", fault=type(error).__name__, text=redact(str(error))[:500]
            )
            told = context.output.sentence(known).rstrip(".")
            results[name] = context.output.tr("FAILED: {what}", what=told)
            failed.append(name)
    context.output.members(list(results.items()))
    if failed:
        raise RKDeckError(
            "cli.selftest_failed",
            failed=", ".join(field_name(name, context.output.language) for name in failed),
        )
    context.output.document({"ok": True, "checks": dict(results)})
    return 0


COMMANDS = (Command("selftest", _configure, _run, needs_services=False),)
