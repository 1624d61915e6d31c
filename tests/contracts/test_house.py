"""The house rules that no linter knows."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from importlib import resources
from pathlib import Path

import pytest

import core

ROOT = Path(__file__).parents[2]
TREES = ("core", "gui", "resources", "tests")
FILES = sorted(path for tree in TREES for path in (ROOT / tree).rglob("*.py"))
CORE = [path for path in FILES if path.is_relative_to(ROOT / "core")]
MAX_LINES = 500
POSIX_CALLS = re.compile(
    r"\b(?:os\.(?:killpg|setsid|fork|setpgid|getpgid)|fcntl\.|preexec_fn|prctl|start_new_session)\b"
)
REACHING_OUT = {"socket", "subprocess", "shutil", "sqlite3", "urllib", "http", "paramiko", "huggingface_hub"}
FILE_CALLS = {"read_text", "read_bytes", "write_text", "write_bytes", "iterdir", "rglob"}
POSIX_FILES = {"core/jobs/process.py", "core/base/locks.py"}


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _imported(tree: ast.Module) -> set[str]:
    """The top-level packages a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_file_is_at_most_500_lines(path: Path) -> None:
    lines = len(path.read_text("utf-8").splitlines())
    assert lines <= MAX_LINES, (
        f"{_name(path)} has {lines} lines; a file holds at most {MAX_LINES}: split it by what its parts are about"
    )


@pytest.mark.parametrize("path", CORE, ids=_name)
def test_core_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text("utf-8"))), (
        f"{_name(path)} begins without a docstring: say in a sentence what the module is for"
    )


def test_every_room_of_core_has_its_tests_in_the_room_of_the_same_name() -> None:
    rooms = {path.name for path in (ROOT / "core").iterdir() if any(path.glob("*.py"))}
    tested = {path.name for path in (ROOT / "tests" / "core").iterdir() if any(path.rglob("test_*.py"))}
    assert not rooms - tested, f"no tests in {[f'tests/core/{room}' for room in sorted(rooms - tested)]}"
    assert not tested - rooms, f"tests of rooms that are not there: {sorted(tested - rooms)}; move them along"


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in CORE
        if _name(path) not in POSIX_FILES and "foreign" not in path.parts and "demo" not in path.parts
    ],
    ids=_name,
)
def test_posix_calls_stay_in_their_two_files(path: Path) -> None:
    found = POSIX_CALLS.search(path.read_text("utf-8"))
    assert not found, (
        f"{_name(path)} calls {found.group()}: such calls live in {' and '.join(sorted(POSIX_FILES))}, so that another"
        " system costs two files; add a function there and call that"
    )


@pytest.mark.parametrize("path", sorted((ROOT / "core/workers/foreign").glob("*.py")), ids=_name)
def test_foreign_programs_are_python_3_8_and_standard_library(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"), feature_version=(3, 8))
    # What they are made to drive; any of it may be missing, and is then told.
    allowed = sys.stdlib_module_names | {"_wire", "_render", "rkllm", "numpy", "torch", "transformers"}
    strange = _imported(tree) - allowed
    assert not strange, (
        f"{_name(path)} imports {sorted(strange)}: it runs under the toolkit's Python, where only the standard library"
        " and what it drives are there"
    )


@pytest.mark.parametrize("path", [path for path in FILES if path.is_relative_to(ROOT / "gui")], ids=_name)
def test_connections_are_bound_methods(path: Path) -> None:
    # A lambda, a partial or a nested function keeps its widget alive for ever.
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "connect"
        ):
            for argument in node.args:
                called = argument.func if isinstance(argument, ast.Call) else None
                name = getattr(called, "attr", getattr(called, "id", ""))
                bound = isinstance(argument, ast.Attribute | ast.Call) and name != "partial"
                assert bound, (
                    f"{_name(path)}:{node.lineno} connects {ast.unparse(argument)}, which would keep its widget alive"
                    " for ever: connect a bound method, with what it needs kept in self"
                )


