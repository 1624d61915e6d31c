"""The house rules that no linter knows."""

import ast
import json
import re
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TREES = ("core", "gui", "resources", "tests")
FILES = sorted(path for tree in TREES for path in (ROOT / tree).rglob("*.py"))
CORE = [path for path in FILES if path.is_relative_to(ROOT / "core")]
POSIX_CALLS = re.compile(
    r"\b(?:os\.(?:killpg|setsid|fork|setpgid|getpgid)|fcntl\.|preexec_fn|prctl|start_new_session)\b"
)
POSIX_FILES = {"core/jobs/process.py", "core/base/locks.py"}


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_file_is_at_most_500_lines(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 500


@pytest.mark.parametrize("path", CORE, ids=_name)
def test_core_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text("utf-8"))), "no module docstring"


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
    assert not POSIX_CALLS.search(path.read_text("utf-8"))


@pytest.mark.parametrize("path", sorted((ROOT / "core/workers/foreign").glob("*.py")), ids=_name)
def test_foreign_programs_are_python_3_8_and_standard_library(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"), feature_version=(3, 8))
    # What they are made to drive; any of it may be missing, and is then told.
    allowed = sys.stdlib_module_names | {"_wire", "rkllm", "numpy", "torch", "transformers"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= allowed
        if isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] in allowed


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
                assert not isinstance(argument, ast.Lambda), f"line {node.lineno}: lambda in connect"
                called = argument.func if isinstance(argument, ast.Call) else None
                name = getattr(called, "attr", getattr(called, "id", ""))
                assert name != "partial", f"line {node.lineno}: partial in connect"
                assert isinstance(argument, ast.Attribute | ast.Call), (
                    f"line {node.lineno}: not a bound method"
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
    assert not calls or _name(path) in allowed, calls


@pytest.mark.parametrize("path", [path for path in FILES if path.is_relative_to(ROOT / "gui")], ids=_name)
def test_the_window_does_no_io(path: Path) -> None:
    # Texts, themes and icons come out of the package; the tour saves the pictures it was asked for.
    allowed = {
        "gui/start.py",
        "gui/text.py",
        "gui/theme.py",
        "gui/icons.py",
        "gui/wording.py",
        "gui/walk/tour.py",
    }
    if _name(path) in allowed:
        return
    tree = ast.parse(path.read_text("utf-8"))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        )
    }
    assert not imported & {
        "socket",
        "subprocess",
        "shutil",
        "sqlite3",
        "urllib",
        "http",
        "paramiko",
        "huggingface_hub",
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "open", f"line {node.lineno}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            assert node.func.attr not in {
                "read_text",
                "read_bytes",
                "write_text",
                "write_bytes",
                "iterdir",
                "rglob",
            }, f"line {node.lineno}"


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


def test_estimate_works_without_qt_and_without_heavy_imports(tmp_path: Path) -> None:
    script = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"PySide6", "shiboken6", "pyqtgraph"}:
            raise ImportError("Qt's libraries are missing: " + name)
sys.meta_path.insert(0, Blocker())
from gui.main import main
code = main(["estimate", "./resources/demo/wonderland-1m", "--context", "512", "--json", "--home", sys.argv[1]])
assert code == 0
heavy = {"numpy", "huggingface_hub", "paramiko", "keyring"} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["levels"]) == 15


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".py"], ids=_name)
def test_no_machine_paths_in_the_sources(path: Path) -> None:
    text = path.read_text("utf-8")
    assert not re.search(r"[\"'](?:/work/|/root/)", text)
