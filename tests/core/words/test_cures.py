"""The advice heals: the fault is made, the command its own words name is given as it stands, and the fault is gone."""

import json
import subprocess
from pathlib import Path

import pytest

from core.base.paths import AppPaths
from tests.support.desk import Desk
from tests.support.sshd import SshServer, find_program
from tests.support.tiny_model import write_tiny_model

REPO = "somebody/small"


@pytest.mark.usefixtures("board")
def test_nothing_is_served(desk: Desk) -> None:
    hint = desk.fault("serve.nothing_served", "chat", "desk", "hello")
    listed = desk.advised(hint, "deployments")
    assert "alice" in json.dumps(listed)
    desk.advised(hint, "serve", NAME="alice")
    assert desk.call("chat", "desk", "hello", "--max-tokens", "2")["tokens"] == 2


@pytest.mark.usefixtures("board")
def test_something_is_served_already(desk: Desk) -> None:
    desk.call("serve", "desk", "alice")
    hint = desk.fault("serve.already_serving", "serve", "desk", "alice")
    desk.advised(hint, "stop")
    desk.call("serve", "desk", "alice")


@pytest.mark.usefixtures("board")
def test_a_deployment_nobody_knows(desk: Desk) -> None:
    hint = desk.fault("deploy.unknown_deployment", "serve", "desk", "bob")
    assert "alice" in json.dumps(desk.advised(hint, "deployments", BOARD="desk"))


@pytest.mark.usefixtures("hub")
def test_a_repository_that_was_misspelt(desk: Desk) -> None:
    hint = desk.fault("hub.not_found", "download", "somebody/smal")
    found = json.dumps(desk.advised(hint, "search", QUERY="small"))
    assert REPO in found
    desk.call("download", REPO)


@pytest.mark.usefixtures("hub")
def test_a_folder_of_pointers(desk: Desk, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    desk.call("download", REPO, "--to", str(folder))
    weights = next(folder.glob("*.safetensors"))
    sound = desk.call("estimate", str(folder))
    weights.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 9\n")
    hint = desk.fault("estimate.lfs_pointer", "estimate", str(folder))
    arrived = desk.advised(hint, "download", REPO=REPO)
    again = desk.call("estimate", str(arrived["path"]))
    assert again["parameters"] == sound["parameters"]


@pytest.mark.parametrize("pasted", ["small", "https://modelscope.cn/models/another/small"])
@pytest.mark.usefixtures("hub")
def test_what_is_no_id(desk: Desk, pasted: str) -> None:
    hint = desk.fault("hub.bad_id" if pasted == "small" else "hub.other_site", "download", pasted)
    assert REPO in json.dumps(desk.advised(hint, "search", QUERY="small"))
    desk.call("download", REPO)


@pytest.mark.usefixtures("hub")
def test_a_model_that_is_not_here_yet(desk: Desk) -> None:
    hint = desk.fault("cli.model_not_local", "analyze", REPO)
    desk.advised(hint, "download")
    desk.call("analyze", REPO)


@pytest.mark.usefixtures("hub")
def test_a_file_that_stands_in_the_way_of_a_download(desk: Desk, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "config.json.partial.json").mkdir(parents=True)
    hint = desk.fault("hub.cannot_write", "download", REPO, "--to", str(folder))
    (folder / "config.json.partial.json").rmdir()
    listed = desk.call("jobs")["jobs"]
    assert isinstance(listed, list)
    desk.advised(hint, "jobs retry", JOB=str(listed[0]["job"]))
    desk.call("estimate", str(folder))


@pytest.mark.usefixtures("hub")
def test_an_id_the_library_does_not_have(desk: Desk) -> None:
    desk.call("download", REPO)
    listed = desk.advised(desk.fault("library.unknown", "library", "remove", "nothing"), "library")
    items = listed["items"]
    assert isinstance(items, list)
    desk.call("library", "remove", str(items[0]["id"]))


def test_words_that_are_missing(desk: Desk) -> None:
    for code, arguments, begin in (
        ("cli.job_required", ("jobs", "show"), "jobs"),
        ("cli.library_what", ("library", "remove"), "library"),
        ("cli.board_name", ("board", "remove"), "board"),
        ("jobs.unknown", ("jobs", "show", "download-260101-000000-0a1b2c"), "jobs"),
    ):
        desk.advised(desk.fault(code, *arguments), begin)


@pytest.mark.usefixtures("hub")
def test_a_folder_where_a_file_is_wanted(desk: Desk, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    desk.call("download", REPO, "--to", str(folder))
    desk.advised(desk.fault("cli.inspects_files", "inspect", str(folder)), "estimate", MODEL=str(folder))


def test_a_board_nobody_added_and_a_key_nobody_compared(desk: Desk, server: SshServer) -> None:
    hint = desk.fault("boards.unknown", "doctor", "desk")
    place = f"{server.user}@{server.host}:{server.port}"
    adding = [*desk.command(hint, "board add", USER_HOST=place), "--identity", str(server.key_file)]
    hint = desk.fault("remote.host_key_unknown", *adding)
    accepted = hint[hint.index("--accept-host-key") :].rstrip(".").split()
    assert accepted[1] == server.fingerprint
    desk.call(*adding, *accepted)
    desk.call("board", "probe", "desk")
    desk.advised(desk.fault("boards.exists", *adding), "board remove")
    desk.call(*adding, *accepted)


@pytest.mark.usefixtures("board")
def test_a_board_that_was_set_up_anew(desk: Desk, tmp_path: Path) -> None:
    known, key = AppPaths(desk.home).known_hosts, tmp_path / "former"
    subprocess.run([find_program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    former = key.with_suffix(".pub").read_text().split()[1]
    hosts = [line.split()[0] for line in known.read_text().splitlines()]
    known.write_text("".join(f"{host} ssh-ed25519 {former}\n" for host in hosts))
    hint = desk.fault("remote.host_key_changed", "board", "probe", "desk")
    desk.advised(hint, "board probe", NAME="desk")
    desk.call("board", "probe", "desk")


@pytest.mark.usefixtures("board")
def test_what_a_board_has_not(desk: Desk, tmp_path: Path) -> None:
    hint = desk.fault("deploy.no_older_version", "rollback", "desk", "alice")
    newer = write_tiny_model(tmp_path / "newer.rkllm", hidden=32, layers=1, context=1024)
    desk.advised(hint, "deploy", FILE=str(newer))
    hint = desk.fault("deploy.unknown_version", "rollback", "desk", "alice", "--version", "0" * 12)
    versions = json.dumps(desk.advised(hint, "deployments"))
    assert "alice" in versions
    desk.call("rollback", "desk", "alice")
    hint = desk.fault("doctor.fix_unknown", "doctor", "desk", "--fix", "nothing")
    desk.advised(hint, "doctor")


@pytest.mark.usefixtures("hub", "board")
def test_what_cannot_be_deployed(desk: Desk, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    desk.call("download", REPO)
    desk.call("download", REPO, "--to", str(folder))
    for code, what in {
        "cli.file_unknown": "nobody/nothing",
        "cli.file_is_source": REPO,
        "deploy.not_a_file": str(folder),
    }.items():
        assert REPO in json.dumps(desk.advised(desk.fault(code, "deploy", what, "desk"), "library")), code
    weights = next(folder.glob("*.safetensors"))
    desk.advised(
        desk.fault("deploy.not_a_model", "deploy", str(weights), "desk"), "inspect", FILE=str(weights)
    )
