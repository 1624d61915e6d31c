"""The last millimetre of a conversion, with a worker killed at every step of it, and then a start."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core.base.digest import sha256_of
from core.base.paths import AppPaths
from core.base.settings import Settings
from core.convert.order import ConvertOrder, UsedToolkit
from core.jobs.model import JobSpec, JobState
from core.jobs.store import JobStore
from core.services import Services

ROOT = Path(__file__).parents[3]
CONTENT = b"a whole model" * 1000

# Dies by SIGKILL at the Nth thing it asks of the system (audit events: opening, renaming, removing, the database).
DYING = """
import os, signal, sys
from pathlib import Path
from core.base.digest import sha256_of
from core.base.locks import FileLock
from core.base.paths import AppPaths
from core.base.settings import Settings
from core.convert import made
from core.convert.order import ConvertOrder
from core.jobs.model import JobState
from core.jobs.store import EventWriter, JobStore
from core.services import Services
home, job, at, content = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
paths = AppPaths(home)
folder = JobStore(paths.jobs).folder(job)
order = ConvertOrder.from_json(folder.read_spec().params)
lock = FileLock(folder.lock_file)
assert lock.try_acquire()
writer = EventWriter(folder)
writer.move(JobState.QUEUED, "submitted")
writer.move(JobState.RUNNING, "started")
left, step = at, "begin"
def on_event(name, arguments):
    global left
    if name in {"open", "os.rename", "os.remove", "os.chmod", "sqlite3.connect"}:
        left -= 1
        if left == 0:
            print(step, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
with Services(paths, Settings(), lambda folder: __import__("logging").NullHandler(), repairs=False) as services:
    services.library
    sys.addaudithook(on_event)
    partial = made.begin(folder.path, order)
    partial.write_bytes(bytes.fromhex(content)[:100])
    partial.write_bytes(bytes.fromhex(content))
    status = partial.stat()
    result = {"path": str(order.output), "size_bytes": status.st_size, "sha256": sha256_of(partial)}
    done = made.Made(status.st_dev, status.st_ino, result, {"job": job})
    step = "keep"
    made.keep(folder.path, done)
    step = "enter"
    made.enter(order, partial, done, services.library)
    print("done")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def make_job(paths: AppPaths, output: Path, job_id: str = "convert-1") -> None:
    order = ConvertOrder(
        Path("/model"), None, "a/b", "c0ffee", "tiny", {}, "rk3588", "w8a8",
        UsedToolkit(Path("/python"), "1.3.0", simulated=False),
        ({"method": "export_rkllm", "arguments": {}},), output, None, (),
    )  # fmt: skip
    spec = JobSpec(job_id, "convert", "convert", order.job_title, order.to_json(), order.kind.worker)
    JobStore(paths.jobs).create(spec)


def die(paths: AppPaths, at: int, job_id: str = "convert-1") -> str:
    done = subprocess.run(
        [sys.executable, "-c", DYING, str(paths.home), job_id, str(at), CONTENT.hex()],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == -9, done.stderr
    return done.stdout.split()[-1]


def start(paths: AppPaths) -> Services:
    return Services(paths, Settings())


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


def test_a_kill_at_any_step_loses_nothing_and_leaves_nothing_half(tmp_path: Path) -> None:
    at, seen = 1, set()
    while True:
        paths = AppPaths(tmp_path / f"home{at}")
        paths.ensure()
        elsewhere = tmp_path / f"disk{at}"
        elsewhere.mkdir()
        output = elsewhere / "tiny.rkllm"
        make_job(paths, output)
        step = die(paths, at)
        seen.add(step)
        with start(paths) as services:
            items = services.library.list()
            record = services.jobs.store.get("convert-1")
            if items:
                assert step in {"keep", "enter", "done"}
                assert names(elsewhere) == ["tiny.rkllm", "tiny.rkllm.json"], (at, step)
                assert output.read_bytes() == CONTENT
                assert items[0].files[0].sha256 == sha256_of(output)
                assert json.loads(output.with_name("tiny.rkllm.json").read_text())["job"] == "convert-1"
                assert record.state is JobState.SUCCEEDED
                assert record.result is not None
                assert record.result["path"] == str(output)
            else:
                assert step in {"begin", "keep"}, (at, step)
                assert names(elsewhere) == [], (at, step)
                assert record.state is JobState.INTERRUPTED
            assert not services.jobs.store.unsettled()
        assert not [name for name in names(paths.home) if name.startswith(".")], (at, step)
        if step == "done":
            break
        at += 1
    assert seen == {"begin", "keep", "enter", "done"}
    assert at > 15


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.CANCELLED])
def test_what_a_killed_worker_left_is_removed_though_its_supervisor_wrote_the_end(
    paths: AppPaths, tmp_path: Path, state: JobState
) -> None:
    output = tmp_path / "tiny.rkllm"
    make_job(paths, output)
    die(paths, 10)
    from core.base.locks import FileLock
    from core.jobs.store import EventWriter

    folder = JobStore(paths.jobs).folder("convert-1")
    with FileLock(folder.lock_file):
        EventWriter(folder).move(state, "jobs.worker_killed")
    assert [path.name for path in tmp_path.glob(".tiny*")], "the case is not the one that was meant"
    with start(paths) as services:
        assert services.library.list() == []
        assert services.jobs.store.get("convert-1").state is state
    assert not list(tmp_path.glob(".tiny*"))


