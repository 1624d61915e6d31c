"""A manifest somebody damaged, and a board that does not answer: neither hides the rest nor looks like nothing."""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.base.errors import RKDeckError
from core.cli.output import Output
from core.deploy.deployments import list_versions, read_held, read_store, resolve, rollback, undeploy
from core.deploy.layout import Deployment
from core.deploy.pruning import prune
from core.remote.hostkeys import HostKeys
from core.remote.session import SshSession
from tests.core.deploy.test_deployments import deploy
from tests.support.remote_fixtures import host_keys
from tests.support.sshd import openssh, openssh_running

__all__ = ["host_keys"]

DAMAGE = {
    "400 digits": ('"deployed_unix_s": ', '"deployed_unix_s": ' + "9" * 400 + ', "x": '),
    "NaN": ('"deployed_unix_s": ', '"deployed_unix_s": NaN, "x": '),
    "Infinity": ('"max_context": null', '"max_context": Infinity'),
    "recipe": ('"recipe": null', '"recipe": {"rate": [Infinity, 1e999, ' + "9" * 400 + "]}"),
    "boolean": ('"deployed_unix_s": ', '"deployed_unix_s": true, "x": '),
}
UNREADABLE = {
    "size": ('"size_bytes": 1', '"size_bytes": ' + "9" * 400),
    "5000 digits": ('"size_bytes": 1', '"size_bytes": ' + "9" * 5000),
    "negative": ('"size_bytes": 1', '"size_bytes": -1'),
    "torn": ('"schema"', '"schema'),
    "another's": ('"name": "bad"', '"name": "good"'),
}


@pytest.fixture
def session(tmp_path: Path, host_keys: HostKeys) -> Iterator[SshSession]:
    with openssh(tmp_path / "server") as server, server.connect(host_keys) as connected:
        yield connected


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "a store"


def damage(store: Path, deployment: Deployment, old: str, new: str) -> Path:
    file = store / f"deployments/{deployment.name}/{deployment.version}.json"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    return file


@pytest.mark.parametrize("how", sorted(DAMAGE))
def test_an_odd_number_is_unknown_and_locks_nothing(session: SshSession, store: Path, how: str) -> None:
    good, bad = deploy(session, store, "good", b"a"), deploy(session, store, "bad", b"b")
    damage(store, bad, *DAMAGE[how])
    listed = read_store(session, str(store))
    assert [entry.name for entry in listed.versions] == ["bad", "good"]
    assert listed.unreadable == ()
    out = io.StringIO()
    Output(as_json=True, out=out).document({"deployments": [entry.to_json() for entry in listed.versions]})

    def refuse(name: str) -> None:
        raise AssertionError(name)

    json.loads(out.getvalue(), parse_constant=refuse)
    newer = deploy(session, store, "bad", b"c", version="20260102T000000Z")
    assert resolve(session, str(store), "bad") == newer
    assert rollback(session, str(store), "bad").sha256 == bad.sha256
    prune(session, str(store), keep=1)
    undeploy(session, str(store), "bad")
    assert list_versions(session, str(store)) == [good]


@pytest.mark.parametrize("how", sorted(UNREADABLE))
def test_an_unreadable_manifest_is_shown_as_such_and_hides_no_other(
    session: SshSession, store: Path, how: str
) -> None:
    good, bad = deploy(session, store, "good", b"a"), deploy(session, store, "bad", b"b")
    file = damage(store, bad, *UNREADABLE[how])
    listed = read_store(session, str(store))
    assert listed.versions == (good,)
    (damaged,) = listed.unreadable
    assert (damaged.name, damaged.version, damaged.path) == ("bad", bad.version, str(file))
    assert resolve(session, str(store), "good") == good
    for ask in (resolve, rollback, undeploy):
        with pytest.raises(RKDeckError) as caught:
            ask(session, str(store), "bad")
        assert caught.value.code == "deploy.unreadable_manifest"
    again = deploy(session, store, "bad", b"b", version="20260102T000000Z")
    assert resolve(session, str(store), "bad") == again
    file.unlink()  # as the error advises
    assert read_store(session, str(store)).unreadable == ()


SILENT = {
    "nothing": "exit 0",
    "junk": "head -c 3000 /dev/urandom; exit 0",
    "lines": "printf 'current\\tgood\\tx\\nhello\\n'; exit 0",
    "half": 'sh -c "$SSH_ORIGINAL_COMMAND" | head -c 30; exit 0',
}


@contextmanager
def lying(folder: Path, host_keys: HostKeys, how: str) -> Iterator[SshSession]:
    with openssh_running(folder, SILENT[how]) as server, server.connect(host_keys) as session:
        yield session


ASKED: dict[str, Callable[[SshSession, str], object]] = {
    "list": list_versions,
    "resolve": lambda session, store: resolve(session, store, "good"),
    "undeploy": lambda session, store: undeploy(session, store, "good"),
    "prune": lambda session, store: prune(session, store, keep=1),
}


@pytest.mark.parametrize("how", sorted(SILENT))
def test_no_answer_is_not_nothing_deployed(
    session: SshSession, store: Path, tmp_path: Path, host_keys: HostKeys, how: str
) -> None:
    deploy(session, store, "good", b"a")
    with lying(tmp_path / "liar", host_keys, how) as liar:
        for ask in ASKED.values():
            with pytest.raises(RKDeckError) as caught:
                ask(liar, str(store))
            assert caught.value.code in {"remote.no_shell", "remote.unexpected_answer", "remote.killed"}


def test_a_store_that_cannot_be_entered_is_not_empty(session: SshSession, store: Path) -> None:
    (store).mkdir()
    (store / "deployments").write_text("a file by now")
    with pytest.raises(RKDeckError) as caught:
        list_versions(session, str(store))
    assert caught.value.code == "deploy.list_failed"
    (store / "deployments").unlink()
    assert list_versions(session, str(store)) == []


@pytest.mark.parametrize("size", ["9" * 5000, "9" * 400, "-5", "\u0663"])
def test_a_size_that_is_none_is_nothing_there(tmp_path: Path, host_keys: HostKeys, size: str) -> None:
    tools, store = tmp_path / "tools", tmp_path / "store"
    tools.mkdir()
    (store / "blobs").mkdir(parents=True)
    (store / f"blobs/{'0' * 64}.rkllm").touch()
    (store / "deployments").mkdir()
    (tools / "ls").write_text(f'#!/bin/sh\necho - 1 0 0 "{size}" x {"0" * 64}.rkllm\n')
    (tools / "ls").chmod(0o755)
    with (
        openssh_running(tmp_path, f'PATH={tools}:$PATH\nexec sh -c "$SSH_ORIGINAL_COMMAND"') as server,
        server.connect(host_keys) as session,
    ):
        held = read_held(session, str(store))
        assert held is not None
        assert held.whole == held.parts == {}
