"""Imports that import-linter does not see: circles, also of late imports, and who may know a foreign package."""

import ast
import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Who alone may import it: behind these modules it can be exchanged.
ONLY_IN = {
    "huggingface_hub": ("core.hub.huggingface",),
    # The runtime libraries of the vendor are no model of a hub.
    "httpx2": ("core.base.network", "core.hub.huggingface", "core.boards.doctor.shelf"),
    "keyring": ("core.base.secrets", "core.usecases.environment"),
    "zeroconf": ("core.boards.discovery",),
}

# Who imports one of these keeps something, waits for somebody else or starts a program.
REACHING = (
    "httpx2", "huggingface_hub", "keyring", "paramiko", "psutil", "socket", "sqlite3", "subprocess", "zeroconf",
    "core.base.atomic", "core.base.database", "core.base.locks", "core.remote.session",
)  # fmt: skip
# The use cases' own floor and those above it. `core.fitness.sight` joins what was read of boards, which the window
# may, and reads one, which only a use case does.
MAY_REACH = ("core.cli", "core.demo", "core.services", "core.showcase", "core.usecases", "core.workers")
KNOWN_TO_THE_WINDOW = ("core.fitness.sight",)


@cache
def _modules() -> dict[str, ast.Module]:
    found = {}
    for tree in ("core", "gui", "resources"):
        for path in (ROOT / tree).rglob("*.py"):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            found[name] = ast.parse(path.read_text("utf-8"))
    return found


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            # A name of a package may be a module or only something in it; both are looked up.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
            yield node.module


def test_no_modules_import_each_other_in_a_circle() -> None:
    modules = _modules()
    graph: dict[str, set[str]] = {}
    for name, tree in modules.items():
        named = {found for found in _imports(tree) if found in modules and found != name}
        # `from package import module` needs the module; the package itself only where a name is taken out of it.
        graph[name] = {one for one in named if not any(other.startswith(f"{one}.") for other in named)}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail("modules import each other: " + " -> ".join(reversed(error.args[1])))


@pytest.mark.parametrize("package", ONLY_IN)
def test_a_foreign_package_is_known_in_one_place(package: str) -> None:
    importers = [
        name
        for name, tree in _modules().items()
        if any(found == package or found.startswith(f"{package}.") for found in _imports(tree))
    ]
    assert importers, f"nobody imports {package} any more: take it out of this table"
    strays = [name for name in importers if not name.startswith(ONLY_IN[package])]
    assert not strays, f"only {', '.join(ONLY_IN[package])} may import {package}"


def test_the_windows_contract_knows_every_module_that_reaches_out() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    contracts = tomllib.loads(text)["tool"]["importlinter"]["contracts"]
    (closed,) = (
        contract["forbidden_modules"] for contract in contracts if contract.get("source_modules") == ["gui"]
    )
    reaching = {
        name
        for name, tree in _modules().items()
        if name.startswith("core.")
        and not name.startswith((*MAY_REACH, *KNOWN_TO_THE_WINDOW))
        and any(_is_in(found, REACHING) for found in _imports(tree))
    }
    open_to_it = sorted(name for name in reaching if not _is_in(name, closed))
    assert not open_to_it, f"add {open_to_it} to what the window may not import (pyproject.toml)"


def _is_in(name: str, packages: Sequence[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)
