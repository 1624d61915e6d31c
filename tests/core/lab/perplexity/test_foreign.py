"""The frame around the program under another Python: what it tells when that Python is bare, gone or lying."""

import json
import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

from core.base.errors import RefusedError, RKDeckError
from core.base.paths import AppPaths
from core.base.settings import Settings
from core.jobs import process
from core.jobs.foreign import FOREIGN, PROTOCOL
from core.jobs.model import JobState
from core.lab.perplexity.figures import spans
from core.services import Services
from core.usecases.perplexity import PerplexityOptions, measure, stored_for_folder
from core.words import word
from tests.support.waiting import wait_until

DEMO = Path(str(resources.files("resources"))) / "demo" / "wonderland-1m"
SLACK_S = 60.0
PREPARED = '{"event":"prepared","tokens":1000,"context":512,"engine":{}}'


@pytest.fixture
def services(paths: AppPaths) -> Iterator[Services]:
    with Services(paths, Settings()) as services:
        yield services


def failure(services: Services, python: Path) -> RKDeckError:
    wanted = PerplexityOptions(("fp16",), engine="torch", python=python, force=True)
    handle = measure(services, DEMO, wanted)
    with pytest.raises(RKDeckError) as caught:
        handle.result(SLACK_S)
    assert handle.record().state is JobState.FAILED
    assert not process.marked(handle.folder)
    assert stored_for_folder(services, DEMO) == ()
    return caught.value


def script(tmp_path: Path, text: str) -> Path:
    """A program in the place of an interpreter."""
    path = tmp_path / "python"
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


def test_a_bare_python_is_named_with_what_it_needs(services: Services, tmp_path: Path) -> None:
    venv.EnvBuilder(with_pip=False, symlinks=True).create(tmp_path / "bare")
    python = tmp_path / "bare" / "bin" / "python"
    error = failure(services, python)
    assert isinstance(error, RefusedError)
    assert error.code == "perplexity.packages_missing"
    assert error.facts["missing"] == ["torch", "transformers"]
    assert error.facts["python"] == str(python)
    message, advice = word(error)
    assert str(python) in message
    assert advice == f"Install it there: {python} -m pip install torch transformers"


def test_a_broken_package_is_missing_too(services: Services, tmp_path: Path) -> None:
    venv.EnvBuilder(with_pip=False, symlinks=True).create(tmp_path / "bare")
    site = next((tmp_path / "bare" / "lib").glob("python*/site-packages"))
    (site / "torch.py").write_text("raise OSError('libcudart.so.12: cannot open shared object file')\n")
    (site / "transformers.py").write_text("")
    error = failure(services, tmp_path / "bare" / "bin" / "python")
    assert (error.code, error.facts["missing"]) == ("perplexity.packages_missing", ["torch"])
    assert "libcudart" in word(error)[0]


def test_a_python_that_is_not_there(services: Services, tmp_path: Path) -> None:
    error = failure(services, tmp_path / "nowhere" / "python")
    assert error.code == "perplexity.python_gone"
    assert "no such file or folder" in word(error)[0]


def test_a_program_that_just_ends(services: Services, tmp_path: Path) -> None:
    error = failure(services, script(tmp_path, "echo 'Segmentation fault'; exit 3"))
    assert (error.code, error.facts["exit_code"]) == ("perplexity.engine_ended", 3)
    assert error.facts["said"] == "Segmentation fault"
    assert failure(services, script(tmp_path, "exit 0")).code == "perplexity.engine_ended"


def test_a_program_killed_from_outside(services: Services, tmp_path: Path) -> None:
    error = failure(services, script(tmp_path, "kill -9 $$"))
    assert error.code == "perplexity.out_of_memory"


@pytest.mark.parametrize(
    "lies",
    [
        ['{"event":"prepared"}'],
        ['{"event":"prepared","tokens":"many","context":null,"engine":{}}'],
        [PREPARED, '{"event":"window","level":"fp16","index":0,"nll":1.0,"tokens":7,"seconds":1}'],
        [PREPARED, '{"event":"window","level":"w8a8","index":0,"nll":1.0,"tokens":255,"seconds":1}'],
        [PREPARED, '{"event":"window","level":"fp16","index":99,"nll":1.0,"tokens":255,"seconds":1}'],
        [PREPARED, '{"event":"window","level":"fp16","index":0,"tokens":255,"seconds":1}'],
        [PREPARED, '{"event":"answer","level":"w3","text":"x","tokens":1,"seconds":1,"ended":true}'],
        [PREPARED, '{"event":"done"}'],
    ],
)
def test_a_program_that_lies_is_found_out(services: Services, tmp_path: Path, lies: list[str]) -> None:
    lines = "".join(f"echo '{lie}' >&$RKDECK_EVENTS_FD\n" for lie in lies)
    error = failure(services, script(tmp_path, lines + "exit 0"))
    assert error.code == "perplexity.engine_fault"


def test_losses_that_are_no_numbers(services: Services, tmp_path: Path) -> None:
    window = '{"event":"window","level":"fp16","index":0,"nll":NaN,"tokens":255,"seconds":1}'
    lines = "".join(f"echo '{line}' >&$RKDECK_EVENTS_FD\n" for line in (PREPARED, window))
    assert failure(services, script(tmp_path, lines)).code == "perplexity.not_finite"


def test_cancel_ends_the_program_too(services: Services, tmp_path: Path) -> None:
    waiting = script(tmp_path, f"echo '{PREPARED}' >&$RKDECK_EVENTS_FD\nexec sleep 600\n")
    wanted = PerplexityOptions(("fp16",), engine="torch", python=waiting, force=True)
    handle = measure(services, DEMO, wanted)
    journal = services.paths.jobs / handle.id / "windows.jsonl"
    wait_until(lambda: journal.exists() and b'"begin"' in journal.read_bytes(), SLACK_S)
    assert len(process.marked(handle.folder)) >= 2
    handle.cancel()
    assert handle.wait(SLACK_S).state is JobState.CANCELLED
    assert not process.marked(handle.folder)


def test_both_sides_cut_the_same_windows() -> None:
    """The program has its own copy of the rule, for it can import nothing of ours."""
    code = (
        "import itertools, json, sys; sys.path[:0] = sys.argv[1:]; import perplexity as p; "
        "print(json.dumps([[c, p.spans(*c)] for c in itertools.product("
        "(0, 1, 2, 9, 10, 33), (2, 4, 7), (1, 2, 4, 7), (None, 1, 3)) if c[2] <= c[1]]))"
    )
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-B", "-c", code, str(FOREIGN), str(PROTOCOL)],
        capture_output=True,
        text=True,
        env=environment,
    )
    cases = json.loads(done.stdout)
    assert len(cases) > 100
    for case, found in cases:
        assert found == [[span.start, span.end, span.first] for span in spans(*case)], case