@pytest.mark.parametrize("path", [path for path in FILES if path.is_relative_to(ROOT / "gui")], ids=_name)
def test_the_window_runs_no_nested_event_loop(path: Path) -> None:
    # The program's own loop, the tour's, a bench's; and a drag is a loop of the window system's.
    allowed = {"gui/app.py", "gui/walk/hand.py", "gui/walk/loop_watch.py", "gui/widgets/drag.py"}
    calls = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"exec", "exec_", "processEvents"}
    ]
    assert not calls or _name(path) in allowed, (
        f"{_name(path)} runs an event loop of its own in lines {calls}: open a dialog with open() and go on in a slot"
    )


@pytest.mark.parametrize("path", [path for path in FILES if path.is_relative_to(ROOT / "gui")], ids=_name)
def test_the_window_does_no_io(path: Path) -> None:
    # Texts, themes and icons come out of the package; the tour saves the pictures it was asked for.
    allowed = {
        "gui/start.py",
        "gui/theme.py",
        "gui/icons.py",
        "gui/walk/tour.py",
    }
    if _name(path) in allowed:
        return
    tree = ast.parse(path.read_text("utf-8"))
    cure = "the window does no input or output: add it to core/usecases and call it through the desk"
    reaching = _imported(tree) & REACHING_OUT
    assert not reaching, f"{_name(path)} imports {sorted(reaching)}; {cure}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            opens = called in FILE_CALLS or (called == "open" and isinstance(node.func, ast.Name))
            assert not opens, f"{_name(path)}:{node.lineno} calls {called}(); {cure}"


@pytest.mark.parametrize("path", [path for path in FILES if path.is_relative_to(ROOT / "gui")], ids=_name)
def test_the_window_asks_use_cases_and_no_service(path: Path) -> None:
    # Which settings are in use, which folders there are, what happened: known without asking anybody.
    known = {"settings", "paths", "events"}
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Attribute):
            owner = getattr(node.value, "attr", getattr(node.value, "id", ""))
            assert owner not in {"services", "_services"} or node.attr in known, (
                f"{_name(path)}:{node.lineno} asks the service {node.attr} itself: add it to core/usecases"
            )


def test_data_files_are_found_as_package_resources() -> None:
    for name in (
        "platforms.toml",
        "dtypes.toml",
        "runtimes.toml",
        "boards.toml",
        "board/sampler.sh",
        "board/probe.sh",
        "board/examine.sh",
    ):
        assert (resources.files("resources") / name).is_file(), name


def test_estimate_imports_nothing_heavy(tmp_path: Path) -> None:
    script = """
import sys
from gui.main import main
code = main(["estimate", "./resources/demo/wonderland-1m", "--context", "512", "--json", "--home", sys.argv[1]])
assert code == 0
heavy = {"numpy", "huggingface_hub", "paramiko", "keyring", "PySide6"} & set(sys.modules)
assert not heavy, f"estimate starts slower by {heavy}: import them in the function that needs them"
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["levels"]) == 15


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".py"], ids=_name)
def test_no_machine_paths_in_the_sources(path: Path) -> None:
    found = re.search(r"[\"'](?:/work/|/root/)", path.read_text("utf-8"))
    assert not found, f"{_name(path)} names a folder of one machine ({found.group()}...): make it an argument"


def test_the_rooms_are_listed_as_the_import_contract_has_them() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    listed = re.findall(r"^    (\w+) {2,}\S", core.__doc__ or "", re.MULTILINE)
    assert listed == [layer.strip("()") for layer in reversed(layers)]
    rooms = {
        path.stem
        for path in (ROOT / "core").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    assert rooms - {"__init__"} == {*listed, "demo", "workers"}


@pytest.mark.parametrize(
    "path", [path for path in FILES if not path.is_relative_to(ROOT / "tests")], ids=_name
)
def test_kinds_of_jobs_are_named_in_their_records_only(path: Path) -> None:
    # `spec.kind == "deploy"` is a rule about a kind that its record (`core.jobs.order.JobKind`) should say.
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Compare) or not isinstance(node.left, ast.Attribute):
            continue
        owner = node.left.value
        if node.left.attr != "kind" or getattr(owner, "attr", getattr(owner, "id", "")) != "spec":
            continue
        for side in node.comparators:
            literal = [inner for inner in ast.walk(side) if isinstance(inner, ast.Constant)]
            assert not literal, (
                f"{_name(path)}:{node.lineno} names a kind of job: ask its record, or compare with ORDER.kind.name"
            )