def test_a_file_that_took_the_name_meanwhile_is_left_alone(paths: AppPaths, tmp_path: Path) -> None:
    output = tmp_path / "tiny.rkllm"
    make_job(paths, output)
    at = 10
    while die_fresh(paths, at, output) != "enter":
        at += 1
    assert not output.exists()
    output.write_bytes(b"somebody else's")
    with start(paths) as services:
        assert services.library.list() == []
    assert output.read_bytes() == b"somebody else's"
    assert names(tmp_path / "home" / "library") == []
    assert not list(tmp_path.glob(".tiny*"))


def die_fresh(paths: AppPaths, at: int, output: Path) -> str:
    shutil.rmtree(paths.jobs / "convert-1")
    for left in output.parent.glob(".tiny*"):
        left.unlink()
    output.unlink(missing_ok=True)
    make_job(paths, output)
    return die(paths, at)


def test_an_item_that_the_user_removed_does_not_come_back(paths: AppPaths, tmp_path: Path) -> None:
    output = tmp_path / "tiny.rkllm"
    make_job(paths, output)
    assert die(paths, 1000) == "done"
    with start(paths) as services:
        (item,) = services.library.list()
        services.library.remove(item.id)
    with start(paths) as services:
        assert services.library.list() == []
    assert output.exists()


def test_a_copied_home_neither_takes_nor_removes_what_the_original_is_making(
    paths: AppPaths, tmp_path: Path
) -> None:
    output = tmp_path / "tiny.rkllm"
    make_job(paths, output)
    own = paths.library / "rkllm" / "tiny.rkllm"
    own.parent.mkdir()
    make_job(paths, own, "convert-2")
    die(paths, 10)
    die(paths, 10, "convert-2")
    copied = AppPaths(tmp_path / "copy")
    shutil.copytree(paths.home, copied.home)
    before = sorted(tmp_path.glob(".tiny*")) + sorted(own.parent.glob(".tiny*"))
    assert len(before) == 2
    assert list((copied.library / "rkllm").glob(".tiny*"))
    with start(copied) as services:
        assert services.library.list() == []
        assert {record.state for record in services.jobs.store.list()} == {JobState.INTERRUPTED}
    assert sorted(tmp_path.glob(".tiny*")) + sorted(own.parent.glob(".tiny*")) == before
    assert not list((copied.library / "rkllm").glob(".tiny*")), "the copy's own copy of it"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"made": 7}', '{"mark": 5, "made": {"inode": -1}}'])
def test_a_damaged_note_hides_nothing(paths: AppPaths, tmp_path: Path, text: str) -> None:
    make_job(paths, tmp_path / "tiny.rkllm")
    die(paths, 10)
    (paths.jobs / "convert-1" / "leaves.json").write_text(text)
    with start(paths) as services:
        assert services.library.list() == []
    assert not list(tmp_path.glob(".tiny*"))


@pytest.mark.parametrize("mark", ["../../x", "/", ""])
def test_a_strange_mark_leads_nowhere(paths: AppPaths, tmp_path: Path, mark: str) -> None:
    make_job(paths, tmp_path / "tiny.rkllm")
    die(paths, 10)
    (paths.jobs / "convert-1" / "leaves.json").write_text(json.dumps({"mark": mark}))
    with start(paths) as services:
        assert services.library.list() == []


def test_a_start_leaves_a_living_conversion_alone(paths: AppPaths, tmp_path: Path) -> None:
    from core.base.locks import FileLock

    make_job(paths, tmp_path / "tiny.rkllm")
    die(paths, 10)
    before = sorted(tmp_path.glob(".tiny*"))
    folder = JobStore(paths.jobs).folder("convert-1")
    with FileLock(folder.lock_file), start(paths) as services:
        assert services.library.list() == []
        assert services.jobs.store.get("convert-1").state is JobState.RUNNING
    assert sorted(tmp_path.glob(".tiny*")) == before


def test_the_folder_of_a_job_that_was_being_made_is_removed(paths: AppPaths) -> None:
    hidden = paths.jobs / ".convert-2"
    hidden.mkdir()
    (hidden / ".rkdeck-abc.new").touch()
    os.utime(hidden, (1, 1))
    (paths.home / ".rkdeck-abcdef.new").write_bytes(b"half a setting")
    with start(paths) as services:
        assert services.jobs.store.list() == []
    assert names(paths.jobs) == []
    assert not list(paths.home.glob(".rkdeck*"))
