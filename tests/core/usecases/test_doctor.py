"""The doctor as a front end uses it, on the demo board and on real accounts."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.base.errors import CancelledError, RefusedError, RKDeckError
from core.base.paths import AppPaths
from core.base.tasks import CancelToken
from core.boards.doctor.applying import run_commands
from core.boards.doctor.reading import examine_board
from core.boards.doctor.remedies import Remedy, join_groups, raise_open_files
from core.remote.hostkeys import HostKeys
from core.remote.session import SshSession
from core.services import Services
from core.usecases import boards
from core.usecases import doctor as use
from core.usecases.boards import BoardDraft
from tests.core.boards.trees import orange_pi, user_of_rk3576
from tests.core.deploy.models import real_file, simulated_file
from tests.support.boards import add_demo_board
from tests.support.libraries import library_bytes
from tests.support.sshd import SshServer, demo_board, openssh
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with demo_board(tmp_path_factory.mktemp("board"), "--soc", "rk3588") as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with openssh(tmp_path_factory.mktemp("sshd")) as running:
        yield running


def add(services: Services, server: SshServer, tree: Path, store: Path, name: str = "desk") -> None:
    draft = BoardDraft(
        name, f"{server.user}@127.0.0.1:{server.port}", server.key_file, store=str(store), sysroot=str(tree)
    )
    boards.add_board(services, draft, server.fingerprint)


def test_demo_board(services: Services, demo: SshServer, tmp_path: Path) -> None:
    add_demo_board(services, demo, tmp_path)
    found = use.diagnose(services, "desk", simulated_file(tmp_path / "tiny.rkllm"))
    verdicts = {entry.check: entry.verdict for entry in found.findings}
    assert found.seen.facts.simulated
    assert verdicts["simulated"] == verdicts["driver"] == verdicts["runtime"] == "ok"
    assert verdicts["model_runtime"] == "ok"
    assert verdicts["model_context"] == verdicts["model_disk"] == "ok"
    assert "failed" not in verdicts.values(), verdicts
    assert found.seconds < 10


def test_nothing_is_changed_by_looking(services: Services, server: SshServer, tmp_path: Path) -> None:
    tree, store = user_of_rk3576(tmp_path / "root"), tmp_path / "store"
    add(services, server, tree, store)

    def snapshot() -> dict[str, tuple[int, int]]:
        return {
            str(path): (path.lstat().st_ino, path.lstat().st_ctime_ns)
            for path in sorted([*tree.rglob("*"), *server.home.rglob("*")])
        }

    before = snapshot()
    found = use.diagnose(services, "desk", real_file(tmp_path / "m_w8a8_rk3576.rkllm"))
    assert found.verdict == "failed"
    assert snapshot() == before
    assert not store.exists()


def test_full_speed_and_back(services: Services, server: SshServer, tmp_path: Path) -> None:
    tree = user_of_rk3576(tmp_path / "root")
    add(services, server, tree, tmp_path / "store")
    found = use.diagnose(services, "desk")
    remedy = next(entry.remedy for entry in found.findings if entry.check == "clocks")
    assert remedy is not None
    assert found.way(remedy) == "direct"
    use.apply_remedy(services, "desk", remedy)
    npu = tree / "sys/class/devfreq/27700000.npu/governor"
    assert npu.read_text() == "performance\n"
    use.apply_remedy(services, "desk", remedy, undo=True)
    assert npu.read_text() == "rknpu_ondemand\n"


def test_the_library_goes_beside_the_models(services: Services, server: SshServer, tmp_path: Path) -> None:
    tree, store = orange_pi(tmp_path / "root"), tmp_path / "a store"
    add(services, server, tree, store)
    chosen = tmp_path / "librkllmrt.so"
    chosen.write_bytes(library_bytes("1.3.1"))
    seen = use.diagnose(services, "desk").seen
    model = real_file(tmp_path / "m_w8a8_rk3588.rkllm")
    before = use.diagnose(services, "desk", model)
    assert {entry.code for entry in before.findings} >= {"doctor.library_none", "doctor.model_no_library"}
    other = replace(seen, facts=replace(seen.facts, machine="armv7l"))
    with pytest.raises(RefusedError) as caught:
        use.take_library(services, chosen, other)
    assert caught.value.code == "doctor.library_for_other_cpu"
    assert not services.paths.runtimes.exists()
    library = use.take_library(services, chosen, seen)
    assert library.path.is_relative_to(services.paths.runtimes), "kept for the next board"
    remedy = use.plan_library(services, "desk", library, seen)
    assert use.send_library(services, "desk", library) == remedy
    target = str(remedy.facts["path"])
    assert target == f"{store}/lib/1.3.1-{library.blob[:8]}/librkllmrt.so"
    assert Path(target).read_bytes() == chosen.read_bytes()
    assert [path.name for path in Path(target).parent.iterdir()] == ["librkllmrt.so"]
    after = use.diagnose(services, "desk", model)
    assert [entry.version for entry in after.seen.rkllm_libraries] == ["1.3.1"]
    assert [entry.version for entry in after.seen.facts.libraries] == ["1.3.1"]
    assert "doctor.model_runtime_ok" in {entry.code for entry in after.findings}
    use.apply_remedy(services, "desk", remedy, undo=True)
    assert not Path(target).parent.exists()


def test_called_off(services: Services, server: SshServer, tmp_path: Path) -> None:
    add(services, server, orange_pi(tmp_path / "root"), tmp_path / "store")
    token = CancelToken()
    token.cancel()
    with pytest.raises(CancelledError):
        use.diagnose(services, "desk", cancel=token)


def test_hostile_model_names(services: Services, server: SshServer, tmp_path: Path) -> None:
    add(services, server, orange_pi(tmp_path / "root"), tmp_path / "store")
    for name in ("$(reboot)_w8a8_rk3588.rkllm", "a'b\n\x1b[2J\u202e.rkllm", "x" * 240 + ".rkllm"):
        found = use.diagnose(services, "desk", real_file(tmp_path / name))
        assert not any(character in repr(found.findings) for character in "\x1b\u202e\n")


# --- root through sudo, on real accounts -------------------------------------------------------------------------

ACCOUNT = f"rkdeck-doc-{os.getpid()}"
PASSWORD = "Kirschbaum 42 blüht"


@pytest.fixture
def account() -> Iterator[str]:
    """An ordinary account with a password that may use sudo, and a group it can be added to."""
    rules = Path(f"/etc/sudoers.d/{ACCOUNT}")
    subprocess.run(["useradd", "--create-home", "--shell", "/bin/sh", ACCOUNT], check=True)
    try:
        subprocess.run(["chpasswd"], input=f"{ACCOUNT}:{PASSWORD}".encode(), check=True)
        subprocess.run(["groupadd", "--force", "render"], check=True)
        rules.write_text(f"{ACCOUNT} ALL=(ALL) ALL\n")
        rules.chmod(0o440)
        yield ACCOUNT
    finally:
        rules.unlink(missing_ok=True)
        subprocess.run(["pkill", "-KILL", "-u", ACCOUNT], check=False)
        remove = ["userdel", "--remove", ACCOUNT]  # refused while a process of its is still ending
        wait_until(lambda: subprocess.run(remove, capture_output=True).returncode == 0)


@contextlib.contextmanager
def as_account(folder: Path, name: str, host_keys: HostKeys) -> Iterator[SshSession]:
    """Logged in to a real sshd with the account's password."""
    with openssh(folder, "PasswordAuthentication yes") as running:
        target = running.target(user=name, identity_file=None, password=PASSWORD)
        with SshSession.connect(target, host_keys, running.fingerprint) as session:
            yield session


