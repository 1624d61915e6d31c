"""Conversions with real processes: the stand-in toolkit, and toolkits that go wrong in every way."""

import json
import os
import subprocess
import sys
import textwrap
import time
import venv
from pathlib import Path

import numpy as np
import pytest

from core.base.database import Database
from core.base.digest import sha256_of
from core.base.errors import CancelledError, JsonValue, RefusedError, RKDeckError
from core.base.paths import AppPaths
from core.convert.plan import start_warnings
from core.convert.recipe import Recipe
from core.convert.records import Toolkit
from core.convert.toolkits import ToolkitRegistry
from core.demo.container import read_container
from core.jobs import process
from core.jobs.manager import JobHandle, JobManager
from core.jobs.model import JobState
from core.library.library import Library
from core.model.inspect import inspect_file
from tests.support.disks import disk
from tests.support.models import write_random_model
from tests.support.orders import start_conversion
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[3]
SLACK_S = 60.0


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_random_model(tmp_path / "tiny")


@pytest.fixture
def toolkit(registry: ToolkitRegistry, toolkit_python: Path) -> Toolkit:
    return registry.add(toolkit_python)


def convert(jobs: JobManager, paths: AppPaths, model: Path, toolkit: Toolkit, **recipe: object) -> JobHandle:
    base: dict[str, object] = {"platform": "rk3588", "dtype": "w8a8", "context": 256}
    wanted = Recipe(**{**base, **recipe})  # type: ignore[arg-type]
    return start_conversion(jobs, model, wanted, toolkit, library_folder=paths.library)


def test_result_is_checked_registered_and_tells_its_recipe(
    jobs: JobManager, paths: AppPaths, model: Path, toolkit: Toolkit
) -> None:
    handle = convert(jobs, paths, model, toolkit)
    assert [warning.code for warning in start_warnings(handle)] == ["convert.no_dataset"]
    result = handle.result(SLACK_S)
    path = Path(str(result["path"]))
    assert path.name == "tiny_W8A8_RK3588.rkllm"
    assert result["sha256"] == sha256_of(path)
    assert result["simulated"] is True
    assert os.listdir(path.parent) == [path.name, path.name + ".json"] or len(os.listdir(path.parent)) == 2
    found = inspect_file(path)
    assert (found.kind, found.platform, found.dtype, found.max_context) == (
        "rkllm-simulated",
        "rk3588",
        "w8a8",
        256,
    )
    assert found.npu_cores == 3
    phases = {event.data["phase"] for event in handle.follow() if event.event == "progress"}
    assert {"Building model", "Optimizing model", "Converting model"} <= phases
    database = Database(paths.database_file)
    (item,) = Library(database, paths.library).list()
    database.close()
    assert item.path == path
    assert item.files[0].sha256 == result["sha256"]
    recipe = item.provenance["recipe"]
    assert isinstance(recipe, dict)
    assert recipe["dtype"] == "w8a8"
    log = jobs.store.log_path(handle.id).read_text()
    assert "SIMULATED" in log
    assert "Model has been saved to" in log


def test_bits_decide_size_and_one_weight_decides_the_digest(
    jobs: JobManager, paths: AppPaths, model: Path, toolkit: Toolkit, tmp_path: Path
) -> None:
    eight = convert(jobs, paths, model, toolkit, platform="rk3576").result(SLACK_S)
    four = convert(jobs, paths, model, toolkit, platform="rk3576", dtype="w4a16").result(SLACK_S)
    assert int(str(four["size_bytes"])) < 0.8 * int(str(eight["size_bytes"]))
    other = write_random_model(tmp_path / "other" / "tiny")
    data = bytearray((other / "model.safetensors").read_bytes())
    data[-1] ^= 0x40
    (other / "model.safetensors").write_bytes(data)
    changed = convert(jobs, paths, other, toolkit, platform="rk3576").result(SLACK_S)
    assert changed["sha256"] != eight["sha256"]
    assert Path(str(changed["path"])).name == "tiny_W8A8_RK3576-2.rkllm"
    same = convert(jobs, paths, model, toolkit, platform="rk3576").result(SLACK_S)
    assert same["sha256"] == eight["sha256"]


