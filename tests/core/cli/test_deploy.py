"""`rkdeck deploy` and its relatives as a program, on two boards, one of which refuses."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.base.paths import AppPaths
from tests.core.deploy.models import real_file
from tests.core.deploy.site import Site, plain_board, site
from tests.support.gguf_files import write_parts
from tests.support.sshd import ROOT, openssh


@pytest.fixture
def bench(paths: AppPaths, tmp_path: Path) -> Iterator[Site]:
    sysroot = plain_board(tmp_path / "board/root")
    with (
        openssh(tmp_path / "server") as server,
        site(paths, server, tmp_path / "board/store", sysroot) as ready,
    ):
        yield ready


def run(place: Site, *arguments: str, exit_code: int = 0) -> list[dict[str, Any]]:
    """Run the program with --json; its lines, or its document as one."""
    command = [sys.executable, "-m", "gui.main", *arguments, "--json", "--home", str(place.paths.home)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == exit_code, f"{arguments}: {done.stdout}\n{done.stderr}"
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_board_that_fails_does_not_hold_the_others(bench: Site, tmp_path: Path) -> None:
    wrong = plain_board(tmp_path / "other/root", "rk3576")
    with site(bench.paths, bench.server, tmp_path / "other/store", wrong, name="other"):
        file = real_file(tmp_path / "m_w8a8_rk3588.rkllm")
        lines = run(bench, "deploy", str(file), "bench", "other", "--limit", "50M", exit_code=3)
    last = {line["board"]: line for line in lines if line.get("event") in {"result", "error"}}
    assert last["other"]["error"]["code"] == "deploy.wrong_platform"
    assert last["bench"]["event"] == "result"
    uploads = [line for line in lines if line.get("phase") == "upload"]
    assert all({"rate_bytes_per_s", "eta_s", "stalled"} <= set(line) for line in uploads)


def test_versions_adopting_and_tidying_up(bench: Site, tmp_path: Path) -> None:
    for _ in range(2):
        run(bench, "deploy", str(real_file(tmp_path / "m_rk3588.rkllm")), "bench", "--name", "m")
    (listed,) = run(bench, "deployments", "bench")
    first, second = listed["deployments"]
    assert (first["current"], second["current"]) == (False, True)
    (back,) = run(bench, "rollback", "bench", "m", "--version", first["version"])
    assert back["deployment"]["sha256"] == first["sha256"]
    lying = real_file(bench.store / "found_rk3588.rkllm")
    (found,) = run(bench, "adopt", "bench")
    assert found["files"] == [{"path": str(lying), "size_bytes": lying.stat().st_size}]
    (adopted,) = run(bench, "adopt", "bench", str(lying), "--name", "found")
    assert adopted["deployment"]["current"] is True
    (planned,) = run(bench, "prune", "bench", "--keep", "1", "--dry-run")
    (done,) = run(bench, "prune", "bench", "--keep", "1")
    assert planned | {"dry_run": False} == done
    assert done["versions"] == [{"name": "m", "version": second["version"]}]
    assert done["freed_bytes"] == second["size_bytes"]
    run(bench, "undeploy", "bench", "m")
    (rest,) = run(bench, "deployments", "bench")
    assert [entry["name"] for entry in rest["deployments"]] == ["found"]


@pytest.mark.parametrize("limit", ["-1", "fast", "1T", "", "1" * 30, "٣", "9" * 15 + "G"])
def test_limit_must_be_a_number_of_bytes(bench: Site, tmp_path: Path, limit: str) -> None:
    run(bench, "deploy", str(real_file(tmp_path / "m.rkllm")), "bench", f"--limit={limit}", exit_code=2)


@pytest.mark.parametrize("keep", ["-1", "all", "1" * 30])
def test_versions_to_keep_are_a_number(bench: Site, keep: str) -> None:
    (refused,) = run(bench, "prune", "bench", f"--keep={keep}", exit_code=2)
    assert "is not a number of versions" in refused["error"]["message"]


def test_what_the_doctor_fails_deploy_refuses_with_the_command_that_mends_it(
    bench: Site, tmp_path: Path
) -> None:
    (tmp_path / "board/root/usr/lib/librkllmrt.so").unlink()
    file = real_file(tmp_path / "m_w8a8_rk3588.rkllm")
    (seen,) = run(bench, "doctor", "bench", "--model", str(file), exit_code=3)
    run(bench, "library", "add", str(file))
    (named,) = run(bench, "doctor", "bench", "--model", file.stem, exit_code=3)  # as `rkdeck deploy` takes it
    assert named["model"] == str(file)
    failed = [check for check in seen["checks"] if check["verdict"] == "failed"]
    assert [check["code"] for check in failed] == ["doctor.model_no_library"]
    for arguments in (("deploy", str(file), "bench"), ("adopt", "bench", str(file))):
        error = run(bench, *arguments, exit_code=3)[-1]["error"]
        assert (error["code"], error["message"]) == (failed[0]["code"], failed[0]["finding"])
        assert error["facts"] == failed[0]["facts"] | {
            "board": "bench", "overridable": True, "remedy": "library", "release": "1.2.3",
        }  # fmt: skip
        assert error["hint"] == (
            "RKDeck can copy a library that takes it: `rkdeck doctor bench --fix library --library 1.2.3` "
            "(Add --force to go on all the same.)"
        )
    # Typed as it stands, it comes as far as the question, which nobody is there to answer.
    asked = run(bench, *["doctor", "bench", "--fix", "library", "--library", "1.2.3"], exit_code=2)
    assert asked[-1]["error"]["code"] == "cli.needs_yes"
    assert run(bench, "deploy", str(file), "bench", "--force")[-1]["event"] == "result"


def test_what_was_mended_since_the_last_visit_is_no_reason_to_refuse(bench: Site, tmp_path: Path) -> None:
    library = tmp_path / "board/root/usr/lib/librkllmrt.so"
    content = library.read_bytes()
    library.unlink()
    file = real_file(tmp_path / "m_w8a8_rk3588.rkllm")
    assert (
        run(bench, "deploy", str(file), "bench", exit_code=3)[-1]["error"]["code"]
        == "doctor.model_no_library"
    )
    own = tmp_path / "librkllmrt.so"
    own.write_bytes(content)
    run(bench, "doctor", "bench", "--fix", "library", "--library", str(own), "--yes")
    assert run(bench, "deploy", str(file), "bench")[-1]["event"] == "result"


def test_what_is_refused_beforehand_makes_no_job(bench: Site, tmp_path: Path) -> None:
    run(bench, "board", "probe", "bench")
    wrong = real_file(tmp_path / "m_w4a16_rk3576.rkllm")
    for file, code in ((wrong, "deploy.wrong_platform"), (Path(__file__), "deploy.not_a_model")):
        error = run(bench, "deploy", str(file), "bench", exit_code=3)[-1]
        assert (error["event"], error["board"], error["error"]["code"]) == ("error", "bench", code)
    assert run(bench, "jobs")[-1]["jobs"] == []


def test_a_refusal_of_the_job_itself_is_the_same(bench: Site, tmp_path: Path) -> None:
    """Nothing is known of a board that was never visited: the job finds it on arrival."""
    wrong = real_file(tmp_path / "m_w4a16_rk3588.rkllm")
    lines = run(bench, "deploy", str(wrong), "bench", exit_code=3)
    assert lines[-1]["error"]["code"] == "doctor.model_dtype_refused"
    assert lines[-1]["job"]
    again = run(bench, "deploy", str(wrong), "bench", exit_code=3)
    assert "job" not in again[-1]
    assert again[-1]["error"] == lines[-1]["error"]
    planned = next(
        line for line in run(bench, "deploy", str(wrong), "bench", "--force") if line.get("step") == "planned"
    )
    assert planned["overridden"] == ["doctor.model_dtype_refused"]


def test_a_gguf_nothing_there_serves_is_refused_before_it_is_sent(bench: Site, tmp_path: Path) -> None:
    (file,) = write_parts(tmp_path, count=1)
    error = run(bench, "deploy", str(file), "bench", "--serve", exit_code=3)[-1]["error"]
    assert (error["code"], error["facts"]["engine"]) == ("serve.no_engine", "llama.cpp")
    assert not list(bench.store.rglob("*.gguf"))
    assert run(bench, "jobs")[-1]["jobs"] == []
    result = run(bench, "deploy", str(file), "bench")[-1]
    assert result["event"] == "result"
    refused = run(bench, "serve", "bench", str(result["name"]), exit_code=3)[-1]["error"]
    assert refused["code"] == "serve.no_engine"


def test_the_library_holds_parts_as_one_and_deploys_them_by_title(bench: Site, tmp_path: Path) -> None:
    parts = write_parts(tmp_path)
    item = run(bench, "library", "add", str(parts[1]))[-1]
    assert (item["title"], item["kind"], item["path"]) == ("Tiny", "gguf", str(parts[0]))
    assert [file["name"] for file in item["files"]] == [part.name for part in parts]
    result = run(bench, "deploy", "Tiny", "bench")[-1]
    assert result["size_bytes"] == sum(part.stat().st_size for part in parts)
    (deployed,) = run(bench, "deployments", "bench")[-1]["deployments"]
    assert (deployed["kind"], len(deployed["parts"])) == ("gguf", 3)