@pytest.mark.needs_root
def test_root_through_sudo(account: str, paths: AppPaths, tmp_path: Path) -> None:
    host_keys = HostKeys(paths.known_hosts)
    with as_account(tmp_path / "first", account, host_keys) as session:
        seen = examine_board(session)
        assert (seen.facts.user, seen.facts.sudo, seen.is_root) == (account, "password", False)
        groups = join_groups(replace(seen, groups=frozenset({"render"})), {"render"})
        assert groups is not None
        assert groups.as_root
        with pytest.raises(RefusedError) as caught:
            run_commands(session, groups.commands, as_root=True)
        assert caught.value.code == "doctor.sudo_password_needed"
        with pytest.raises(RefusedError) as caught:
            run_commands(session, groups.commands, as_root=True, password="wrong")
        assert caught.value.code == "doctor.sudo_password_wrong"
        assert "render" not in _groups(account)
        run_commands(session, groups.commands, as_root=True, password=PASSWORD)
        assert "render" in _groups(account)
    with as_account(tmp_path / "again", account, host_keys) as session:
        assert "render" in examine_board(session).facts.groups, "the next login has it"
        run_commands(session, groups.undo, as_root=True, password=PASSWORD)
        assert "render" not in _groups(account)


@pytest.mark.needs_root
def test_sudo_that_asks_nothing_never_runs_the_password(
    account: str, paths: AppPaths, tmp_path: Path
) -> None:
    Path(f"/etc/sudoers.d/{account}").write_text(f"{account} ALL=(ALL) NOPASSWD: ALL\n")
    marker = tmp_path / "ran"
    with as_account(tmp_path / "server", account, HostKeys(paths.known_hosts)) as session:
        run_commands(
            session, ["id -un > '" + str(tmp_path / "who") + "'"], as_root=True, password=f"touch {marker}"
        )
    assert (tmp_path / "who").read_text() == "root\n"
    assert not marker.exists()


@pytest.mark.needs_root
def test_open_files_for_good(account: str, paths: AppPaths, tmp_path: Path) -> None:
    with as_account(tmp_path / "server", account, HostKeys(paths.known_hosts)) as session:
        seen = replace(examine_board(session), sysroot=str(tmp_path / "root"))
        remedy = raise_open_files(seen)
        assert isinstance(remedy, Remedy)
        (tmp_path / "root/etc/security/limits.d").mkdir(parents=True)
        run_commands(session, remedy.commands, as_root=True, password=PASSWORD)
        file = tmp_path / "root/etc/security/limits.d/90-rkdeck.conf"
        assert file.read_text() == f"{account} - nofile 102400\n"
        assert file.stat().st_uid == 0
        with pytest.raises(RKDeckError) as caught:
            run_commands(session, ["usermod -a -G no-such-group " + account], as_root=True, password=PASSWORD)
        assert caught.value.code == "doctor.fix_failed"
        run_commands(session, remedy.undo, as_root=True, password=PASSWORD)
        assert not file.exists()


def _groups(name: str) -> set[str]:
    return set(subprocess.run(["id", "-Gn", name], capture_output=True, text=True, check=True).stdout.split())