@pytest.mark.parametrize(
    ("recipe", "code"),
    [
        ({"dtype": "w4a16"}, "convert.unsupported"),
        ({"context": 100}, "estimate.bad_context"),
        ({"context": 32768}, "estimate.bad_context"),
        ({"cores": 4}, "estimate.bad_cores"),
        ({"dtype": "w8a8_g512"}, "convert.unsupported"),
        ({"dtype": "w3a3"}, "quantization.unknown_level"),
        ({"platform": "rk9999"}, "estimate.unknown_platform"),
        ({"hybrid_rate": 1.0}, "convert.bad_option"),
        ({"dataset": Path("/nowhere/data.json")}, "convert.input_missing"),
    ],
)
def test_what_the_toolkit_would_refuse_is_refused_before_it_starts(
    jobs: JobManager, paths: AppPaths, model: Path, toolkit: Toolkit, recipe: dict[str, object], code: str
) -> None:
    with pytest.raises(RKDeckError) as caught:
        convert(jobs, paths, model, toolkit, **recipe)
    assert caught.value.code == code
    assert jobs.store.list() == []


def test_toolkit_says_no_by_returning_minus_one(
    jobs: JobManager, paths: AppPaths, model: Path, toolkit: Toolkit
) -> None:
    wanted = Recipe(platform="rk3588", dtype="w4a16", context=256)
    handle = start_conversion(jobs, model, wanted, toolkit, library_folder=paths.library, force=True)
    with pytest.raises(RKDeckError) as caught:
        handle.result(SLACK_S)
    assert caught.value.code == "convert.toolkit_failed"
    assert caught.value.facts["stage"] == "build"
    assert caught.value.facts["said"] == "target_platform: rk3588 not support quantized_dtype: w4a16!"
    assert os.listdir(paths.library / "rkllm") == []


def test_existing_output_is_never_overwritten(
    jobs: JobManager, paths: AppPaths, model: Path, toolkit: Toolkit, tmp_path: Path
) -> None:
    output = tmp_path / "mine.rkllm"
    output.write_text("precious")
    with pytest.raises(RefusedError) as caught:
        start_conversion(
            jobs, model, Recipe("rk3588", "w8a8", 256), toolkit, library_folder=paths.library, output=output
        )
    assert caught.value.code == "convert.output_exists"
    assert output.read_text() == "precious"


SLEEPER = "[sys.executable, '-c', 'import time; time.sleep(120)']"
BAD = {
    "garbage": "import os; os.write(1, os.urandom(200_000)); os.write(2, b'\\r' * 1000 + b'\\x1b[2J')",
    "hang": "time.sleep(120)",
    "stubborn": "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(120)",
    "forks": f"[subprocess.Popen({SLEEPER}) for _ in range(3)]; time.sleep(120)",
    "new_session": f"subprocess.Popen({SLEEPER}, start_new_session=True); time.sleep(120)",
    "holds_gil": "import ctypes; ctypes.PyDLL(None).sleep(60)",
    "returns": "return -1",
    "returns_none": "return None",
    "killed": "os.kill(os.getpid(), 9)",
    "segfault": "os.kill(os.getpid(), 11)",
    "exits": "print('ERROR: no license'); sys.exit(4)",
    "raises": "raise RuntimeError('vendor bug')",
    "no_file": "pass",
    "no_problem": "pass",
}


LEFT = {
    "pipe": "os.mkfifo(export_path)",
    "folder": "os.makedirs(os.path.join(export_path, 'x', 'y'))",
    "link": "os.symlink('/dev/zero', export_path)",
    "socket": "import socket; os.chdir(os.path.dirname(export_path)); "
    "socket.socket(socket.AF_UNIX).bind(os.path.basename(export_path))",
}


def bad_toolkit(folder: Path, behaviour: str, export: str | None = None) -> Toolkit:
    """An environment whose `rkllm` (a fake of these tests) misbehaves in build, or in export."""
    venv.EnvBuilder(with_pip=False, symlinks=True).create(folder)
    site = next((folder / "lib").glob("python*/site-packages"))
    (site / "rkllm").mkdir()
    (site / "rkllm" / "__init__.py").touch()
    (site / "rkllm" / "api.py").write_text(
        "import os, signal, subprocess, sys, time\n"
        "class RKLLM:\n"
        "    def load_huggingface(self, **arguments):\n        return 0\n"
        "    def build(self, **arguments):\n"
        "        print('ERROR: deliberately bad', flush=True)\n"
        f"        open({str(folder / 'building')!r}, 'w').close()\n"
        + textwrap.indent(BAD[behaviour], "        ")
        + "\n        return 0\n"
        "    def export_rkllm(self, export_path, **arguments):\n"
        + (
            "        return 0\n"
            if behaviour == "no_file"
            else f"        {export}\n        return 0\n"
            if export is not None
            else "        open(export_path, 'w').write('x' * 9000)\n        return 0\n"
        )
    )
    return Toolkit(folder / "bin" / "python", "1.3.0", simulated=False, facts={})


