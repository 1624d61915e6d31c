"""The command line needs no Qt: every verb does its work where PySide6 and pyqtgraph cannot be imported.

Packages of those names that raise stand first on PYTHONPATH, so that the processes which a verb starts are held to it
as well. The verbs run one after the other in one program, on the demo's parts.
"""

import json
import os
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import core.cli.commands
from core.cli.main import VERBS
from core.showcase.parts import DEMO_REPO, DemoParts, running_parts

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 150
QT = ("PySide6", "shiboken6", "pyqtgraph")
BLOCKED = """
import os
with open(os.environ["TRIED_FILE"], "a") as file:
    file.write(__name__ + "\\n")
raise ImportError("no Qt here: " + __name__)
"""
# Runs the calls given as JSON on standard input; each one's exit code and output is a line of the answer.
RUNNER = """
import contextlib, io, json, sys
from gui.main import main
for call in json.load(sys.stdin):
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            code = main(call)
        except SystemExit as ended:  # so argparse ends --help
            code = ended.code
    print(json.dumps({"code": code, "said": said.getvalue()}), flush=True)
"""
Call = tuple[str, ...]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoParts]:
    with running_parts(tmp_path_factory.mktemp("parts") / "demo") as parts:
        yield parts


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    for name in QT:
        package = tmp_path / "blocked" / name
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(BLOCKED)
    return {
        **os.environ,
        "PYTHONPATH": str(tmp_path / "blocked"),
        "TRIED_FILE": str(tmp_path / "tried"),
        "RKDECK_HOME": str(tmp_path / "home"),
        "HF_ENDPOINT": "http://127.0.0.1:9",  # nobody listens: what needs the Hub is given the demo's
    }


def _python(code: str, environment: dict[str, str], given: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT, env=environment, input=given, capture_output=True, text=True, timeout=TIMEOUT_S,
    )  # fmt: skip


def _run(calls: list[Call], environment: dict[str, str]) -> list[str]:
    """Run the calls; returns what each said."""
    done = _python(RUNNER, environment, json.dumps(calls))
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    for call, answer in zip(calls, answers, strict=False):
        assert answer["code"] == 0, f"rkdeck {' '.join(call)}: {answer['said']}"
    assert len(answers) == len(calls), done.stderr
    return [str(answer["said"]) for answer in answers]


def _tried(tmp_path: Path) -> set[str]:
    file = tmp_path / "tried"
    return set(file.read_text().split()) if file.exists() else set()


def _work(parts: DemoParts, folder: Path) -> list[Call]:
    """A model's whole way by verbs, each used at least once."""
    board, made, other = parts.board, str(folder / "a.rkllm"), str(folder / "b.rkllm")
    model = str(ROOT / "resources" / "demo" / "wonderland-1m")
    options = ("--platform", "rk3588", "--context", "512", "--dtype")
    return [
        ("selftest",),
        ("search", "wonderland"),
        ("estimate", DEMO_REPO),
        ("download", DEMO_REPO),
        ("library",),
        ("toolkit", "add", str(parts.toolkit_python)),
        ("analyze", model),
        ("perplexity", model, "--level", "w8a8", "--windows", "1"),
        ("convert", model, *options, "w8a8", "--output", made),
        ("convert", model, *options, "w8a8_g128", "--output", other),
        ("inspect", made),
        ("board", "add", "desk", f"{board['user']}@127.0.0.1:{board['port']}",
         "--identity", str(parts.identity_file), "--store", str(board["store"]),
         "--sysroot", str(board["sysroot"]), "--accept-host-key", str(board["host_key_sha256"])),
        ("board", "list"),
        ("doctor", "desk", "--model", made),
        ("deploy", made, "desk", "--name", "tale"),
        ("deploy", other, "desk", "--name", "tale"),
        ("deployments", "desk"),
        ("rollback", "desk", "tale"),
        ("adopt", "desk"),
        ("prune", "desk", "--dry-run"),
        ("serve", "desk", "tale"),
        ("chat", "desk", "Who stole the tarts?", "--max-tokens", "2"),
        ("monitor", "desk", "--samples", "1"),
        ("stop", "desk"),
        ("undeploy", "desk", "tale"),
        ("jobs",),
    ]  # fmt: skip


def test_every_verb_tells_its_options_without_qt(environment: dict[str, str], tmp_path: Path) -> None:
    calls: list[Call] = [("--help",), *((verb, "--help") for verb in VERBS)]
    for call, said in zip(calls, _run(calls, environment), strict=True):
        assert "usage: rkdeck" in said, call
    assert _tried(tmp_path) == set()


@pytest.mark.slow
def test_every_verb_does_its_work_without_qt(
    parts: DemoParts, environment: dict[str, str], tmp_path: Path
) -> None:
    calls = _work(parts, tmp_path)
    left_out = set(VERBS) - {call[0] for call in calls} - {"demo"}
    assert not left_out, (
        f"add a call of these verbs to _work, so that they are seen to need no Qt: {left_out}"
    )
    _run(calls, {**environment, "HF_ENDPOINT": parts.hub_url})
    assert _tried(tmp_path) == set(), "a verb, or a process it started, asked for Qt"


@pytest.mark.slow
def test_the_demo_walks_the_path_and_says_that_it_left_the_window_out(environment: dict[str, str]) -> None:
    (said,) = _run([("demo", "--headless")], environment)
    assert "the whole path in" in said
    assert "the window was left out" in said


def test_no_module_of_the_command_line_asks_for_qt(environment: dict[str, str], tmp_path: Path) -> None:
    modules = [found.name for found in pkgutil.walk_packages(core.cli.__path__, "core.cli.")]
    assert len(modules) > len(set(VERBS.values()))
    done = _python(f"import importlib\nfor name in {modules!r}: importlib.import_module(name)", environment)
    assert done.returncode == 0, done.stderr
    assert _tried(tmp_path) == set()


def test_the_block_does_block(environment: dict[str, str], tmp_path: Path) -> None:
    for name in QT:
        done = _python(f"import {name}", environment)
        assert f"no Qt here: {name}" in done.stderr
    assert _tried(tmp_path) == set(QT)
