"""The store on a board, over real servers."""

import hashlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.base.errors import RefusedError, RKDeckError, UsageError
from core.base.paths import AppPaths
from core.deploy.deployments import (
    list_deployments,
    list_versions,
    resolve,
    rollback,
    switch,
    undeploy,
    verify_blob,
)
from core.deploy.layout import Deployment, blob_path, deployment_folder, read_manifest
from core.remote.hostkeys import HostKeys
from core.remote.session import SshSession
from core.vendor.kinds import model_kinds
from tests.support.sshd import SERVERS, SshServer

RKLLM = model_kinds()["rkllm"]


@pytest.fixture(scope="module", params=["openssh", "dropbear", "demo"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with SERVERS[request.param](tmp_path_factory.mktemp(request.param)) as running:
        yield running


@pytest.fixture
def session(server: SshServer, paths: AppPaths) -> Iterator[SshSession]:
    with server.connect(HostKeys(paths.known_hosts)) as connected:
        yield connected


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "a store"


def deploy(
    session: SshSession, store: Path, name: str, content: bytes, version: str = "20260101T000000Z"
) -> Deployment:
    sha256 = hashlib.sha256(content).hexdigest()
    blob = Path(blob_path(str(store), sha256, RKLLM))
    blob.parent.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(content)
    deployment = Deployment(
        name=name,
        version=f"{version}-{sha256[:12]}",
        kind=RKLLM,
        path=str(blob),
        sha256=sha256,
        size_bytes=len(content),
        dtype="w8a8",
        platform="rk3588",
        simulated=False,
        title="It's a \x1b[2Jmodel\u202e".encode("unicode_escape").decode(),
        deployed_unix_s=time.time(),
    )
    switch(session, deployment_folder(str(store), name), deployment, json.dumps(deployment.manifest()))
    return deployment


def test_empty_store(session: SshSession, store: Path) -> None:
    assert list_deployments(session, str(store)) == []
    with pytest.raises(UsageError) as caught:
        resolve(session, str(store), "x")
    assert caught.value.code == "deploy.unknown_deployment"


def test_what_was_deployed_is_listed(session: SshSession, store: Path) -> None:
    first = deploy(session, store, "one", b"a")
    second = deploy(session, store, "two", b"b")
    assert list_deployments(session, str(store)) == [first, second]
    assert resolve(session, str(store), "two") == second
    assert sorted(entry.name for entry in (store / "deployments/one").iterdir()) == [
        f"{first.version}.json",
        "current",
    ]


def test_newer_version_replaces_and_rollback_brings_back(session: SshSession, store: Path) -> None:
    old = deploy(session, store, "one", b"a")
    new = deploy(session, store, "one", b"b", version="20260102T000000Z")
    assert resolve(session, str(store), "one") == new
    assert [entry.current for entry in list_versions(session, str(store))] == [False, True]
    assert rollback(session, str(store), "one").version == old.version
    assert resolve(session, str(store), "one") == old
    with pytest.raises(RefusedError) as caught:
        rollback(session, str(store), "one")
    assert caught.value.code == "deploy.no_older_version"


def test_rollback_needs_the_older_file(session: SshSession, store: Path) -> None:
    old = deploy(session, store, "one", b"a")
    new = deploy(session, store, "one", b"b", version="20260102T000000Z")
    Path(old.path).unlink()
    with pytest.raises(RKDeckError) as caught:
        rollback(session, str(store), "one")
    assert caught.value.code == "deploy.blob_gone"
    assert resolve(session, str(store), "one") == new


def test_undeploy_keeps_what_others_need(session: SshSession, store: Path) -> None:
    shared = deploy(session, store, "one", b"shared")
    own = deploy(session, store, "one", b"own", version="20260102T000000Z")
    other = deploy(session, store, "two", b"shared")
    undeploy(session, str(store), "one")
    assert list_deployments(session, str(store)) == [other]
    assert Path(shared.path).exists()
    assert not Path(own.path).exists()


def test_flipped_byte_is_noticed(session: SshSession, store: Path) -> None:
    deployment = deploy(session, store, "one", b"content")
    assert verify_blob(session, deployment)
    Path(deployment.path).write_bytes(b"contemt")
    assert not verify_blob(session, deployment)
    Path(deployment.path).unlink()
    with pytest.raises(RKDeckError) as caught:
        verify_blob(session, deployment)
    assert caught.value.code == "deploy.blob_gone"


def test_switch_without_the_blob_changes_nothing(session: SshSession, store: Path) -> None:
    now = deploy(session, store, "one", b"a")
    gone = Deployment(
        "one", "20270101T000000Z-" + "0" * 12, RKLLM, "/nowhere", "0" * 64, 1, None, None, False, "t"
    )
    with pytest.raises(RKDeckError) as caught:
        switch(session, deployment_folder(str(store), "one"), gone, "{}")
    assert caught.value.code == "deploy.blob_gone"
    assert list_versions(session, str(store)) == [now]


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_switch_in_a_read_only_store(session: SshSession, store: Path) -> None:
    deployment = deploy(session, store, "one", b"a")
    folder = store / "deployments/one"
    folder.chmod(0o500)
    try:
        with pytest.raises(RKDeckError) as caught:
            switch(session, str(folder), deployment, "")
    finally:
        folder.chmod(0o700)
    assert caught.value.code == "deploy.switch_failed"
    assert "denied" in str(caught.value.facts["reason"])


def test_link_in_place_of_a_deployment_is_not_followed(
    session: SshSession, store: Path, tmp_path: Path
) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("keep")
    deploy(session, store, "other", b"a")
    (store / "deployments/one").symlink_to(precious)
    with pytest.raises(RKDeckError) as caught:
        deploy(session, store, "one", b"b")
    assert caught.value.code == "deploy.switch_failed"
    assert [entry.name for entry in precious.iterdir()] == ["file"]


def test_hostile_store_is_only_text(session: SshSession, store: Path) -> None:
    good = deploy(session, store, "good", b"a")
    folder = store / "deployments"
    version = good.version
    manifest = json.dumps(good.manifest())
    hostile = {
        "-rf": manifest.replace("good", "-rf"),
        "$(touch owned)": manifest,
        "new\nline": manifest,
        "tab\tname": manifest,
        "wrongname": manifest,
        "notjson": "{" * 5000,
        "deep": "[" * 16000,
        "badsha": manifest.replace('"name": "good"', '"name": "badsha"').replace(
            good.sha256, "../../etc/passwd"
        ),
        "nosize": manifest.replace('"name": "good"', '"name": "nosize"').replace(
            '"size_bytes": 1', '"size_bytes": "x"'
        ),
        "binary": "\x00\x1b[2J\xff" * 100,
    }
    for name, text in hostile.items():
        (folder / name).mkdir()
        (folder / name / f"{version}.json").write_text(text, encoding="latin-1")
        (folder / name / "current").write_text(version)
    (folder / "good" / "x'; touch owned; '.json").write_text(manifest)
    (folder / "empty").mkdir()
    (folder / "file").write_text("x")
    assert list_versions(session, str(store)) == [good]
    assert not list(store.rglob("owned"))


def test_path_is_computed_not_believed() -> None:
    value = {"name": "a", "version": "v", "sha256": "0" * 64, "size_bytes": 1, "path": "/etc/shadow"}
    found = read_manifest(json.dumps(value), "/store", "a", "v", current=True)
    assert found is not None
    assert found.path == "/store/blobs/" + "0" * 64 + ".rkllm"
    assert found.simulated  # what does not say that it is real is not sent to real boards