@pytest.mark.parametrize(
    ("behaviour", "code", "fact"),
    [
        ("garbage", "convert.bad_file", ("kind", "unknown")),
        ("returns", "convert.toolkit_failed", ("said", "deliberately bad")),
        ("returns_none", "convert.toolkit_failed", ("returned", "None")),
        ("killed", "convert.out_of_memory", ("stage", "build")),
        ("segfault", "convert.toolkit_killed", ("signal", 11)),
        ("exits", "convert.toolkit_exited", ("said", "no license")),
        ("raises", "convert.toolkit_exited", ("exit_code", 1)),
        ("no_file", "convert.no_file", None),
    ],
)
def test_bad_toolkits_end_in_one_clear_error(
    jobs: JobManager,
    paths: AppPaths,
    model: Path,
    tmp_path: Path,
    behaviour: str,
    code: str,
    fact: tuple[str, JsonValue] | None,
) -> None:
    handle = convert(jobs, paths, model, bad_toolkit(tmp_path / "env", behaviour))
    with pytest.raises(RKDeckError) as caught:
        handle.result(SLACK_S)
    assert caught.value.code == code
    if fact is not None:
        assert caught.value.facts[fact[0]] == fact[1]
    assert handle.record().state is JobState.FAILED
    assert os.listdir(paths.library / "rkllm") == []


@pytest.mark.timeout(60)
@pytest.mark.parametrize("left", LEFT)
def test_what_is_no_file_is_neither_waited_for_nor_left(
    jobs: JobManager, paths: AppPaths, model: Path, tmp_path: Path, left: str
) -> None:
    handle = convert(jobs, paths, model, bad_toolkit(tmp_path / "env", "no_problem", LEFT[left]))
    with pytest.raises(RKDeckError) as caught:
        handle.result(SLACK_S)
    assert (caught.value.code, caught.value.facts) == ("convert.not_a_file", {"not_file": left})
    assert os.listdir(paths.library / "rkllm") == []
    assert Path("/dev/zero").exists()


# What toolkits do when a write fails: say no, die of it, or say yes and leave half a file.
FULL = {"says_no": "return -1", "dies": "raise", "lies": "return 0"}
WRITE_ON = "open(export_path, 'ab', buffering=0).write(bytes(1 << 20))"


@pytest.mark.needs_root
@pytest.mark.parametrize("how", FULL)
def test_a_disk_that_gets_full_is_named_whatever_the_toolkit_makes_of_it(
    jobs: JobManager, paths: AppPaths, model: Path, tmp_path: Path, how: str
) -> None:
    until_full = f"try:\n    while True: {WRITE_ON}\nexcept OSError:\n    {FULL[how]}"
    toolkit = bad_toolkit(tmp_path / "env", "no_problem", textwrap.indent(until_full, " " * 8).lstrip())
    with disk(tmp_path / "small", "size=3m") as small:
        output = small / "tiny.rkllm"
        handle = start_conversion(
            jobs, model, Recipe("rk3588", "w8a8", 256), toolkit, library_folder=paths.library, output=output
        )
        with pytest.raises(RKDeckError) as caught:
            handle.result(SLACK_S)
        assert (caught.value.code, caught.value.facts) == ("base.disk_full", {"file": str(output)})
        assert os.listdir(small) == []


@pytest.mark.parametrize("behaviour", ["hang", "stubborn", "forks", "new_session", "holds_gil"])
def test_cancel_leaves_no_process_and_no_file(
    jobs: JobManager, paths: AppPaths, model: Path, tmp_path: Path, behaviour: str
) -> None:
    handle = convert(jobs, paths, model, bad_toolkit(tmp_path / "env", behaviour))
    wait_until((tmp_path / "env" / "building").exists, SLACK_S)
    asked_s = time.monotonic()
    handle.cancel()
    with pytest.raises(CancelledError):
        handle.result(SLACK_S)
    # 3 s of grace, then the kill: fivefold slack
    assert time.monotonic() - asked_s < 5 * 4
    wait_until(lambda: not process.marked(handle.folder), 30)
    assert os.listdir(paths.library / "rkllm") == []


