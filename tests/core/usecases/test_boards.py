"""Boards as a front end uses them: what is kept after a success, and that nothing is after a failure."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.base.errors import CancelledError, RefusedError, RKDeckError, UsageError
from core.base.log import redact
from core.base.paths import AppPaths
from core.base.settings import Settings
from core.base.tasks import CancelToken
from core.boards.records import Board
from core.remote.session import RemoteResult, SshSession
from core.services import Services
from core.usecases import boards as use
from core.usecases.boards import BoardDraft
from tests.core.boards.trees import orange_pi, write_tree
from tests.support.orders import start_deploy
from tests.support.sshd import SshServer, demo_board, free_port, new_key, openssh
from tests.support.tiny_model import write_tiny_model
from tests.support.waiting import wait_until

PASSPHRASE = "correct horse battery staple"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with demo_board(tmp_path_factory.mktemp("demo"), "--soc", "rk3588") as server:
        yield server


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """OpenSSH, which also lets in a key that is protected by a passphrase."""
    folder = tmp_path_factory.mktemp("real")
    with openssh(folder) as server:
        new_key(folder / "locked_key", passphrase=PASSPHRASE)
        with (folder / "authorized_keys").open("a") as file:
            file.write((folder / "locked_key.pub").read_text())
        yield server


@pytest.fixture
def services(paths: AppPaths) -> Iterator[Services]:
    with Services(paths, Settings()) as services:
        yield services


def draft(server: SshServer, name: str = "desk", **changes: object) -> BoardDraft:
    folder = server.home.parent
    found = BoardDraft(
        name,
        f"{server.user}@{server.host}:{server.port}",
        server.key_file,
        store=str(folder / "store"),
        sysroot=str(folder / "root"),
    )
    return replace(found, **changes)  # type: ignore[arg-type]


def kept(services: Services, server: SshServer) -> list[object]:
    """What a failed try must leave empty."""
    host_keys = services.host_keys.lookup(server.host, server.port)
    return [*use.list_boards(services), *host_keys, *filter(None, [services.secrets.get("board:desk")])]


def test_an_unknown_key_is_refused_with_its_fingerprint_and_nothing_is_kept(
    services: Services, demo: SshServer
) -> None:
    with pytest.raises(RefusedError) as refused:
        use.add_board(services, draft(demo, password="secret"))
    assert use.is_unknown_key(refused.value)
    assert refused.value.facts["fingerprint"] == demo.fingerprint
    assert refused.value.facts["host"] == demo.host
    assert kept(services, demo) == []
    assert "secret" not in redact("the password is secret")


def test_another_fingerprint_than_the_boards_is_refused(services: Services, demo: SshServer) -> None:
    with pytest.raises(RefusedError) as refused:
        use.add_board(services, draft(demo), "SHA256:" + "A" * 43)
    assert use.is_unknown_key(refused.value)
    assert kept(services, demo) == []


def test_an_accepted_board_is_there_with_its_facts(services: Services, demo: SshServer) -> None:
    board = use.add_board(services, draft(demo, " desk ", password=""), demo.fingerprint)
    assert use.list_boards(services) == (board,)
    assert services.boards.get("desk") == board
    assert (board.name, board.port, board.user) == ("desk", demo.port, demo.user)
    assert board.facts is not None
    assert board.facts.soc == "rk3588"
    assert board.facts.simulated
    assert board.identity == board.facts.identity is not None
    assert [key.fingerprint for key in services.host_keys.lookup(demo.host, demo.port)] == [demo.fingerprint]
    # The key is known now: nobody has to accept it again.
    assert use.probe(services, "desk").facts is not None


def test_without_a_chosen_store_the_probe_proposes_one(services: Services, demo: SshServer) -> None:
    board = use.add_board(services, draft(demo, store=""), demo.fingerprint)
    assert board.facts is not None
    assert board.store == board.facts.store_proposal is not None


def test_the_home_folder_in_a_key_files_name_is_understood(
    services: Services, demo: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(demo.key_file.parent))
    board = use.add_board(
        services, draft(demo, identity_file=Path("~") / demo.key_file.name), demo.fingerprint
    )
    assert board.identity_file == demo.key_file
    with pytest.raises(UsageError) as refused:
        use.add_board(services, draft(demo, "other", identity_file=Path("~nobody-here/id")))
    assert refused.value.code == "remote.identity_missing"


def test_a_changed_key_is_refused_and_stays_remembered_as_it_was(
    services: Services, demo: SshServer, real: SshServer
) -> None:
    kind, blob = (real.key_file.with_name("host_key.pub")).read_text().split()[:2]
    before = f"[{demo.host}]:{demo.port} {kind} {blob}\n"
    services.paths.known_hosts.write_text(before)
    with pytest.raises(RefusedError) as refused:
        use.add_board(services, draft(demo), demo.fingerprint)
    assert refused.value.code == "remote.host_key_changed"
    assert refused.value.facts["known_fingerprint"] == real.fingerprint
    assert use.list_boards(services) == ()
    assert services.paths.known_hosts.read_text() == before


def test_a_changed_key_stops_a_visit_and_leaves_the_board_as_it_was(
    services: Services, demo: SshServer, real: SshServer
) -> None:
    board = use.add_board(services, draft(demo), demo.fingerprint)
    kind, blob = (real.key_file.with_name("host_key.pub")).read_text().split()[:2]
    services.paths.known_hosts.write_text(f"[{demo.host}]:{demo.port} {kind} {blob}\n")
    for accept in (None, demo.fingerprint):
        with pytest.raises(RefusedError) as refused:
            use.refresh_board(services, "desk", accept)
        assert refused.value.code == "remote.host_key_changed"
    assert use.list_boards(services) == (board,)


def test_a_name_that_is_taken_leaves_that_board_and_its_password_alone(
    services: Services, demo: SshServer
) -> None:
    board = use.add_board(services, draft(demo), demo.fingerprint)
    assert use.set_password(services, "desk", "old") == "memory"
    with pytest.raises(UsageError) as refused:
        use.add_board(services, draft(demo, password="new"), demo.fingerprint)
    assert refused.value.code == "boards.exists"
    assert use.list_boards(services) == (board,)
    assert services.secrets.get(board.secret_name) == "old"
    assert services.host_keys.lookup(demo.host, demo.port)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"name": "no spaces please"}, "boards.bad_name"),
        ({"name": ""}, "boards.bad_name"),
        ({"address": ""}, "boards.bad_address"),
        ({"address": "a b"}, "remote.bad_host"),
        ({"address": "host:99999"}, "remote.bad_port"),
        ({"address": "-oProxyCommand=x@host"}, "remote.bad_user"),
        ({"store": "relative"}, "boards.bad_store"),
    ],
)
def test_a_draft_that_makes_no_sense_is_refused_before_anything_is_sent(
    services: Services, demo: SshServer, changes: dict[str, str], code: str
) -> None:
    with pytest.raises(UsageError) as refused:
        use.add_board(services, draft(demo, **changes), demo.fingerprint)
    assert refused.value.code == code
    assert kept(services, demo) == []


def test_a_host_where_nobody_answers_is_not_kept(services: Services, demo: SshServer) -> None:
    with pytest.raises(RKDeckError) as failed:
        use.add_board(services, draft(demo, address=f"127.0.0.1:{free_port()}", password="x"))
    assert failed.value.code == "remote.refused"
    assert kept(services, demo) == []


def test_an_account_without_a_shell_is_not_kept(services: Services, tmp_path: Path) -> None:
    with openssh(tmp_path / "server", "ForceCommand echo this account does nothing") as server:
        with pytest.raises(RKDeckError) as failed:
            use.add_board(services, draft(server, password="x"), server.fingerprint)
        assert failed.value.code == "boards.no_answer"
        assert kept(services, server) == []


def test_a_passphrase_opens_the_key_and_is_kept(services: Services, real: SshServer) -> None:
    locked = real.key_file.with_name("locked_key")
    places: list[str] = []
    wanted = draft(real, identity_file=locked, password=PASSPHRASE)
    board = use.add_board(services, wanted, real.fingerprint, on_password_kept=places.append)
    assert places == ["memory"]
    assert services.secrets.get(board.secret_name) == PASSPHRASE
    assert use.refresh_board(services, "desk").board.name == "desk"


def test_a_wrong_passphrase_leaves_nothing(services: Services, real: SshServer) -> None:
    locked = real.key_file.with_name("locked_key")
    with pytest.raises(RefusedError) as refused:
        use.add_board(services, draft(real, identity_file=locked, password="wrong"), real.fingerprint)
    assert refused.value.code == "remote.passphrase_wrong"
    assert kept(services, real) == []


def test_the_password_of_an_earlier_board_is_not_used_for_a_new_one(
    services: Services, real: SshServer
) -> None:
    locked = real.key_file.with_name("locked_key")
    services.secrets.set("board:desk", PASSPHRASE)
    with pytest.raises(RefusedError) as refused:
        use.add_board(services, draft(real, identity_file=locked), real.fingerprint)
    assert refused.value.code == "remote.passphrase_needed"
    use.add_board(services, draft(real), real.fingerprint)
    assert services.secrets.get("board:desk") is None


def test_what_was_called_off_is_not_kept_even_when_the_board_answers(
    services: Services, tmp_path: Path
) -> None:
    token = CancelToken()
    slow = tmp_path / "slow"
    # The account's shell waits until the test has called it off.
    options = f'ForceCommand touch {slow}; while [ -e {slow} ]; do sleep 0.05; done; $SHELL -c "$SSH_ORIGINAL_COMMAND"'
    with openssh(tmp_path / "server", options) as server, ThreadPoolExecutor(1) as pool:
        adding = pool.submit(
            use.add_board, services, draft(server, password="x"), server.fingerprint, cancel=token
        )
        wait_until(slow.exists)
        began = time.monotonic()
        token.cancel()
        with pytest.raises(CancelledError, match=r"base\.cancelled"):
            adding.result(5)
        assert time.monotonic() - began < 1
        slow.unlink()
        assert kept(services, server) == []


def test_when_the_password_cannot_be_kept_the_board_is_not_either(
    services: Services, demo: SshServer
) -> None:
    def fail(_place: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        use.add_board(services, draft(demo, password="x"), demo.fingerprint, on_password_kept=fail)
    assert kept(services, demo) == []


def test_a_visit_shows_deployments_serving_and_disk(
    services: Services, demo: SshServer, tmp_path: Path
) -> None:
    from core.usecases import serving

    board = use.add_board(services, draft(demo), demo.fingerprint)
    nothing = use.refresh_board(services, "desk")
    assert (nothing.versions, nothing.serving, nothing.same_hardware_as) == ((), None, ())
    assert nothing.board == services.boards.get("desk")
    assert nothing.mount is not None
    assert nothing.store_free_bytes == nothing.mount.free_bytes is not None
    assert nothing.store_total_bytes == nothing.mount.total_bytes is not None
    assert nothing.store_medium == nothing.mount.medium
    assert abs(nothing.t_unix_s - time.time()) < 60

    start_deploy(services.jobs, board, write_tiny_model(tmp_path / "alice.rkllm")).result(60)
    start_deploy(services.jobs, board, write_tiny_model(tmp_path / "alice.rkllm", seed=2)).result(60)
    running = serving.serve(services, "desk", "alice")
    try:
        status = use.refresh_board(services, "desk")
    finally:
        serving.stop(services, "desk")
    assert [version.name for version in status.versions] == ["alice", "alice"]
    assert [version.version for version in status.deployments] == [status.versions[1].version]
    assert status.serving == running
    assert status.facts.soc == "rk3588"
    assert status.tenants == ()


def test_a_visit_is_one_connection_and_few_questions(
    services: Services, demo: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    use.add_board(services, draft(demo), demo.fingerprint)
    connected: list[SshSession] = []
    ran: list[object] = []
    connect, run = SshSession.connect.__func__, SshSession.run  # type: ignore[attr-defined]

    def counted_connect(*args: object, **kwargs: object) -> SshSession:
        connected.append(connect(SshSession, *args, **kwargs))
        return connected[-1]

    def counted_run(self: SshSession, command: Any, *args: Any, **kwargs: Any) -> RemoteResult:  # noqa: ANN401
        ran.append(command)
        return run(self, command, *args, **kwargs)

    monkeypatch.setattr(SshSession, "connect", counted_connect)
    monkeypatch.setattr(SshSession, "run", counted_run)
    use.refresh_board(services, "desk")
    # What the doctor sees, the versions, what is served.
    assert (len(connected), len(ran)) == (1, 3)


def test_a_visit_names_who_holds_the_npu(services: Services, real: SshServer, tmp_path: Path) -> None:
    root = orange_pi(tmp_path / "root")
    maps = "7f00-7f01 r-xp 0 b3:01 77 /usr/lib/librkllmrt.so\n"
    write_tree(root, {"proc/4242/maps": maps, "proc/4242/comm": "rkllama_server\n"})
    use.add_board(services, draft(real, sysroot=str(root)), real.fingerprint)
    assert use.refresh_board(services, "desk").tenants == ((4242, "rkllama_server"),)


def test_a_visit_takes_one_connection(services: Services, real: SshServer) -> None:
    use.add_board(services, draft(real), real.fingerprint)
    before = real.log_file.read_text().count("Accepted publickey")
    use.refresh_board(services, "desk")
    assert real.log_file.read_text().count("Accepted publickey") - before == 1


def test_a_board_without_a_store_can_be_visited(services: Services, real: SshServer) -> None:
    services.boards.add(
        Board("desk", real.host, real.port, real.user, real.key_file, sysroot=str(real.home / "nothing"))
    )
    facts = use.probe(services, "desk", real.fingerprint).facts
    assert facts is not None
    services.database.execute("UPDATE boards SET store = NULL, facts = NULL WHERE name = ?", ("desk",))
    status = use.refresh_board(services, "desk")
    if facts.store_proposal is None:
        assert (status.versions, status.serving, status.mount, status.store_free_bytes) == (
            (),
            None,
            None,
            None,
        )
    else:
        assert status.board.store == facts.store_proposal


def test_one_board_under_two_names_is_told(services: Services, demo: SshServer) -> None:
    use.add_board(services, draft(demo), demo.fingerprint)
    second = use.add_board(services, draft(demo, "again"))
    assert use.same_hardware(services, second) == ("desk",)
    assert use.refresh_board(services, "desk").same_hardware_as == ("again",)
    use.remove_board(services, "again")
    assert use.refresh_board(services, "desk").same_hardware_as == ()


def test_other_hardware_at_a_boards_address_is_refused(
    services: Services, real: SshServer, tmp_path: Path
) -> None:
    root = orange_pi(tmp_path / "root")
    board = use.add_board(services, draft(real, sysroot=str(root)), real.fingerprint)
    serial: dict[str, bytes | str] = {
        "proc/device-tree/serial-number": b"ffff\0",
        "proc/cpuinfo": "Serial\t\t: ffff\n",
    }
    write_tree(root, serial)
    with pytest.raises(RefusedError) as refused:
        use.refresh_board(services, "desk")
    assert refused.value.code == "boards.other_hardware"
    assert services.boards.get("desk") == board


def test_a_failed_visit_keeps_what_was_known(services: Services, tmp_path: Path) -> None:
    with demo_board(tmp_path / "short", "--soc", "rk3588") as server:
        board = use.add_board(services, draft(server), server.fingerprint)
    with pytest.raises(RKDeckError) as failed:
        use.refresh_board(services, "desk")
    assert failed.value.code == "remote.refused"
    assert use.list_boards(services) == (board,)


def test_a_removed_board_takes_password_and_key_with_it(services: Services, demo: SshServer) -> None:
    use.add_board(services, draft(demo, password="x"), demo.fingerprint)
    use.add_board(services, draft(demo, "again"))
    assert use.remove_board(services, "desk").name == "desk"
    assert services.secrets.get("board:desk") is None
    assert services.host_keys.lookup(demo.host, demo.port), "the other name still lives there"
    use.remove_board(services, "again")
    assert kept(services, demo) == []
    with pytest.raises(UsageError, match=r"boards\.unknown"):
        use.remove_board(services, "desk")


def test_a_password_is_set_for_known_boards_only(services: Services, demo: SshServer) -> None:
    for name, password, code in (("desk", "x", "boards.unknown"), ("desk", "", "cli.password_missing")):
        with pytest.raises(UsageError) as refused:
            use.set_password(services, name, password)
        assert refused.value.code == code
    assert services.secrets.get("board:desk") is None


def test_nothing_is_kept_when_the_program_is_killed_while_it_waits(
    services: Services, paths: AppPaths, tmp_path: Path
) -> None:
    """An address that never answers, and kill -9 in the middle."""
    import socket
    import subprocess
    import sys

    script = (
        "import sys; from pathlib import Path; from core.base.paths import AppPaths\n"
        "from core.base.settings import Settings; from core.services import Services\n"
        "from core.usecases.boards import BoardDraft, add_board\n"
        "with Services(AppPaths(Path(sys.argv[1])), Settings()) as services:\n"
        "    add_board(services, BoardDraft('desk', sys.argv[2], password='x'))\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with subprocess.Popen([sys.executable, "-c", script, str(paths.home), address]) as process:
            link, _ = silent.accept()
            with link:
                process.kill()
                process.wait()
    assert process.returncode == -9
    assert os.listdir(tmp_path)
    assert use.list_boards(services) == ()
