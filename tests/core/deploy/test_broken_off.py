"""The scripts of the store, killed before every command they run, and crossed by somebody else at the worst moment."""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from core.base.paths import AppPaths
from core.deploy import scripts
from core.deploy.deployments import list_deployments, list_versions, rollback, undeploy
from core.deploy.layout import Deployment, blob_path, deployment_folder
from core.deploy.pruning import prune
from core.remote.hostkeys import HostKeys
from core.remote.session import SshSession
from core.vendor.kinds import model_kinds
from tests.core.deploy.test_deployments import deploy
from tests.support.sshd import SERVERS, SshServer

RKLLM = model_kinds()["rkllm"]

_COMMANDS = ("mkdir", "mv", "rm", "sync", "grep", "ln", "sleep")
# A shell function in front of each command; the script ends, as by kill -9, before the N-th of them.
_KILLED = "".join(
    f'{name}() {{ N=$((N-1)); [ "$N" = 0 ] && kill -9 $$; command {name} "$@"; }}\n' for name in _COMMANDS
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with SERVERS["openssh"](tmp_path_factory.mktemp("openssh")) as running:
        yield running


@pytest.fixture
def session(server: SshServer, paths: AppPaths) -> Iterator[SshSession]:
    with server.connect(HostKeys(paths.known_hosts)) as connected:
        yield connected


def three_versions(session: SshSession, store: Path) -> list[Deployment]:
    """Two versions of "one", the newer in use, and "two", which shares the older one's file."""
    old = deploy(session, store, "one", b"old")
    new = deploy(session, store, "one", b"newer", version="20260102T000000Z")
    other = deploy(session, store, "two", b"other")
    return [old, new, other]


def third(store: Path) -> Deployment:
    """A file that has arrived and is to become the third version of "one"."""
    sha256 = hashlib.sha256(b"third").hexdigest()
    blob = Path(blob_path(str(store), sha256, RKLLM))
    blob.write_bytes(b"third")
    return Deployment(
        "one", f"20260103T000000Z-{sha256[:12]}", RKLLM, str(blob), sha256, 5, None, None, False, "t",
        deployed_unix_s=0.0,
    )  # fmt: skip


def arguments(what: str, store: Path, versions: list[Deployment]) -> list[str]:
    folder = deployment_folder(str(store), "one")
    old, new, _ = versions
    if what == "switch":
        fresh = third(store)
        return [folder, fresh.version, json.dumps(fresh.manifest()), fresh.path]
    if what == "prune":
        return [str(store), f"v:one/{old.version}", f"b:{old.sha256}.rkllm"]
    return [str(store), folder, old.sha256, new.sha256]


SCRIPTS = {"switch": scripts.ACTIVATE, "prune": scripts.PRUNE, "remove": scripts.REMOVE}


def whole(store: Path, deployments: list[Deployment]) -> bool:
    return all(
        hashlib.sha256(Path(entry.path).read_bytes()).hexdigest() == entry.sha256 for entry in deployments
    )


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
@pytest.mark.parametrize("what", sorted(SCRIPTS))
def test_what_is_live_survives_a_kill_at_any_step(
    session: SshSession, tmp_path: Path, what: str, shell: str
) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    command = [shell, *(["sh"] if shell == "busybox" else []), "-s"]
    for step in count(1):
        store = tmp_path / f"{what} {step}"
        versions = three_versions(session, store)
        words = arguments(what, store, versions)
        script = f"N={step}\n{_KILLED}{SCRIPTS[what]}"
        done = subprocess.run([*command, *words], input=script, text=True, check=False, capture_output=True)
        assert done.returncode in {0, -9}, done.stderr
        live = {entry.name: entry for entry in list_deployments(session, str(store))}
        assert live["two"] == versions[2]
        assert whole(store, list(live.values()))
        if what == "switch":
            assert live["one"].sha256 in {versions[1].sha256, third(store).sha256}
        elif what == "prune":
            assert live["one"] == versions[1]
        # What was broken off can be done again, and nothing stays behind.
        if what == "remove":
            if any(entry.name == "one" for entry in list_versions(session, str(store))):
                undeploy(session, str(store), "one")
        else:
            subprocess.run([*command, *words], input=SCRIPTS[what], text=True, check=True)
        for orphan in (store / "blobs").iterdir():
            os.utime(orphan, (1, 1))
        prune(session, str(store), 1)
        kept = {entry.sha256 for entry in list_versions(session, str(store))}
        names = {"two"} if what == "remove" else {"one", "two"}
        assert {entry.name for entry in list_deployments(session, str(store))} == names
        assert {path.name for path in (store / "blobs").iterdir()} == {f"{sha}.rkllm" for sha in kept}
        assert whole(store, list_deployments(session, str(store)))
        if done.returncode == 0:
            assert step > 3
            break


def test_first_version_that_was_never_switched_to_can_be_used_or_removed(
    session: SshSession, tmp_path: Path
) -> None:
    first = deploy(session, tmp_path, "one", b"a")
    current = tmp_path / "deployments/one/current"
    current.unlink()
    assert [entry.version for entry in list_versions(session, str(tmp_path))] == [first.version]
    assert list_deployments(session, str(tmp_path)) == []
    assert rollback(session, str(tmp_path), "one").version == first.version
    assert list_deployments(session, str(tmp_path)) == [first]
    current.unlink()
    undeploy(session, str(tmp_path), "one")
    assert list((tmp_path / "blobs").iterdir()) == []


def test_version_somebody_goes_back_to_while_it_is_tidied_up(session: SshSession, tmp_path: Path) -> None:
    old, new, _ = three_versions(session, tmp_path)
    words = arguments("prune", tmp_path, [old, new, old])
    chosen = f"mv() {{ echo {old.version} >'{tmp_path}/deployments/one/current'; command mv \"$@\"; }}\n"
    done = session.run(chosen + scripts.PRUNE, words)
    assert (done.exit_status, done.text.split()) == (0, [])
    assert list_deployments(session, str(tmp_path))[0].version == old.version
    assert whole(tmp_path, list_versions(session, str(tmp_path)))


def test_file_somebody_deploys_while_it_is_tidied_up(session: SshSession, tmp_path: Path) -> None:
    old, new, _ = three_versions(session, tmp_path)
    (tmp_path / "deployments/one" / f"{old.version}.json").unlink()
    manifest = tmp_path / "deployments/two/20260105T000000Z-000000000000.json"
    words = [str(tmp_path), f"b:{old.sha256}.rkllm"]
    deployed = f"mv() {{ echo {old.sha256} >'{manifest}'; command mv \"$@\"; }}\n"
    done = session.run(deployed + scripts.PRUNE, words)
    assert (done.exit_status, done.text.split()) == (0, [])
    assert whole(tmp_path, [old, new])


@pytest.mark.parametrize("comes_back", [False, True], ids=["gone", "back"])
def test_file_that_is_tidied_up_while_it_becomes_live(
    session: SshSession, tmp_path: Path, comes_back: bool
) -> None:
    versions = three_versions(session, tmp_path)
    words = arguments("switch", tmp_path, versions)
    blob = words[3]
    after = f"(sleep 0.5; command mv '{blob}.gone.1' '{blob}') >/dev/null 2>&1 &" if comes_back else ""
    # The third time is after the new version was made current.
    taken = (
        f"n=0; sync() {{ n=$((n+1)); [ $n != 3 ] || {{ command mv '{blob}' '{blob}.gone.1'; {after} }}; }}\n"
    )
    done = session.run(taken + scripts.ACTIVATE, words)
    live = list_deployments(session, str(tmp_path))[0]
    if comes_back:
        assert (done.exit_status, live.version) == (0, words[1])
    else:
        assert (done.exit_status, live.version) == (75, versions[1].version)
    assert whole(tmp_path, [live])


def test_manifest_that_cannot_be_read_keeps_its_file(session: SshSession, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    old, _, _ = three_versions(session, tmp_path)
    manifest = tmp_path / "deployments/one" / f"{old.version}.json"
    manifest.chmod(0)
    session.run(scripts.PRUNE, [str(tmp_path), f"b:{old.sha256}.rkllm"])
    assert Path(old.path).exists()


@pytest.mark.parametrize("at_work", [False, True], ids=["dead", "alive"])
def test_only_what_a_dead_one_left_aside_is_brought_back(
    session: SshSession, tmp_path: Path, at_work: bool
) -> None:
    old, _, _ = three_versions(session, tmp_path)
    if at_work:
        pid = os.getpid()
    else:
        with subprocess.Popen(["true"]) as ended:
            pid = ended.pid
    aside = Path(f"{old.path}.gone.{pid}")
    Path(old.path).rename(aside)
    prune(session, str(tmp_path), 0)
    assert aside.exists() is at_work
    assert Path(old.path).exists() is not at_work