FRONT_END = """
import sys, time
from pathlib import Path
from core.base.paths import AppPaths
from core.convert.recipe import Recipe
from core.convert.records import Toolkit
from core.jobs.manager import JobManager
from tests.support.orders import start_conversion
home, model, python = map(Path, sys.argv[1:])
paths = AppPaths(home)
toolkit = Toolkit(python, "1.3.0+simulated", True, {})
recipe = Recipe("rk3588", "w8a8", 256)
handle = start_conversion(JobManager(paths), model, recipe, toolkit, library_folder=paths.library)
print(handle.id, flush=True)
time.sleep(120)
"""


def test_conversion_goes_on_when_the_front_end_is_killed(
    jobs: JobManager, paths: AppPaths, model: Path, toolkit_python: Path
) -> None:
    environment = {**os.environ, "RKLLM_SIMULATED_SECONDS_PER_STEP": "0.05"}
    front_end = subprocess.Popen(
        [sys.executable, "-c", FRONT_END, str(paths.home), str(model), str(toolkit_python)],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert front_end.stdout is not None
    job_id = front_end.stdout.readline().strip()
    handle = jobs.attach(job_id)
    wait_until(lambda: handle.record().state is JobState.RUNNING, SLACK_S)
    front_end.kill()
    front_end.communicate()
    result = handle.result(SLACK_S)
    assert sha256_of(Path(str(result["path"]))) == result["sha256"]
    wait_until(lambda: not process.marked(handle.folder), 30)


def test_weights_in_the_file_are_the_quantized_ones(
    jobs: JobManager, paths: AppPaths, model: Path, toolkit: Toolkit
) -> None:
    result = convert(jobs, paths, model, toolkit, platform="rk3576", dtype="w4a16_g128").result(SLACK_S)
    container = read_container(Path(str(result["path"])))
    tensor = next(tensor for tensor in container.tensors if tensor.name.endswith("0.mlp.down_proj.weight"))
    assert tensor.attributes == {"bits": 4, "group_size": 128, "shape": [128, 256]}
    assert tensor.arrays["values"].nbytes == 128 * 256 // 2
    assert tensor.arrays["scale"].shape == (128, 2)
    assert np.isfinite(tensor.arrays["scale"]).all()


def test_toolkit_environment_cannot_import_rkdeck(toolkit_python: Path, tmp_path: Path) -> None:
    done = subprocess.run([toolkit_python, "-c", "import core"], cwd=tmp_path, capture_output=True, text=True)
    assert "ModuleNotFoundError" in done.stderr


def test_check_tells_toolkits_from_others(
    registry: ToolkitRegistry, toolkit_python: Path, tmp_path: Path
) -> None:
    toolkit = registry.add(toolkit_python)
    assert (toolkit.version, toolkit.simulated) == ("1.3.0+simulated", True)
    assert registry.choose(None) == toolkit
    assert registry.choose(str(toolkit_python)).python == toolkit_python
    bare = tmp_path / "bare"
    venv.EnvBuilder(with_pip=False, symlinks=True).create(bare)
    site = next((bare / "lib").glob("python*/site-packages"))
    with pytest.raises(RefusedError) as caught:
        registry.add(bare / "bin" / "python")
    assert caught.value.code == "convert.toolkit_missing"
    info = site / "rkllm-1.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: rkllm\nVersion: 1.1.0\n")
    with pytest.raises(RefusedError) as caught:
        registry.add(bare / "bin" / "python")
    assert caught.value.code == "convert.toolkit_unrelated"
    with pytest.raises(RefusedError) as caught:
        registry.add(tmp_path / "none" / "python")
    assert caught.value.code == "convert.python_unusable"
    assert [item.python for item in registry.list()] == [toolkit_python]


def test_sidecar_holds_the_recipe(jobs: JobManager, paths: AppPaths, model: Path, toolkit: Toolkit) -> None:
    path = Path(str(convert(jobs, paths, model, toolkit).result(SLACK_S)["path"]))
    sidecar = json.loads(path.with_name(path.name + ".json").read_text())
    assert sidecar["recipe"]["platform"] == "rk3588"
    assert sidecar["toolkit"]["simulated"] is True
    assert sidecar["sha256"] == sha256_of(path)
