"""kill -9 of the command line at its work, and a second terminal that looks on."""

import json
import os
import urllib.request
from pathlib import Path

import pytest

from core.base.paths import AppPaths
from core.jobs import process
from core.jobs.model import JobState
from core.jobs.store import JobStore
from core.showcase.parts import DEMO_REPO
from tests.support.waiting import wait_until

from .conftest import Program  # noqa: TID252

SLACK_S = 60.0


def plan_fault(program: Program, document: dict[str, object]) -> None:
    request = urllib.request.Request(program.parts.hub_url + "/__faults__", json.dumps(document).encode())
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200


def running_job(program: Program, kind: str) -> str:
    store = JobStore(AppPaths(program.home).jobs)
    found: list[str] = []

    def running() -> bool:
        if not AppPaths(program.home).jobs.is_dir():
            return False
        found[:] = [
            record.spec.id
            for record in store.list()
            if record.spec.kind == kind and record.state is JobState.RUNNING
        ]
        return bool(found)

    wait_until(running, SLACK_S, f"a running {kind}")
    return found[0]


def slow_download(program: Program) -> None:
    name = "model-00001-of-00002.safetensors"
    plan_fault(program, {"slow": [{"path": name, "bytes_per_s": 200_000}]})


def test_killed_download_is_interrupted_and_resumed_by_hand(program: Program) -> None:
    slow_download(program)
    first = program.start("download", DEMO_REPO)
    job = running_job(program, "download")
    folder = next(iter(JobStore(AppPaths(program.home).jobs).list())).spec.params["folder"]
    wait_until(lambda: list(Path(str(folder)).glob("*.partial")), SLACK_S)
    first.kill()
    first.communicate()
    store = JobStore(AppPaths(program.home).jobs)
    wait_until(lambda: store.get(job).state is JobState.INTERRUPTED, 30)
    wait_until(lambda: not process.marked(store.folder(job).path), 30)
    assert not list(Path(str(folder)).glob("model-00001*.safetensors"))
    assert json.loads(program.run("jobs", "--json"))["jobs"][0]["state"] == "interrupted"
    program.run("jobs", "resume", job)
    assert store.get(job).state is JobState.SUCCEEDED
    assert not list(Path(str(folder)).glob("*.partial*"))


def test_killed_conversion_goes_on_and_is_found_again(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    program.run("toolkit", "add", str(program.parts.toolkit_python))
    program.run("download", DEMO_REPO)
    monkeypatch.setenv("RKLLM_SIMULATED_SECONDS_PER_STEP", "0.05")
    first = program.start("convert", DEMO_REPO, "--platform", "rk3588", "--dtype", "w8a8", "--context", "512")
    job = running_job(program, "convert")
    first.kill()
    first.communicate()
    shown = json.loads(program.run("jobs", "show", job, "--json"))
    assert shown["state"] == "running"
    assert shown["alive"] is True
    program.run("jobs", "log", job, "--follow")
    store = JobStore(AppPaths(program.home).jobs)
    assert json.loads(program.run("jobs", "show", job, "--json"))["state"] == "succeeded"
    assert any(item["kind"] == "rkllm" for item in json.loads(program.run("library", "--json"))["items"])
    wait_until(lambda: not process.marked(store.folder(job).path), 30)


def test_killed_deploy_is_interrupted_and_nothing_is_live(program: Program, tmp_path: Path) -> None:
    program.add_board("slow")
    program.run("toolkit", "add", str(program.parts.toolkit_python))
    program.run("download", DEMO_REPO)
    made = program.document(
        "convert", DEMO_REPO, "--platform", "rk3588", "--dtype", "w8a8", "--context", "512"
    )
    # A file that takes its time to arrive: the model with a long tail of its own.
    large = tmp_path / "large_W8A8_RK3588.rkllm"
    data = Path(str(made["result"]["path"])).read_bytes()
    large.write_bytes(data[:-70] + os.urandom(200 << 20) + data[-70:])
    store = Path(str(program.parts.board["store"]))
    incoming = store / "incoming"
    before = set(store.rglob("*")) if store.exists() else set()
    first = program.start("deploy", str(large), "slow", "--name", "large")
    job = running_job(program, "deploy")
    wait_until(lambda: any(path.stat().st_size > 16 << 20 for path in incoming.glob("*.partial")), SLACK_S)
    first.kill()
    first.communicate()
    jobs = JobStore(AppPaths(program.home).jobs)
    wait_until(lambda: jobs.get(job).state is JobState.INTERRUPTED, 30)
    wait_until(lambda: not process.marked(jobs.folder(job).path), 30)
    new = {path for path in set(store.rglob("*")) - before if path.is_file()}
    assert all("incoming" in path.parts or "lock" in path.name for path in new), new
    deployed = json.loads(program.run("deployments", "slow", "--json"))["deployments"]
    assert "large" not in {entry["name"] for entry in deployed}
    program.run("jobs", "resume", job)
    result = jobs.get(job).result
    assert result is not None
    assert int(str(result["resumed_from_bytes"])) > 0
    program.run("undeploy", "slow", "large")


def test_second_terminal_lists_follows_and_cancels(program: Program) -> None:
    slow_download(program)
    first = program.start("download", DEMO_REPO, "--json")
    job = running_job(program, "download")
    listed = json.loads(program.run("jobs", "--json"))["jobs"]
    assert [(entry["job"], entry["state"]) for entry in listed] == [(job, "running")]
    follower = program.start("jobs", "log", job[:14], "--follow", "--json")
    program.run("jobs", "cancel", job)
    out, _ = first.communicate(timeout=SLACK_S)
    assert first.returncode == 130
    last = json.loads(out.splitlines()[-1])
    assert (last["event"], last["error"]["code"]) == ("error", "jobs.cancelled")
    follower.communicate(timeout=SLACK_S)
    assert follower.returncode == 0
    assert json.loads(program.run("jobs", "show", job, "--json"))["state"] == "cancelled"


def test_ctrl_c_cancels(program: Program) -> None:
    import signal

    slow_download(program)
    first = program.start("download", DEMO_REPO)
    job = running_job(program, "download")
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=SLACK_S)
    assert first.returncode == 130
    assert JobStore(AppPaths(program.home).jobs).get(job).state is JobState.CANCELLED
