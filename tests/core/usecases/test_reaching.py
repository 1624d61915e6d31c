"""A board that changed its card, its address or nothing at all, and boards that only look the same."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.base.errors import RefusedError, RKDeckError
from core.base.paths import AppPaths
from core.base.settings import Settings
from core.boards.records import Board
from core.remote.hostkeys import HostKey, HostKeys
from core.services import Services
from core.usecases import boards as use
from core.usecases import reaching
from core.usecases.boards import BoardDraft
from tests.core.boards.trees import mainline, orange_pi, write_tree
from tests.core.remote.test_expired import NEW, OLD, expired
from tests.support.sshd import SshServer, openssh

OTHER_KEY = HostKey("ssh-ed25519", b"\0\0\0\x0bssh-ed25519\0\0\0 " + b"k" * 32)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with openssh(tmp_path_factory.mktemp("first")) as server:
        yield server


@pytest.fixture(scope="module")
def second(first: SshServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """The same card in another board: host key and account are the same."""
    with openssh(tmp_path_factory.mktemp("second"), like=first) as server:
        assert server.fingerprint == first.fingerprint
        yield server


@pytest.fixture
def services(paths: AppPaths) -> Iterator[Services]:
    with Services(paths, Settings()) as services:
        yield services


def add(services: Services, name: str, server: SshServer, root: Path) -> Board:
    return use.add_board(services, draft(name, server, root), server.fingerprint)


def draft(name: str, server: SshServer, root: Path) -> BoardDraft:
    address = f"{server.user}@{server.host}:{server.port}"
    return BoardDraft(name, address, server.key_file, store=f"{root}-store", sysroot=str(root))


def at(server: SshServer) -> str:
    return f"{server.host}:{server.port}"


def key_of(services: Services, server: SshServer) -> list[str]:
    return [key.fingerprint for key in services.host_keys.lookup(server.host, server.port)]


SERIAL = "proc/device-tree/serial-number"
MAC = "sys/class/net/eth0/address"
MACHINE = "etc/machine-id"


class TestClones:
    def test_equal_machine_id_and_host_key_stay_two(
        self, services: Services, first: SshServer, second: SshServer, tmp_path: Path
    ) -> None:
        one = orange_pi(tmp_path / "one")
        two = write_tree(
            orange_pi(tmp_path / "two"), {SERIAL: b"00c0ffee00c0ffee\0", MAC: "00:e0:4c:68:00:99\n"}
        )
        kitchen, garage = add(services, "kitchen", first, one), add(services, "garage", second, two)
        assert kitchen.facts is not None
        assert garage.facts is not None
        assert kitchen.facts.machine_id_sha256 == garage.facts.machine_id_sha256
        assert kitchen.identity != garage.identity
        assert use.same_hardware(services, kitchen) == use.same_hardware(services, garage) == ()
        for name in ("kitchen", "garage"):
            use.probe(services, name)
        kitchen, garage = services.boards.list()
        # The cards swapped, so that each answers at the other's address: neither is taken for the other.
        one.rename(tmp_path / "three")
        two.rename(one)
        (tmp_path / "three").rename(two)
        for name in ("kitchen", "garage"):
            with pytest.raises(RefusedError) as caught:
                use.probe(services, name)
            assert caught.value.code == "boards.other_hardware"
        assert services.boards.list() == [kitchen, garage]

    def test_without_serial_numbers_the_network_card_tells_them_apart(
        self, services: Services, first: SshServer, second: SshServer, tmp_path: Path
    ) -> None:
        one = mainline(tmp_path / "one")
        two = write_tree(mainline(tmp_path / "two"), {MAC: "00:e0:4c:68:00:77\n"})
        kitchen, garage = add(services, "kitchen", first, one), add(services, "garage", second, two)
        assert kitchen.identity is not None
        assert kitchen.identity.startswith("machine:")
        assert kitchen.identity != garage.identity


class TestNewAddress:
    def test_it_is_recognised_and_moved(
        self, services: Services, first: SshServer, second: SshServer, tmp_path: Path
    ) -> None:
        root = orange_pi(tmp_path / "root")
        add(services, "kitchen", first, root)
        again = add(services, "unknown", second, root)
        assert use.same_hardware(services, again) == ("kitchen",)
        use.remove_board(services, "unknown")
        # It shows the key it showed before: nobody has to compare it again.
        found = reaching.move_board(services, "kitchen", at(second))
        assert (found.match, found.board.port, found.board.user) == ("same", second.port, first.user)
        assert key_of(services, first) == []
        assert key_of(services, second) == [second.fingerprint]
        assert use.probe(services, "kitchen").port == second.port

    def test_another_board_is_not_taken_for_it(
        self, services: Services, first: SshServer, second: SshServer, tmp_path: Path
    ) -> None:
        root = orange_pi(tmp_path / "root")
        before = add(services, "kitchen", first, root)
        write_tree(root, {SERIAL: b"00c0ffee00c0ffee\0"})
        with pytest.raises(RefusedError) as caught:
            reaching.move_board(services, "kitchen", at(second))
        assert caught.value.code == "boards.other_hardware"
        assert services.boards.get("kitchen") == before
        assert key_of(services, first) == [first.fingerprint]
        assert key_of(services, second) == []

    def test_an_unknown_key_is_asked_about(
        self, services: Services, first: SshServer, tmp_path: Path
    ) -> None:
        root = orange_pi(tmp_path / "root")
        add(services, "kitchen", first, root)
        with openssh(tmp_path / "third") as third:
            # The account's key opens this server, too.
            authorized = third.key_file.with_name("authorized_keys")
            authorized.write_text(first.key_file.with_name("user_key.pub").read_text())
            with pytest.raises(RefusedError) as caught:
                reaching.move_board(services, "kitchen", at(third))
            assert caught.value.code == "remote.host_key_unknown"
            assert key_of(services, third) == []
            assert reaching.move_board(services, "kitchen", at(third), third.fingerprint).match == "same"


class TestNewCard:
    def changed(self, services: Services, server: SshServer, root: Path) -> RKDeckError:
        """A board whose key was another one until now."""
        add(services, "kitchen", server, root)
        services.host_keys.replace(server.host, server.port, OTHER_KEY)
        with pytest.raises(RefusedError) as caught:
            use.probe(services, "kitchen", server.fingerprint)
        assert reaching.is_changed_key(caught.value)
        assert caught.value.facts["known_fingerprint"] == OTHER_KEY.fingerprint
        return caught.value

    def test_the_same_board_is_recognised_by_its_serial_number(
        self, services: Services, first: SshServer, tmp_path: Path
    ) -> None:
        root = orange_pi(tmp_path / "root")
        error = self.changed(services, first, root)
        write_tree(root, {MACHINE: "f" * 32 + "\n"})
        found = reaching.accept_new_key(services, "kitchen", str(error.facts["fingerprint"]))
        assert found.match == "same"
        assert key_of(services, first) == [first.fingerprint]
        assert use.probe(services, "kitchen").identity == found.board.identity

    def test_only_the_key_that_was_compared(
        self, services: Services, first: SshServer, tmp_path: Path
    ) -> None:
        self.changed(services, first, orange_pi(tmp_path / "root"))
        with pytest.raises(RefusedError) as caught:
            reaching.accept_new_key(services, "kitchen", OTHER_KEY.fingerprint)
        assert caught.value.code == "remote.host_key_changed"
        assert key_of(services, first) == [OTHER_KEY.fingerprint]

    def test_another_board_does_not_take_its_place_unasked(
        self, services: Services, first: SshServer, tmp_path: Path
    ) -> None:
        root = orange_pi(tmp_path / "root")
        self.changed(services, first, root)
        write_tree(root, {SERIAL: b"00c0ffee00c0ffee\0"})
        with pytest.raises(RefusedError) as caught:
            reaching.accept_new_key(services, "kitchen", first.fingerprint)
        assert caught.value.code == "boards.other_hardware"
        assert key_of(services, first) == [OTHER_KEY.fingerprint]
        found = reaching.accept_new_key(services, "kitchen", first.fingerprint, replaced=True)
        assert found.match == "other"
        assert key_of(services, first) == [first.fingerprint]

    def test_without_a_serial_number_somebody_has_to_say(
        self, services: Services, first: SshServer, tmp_path: Path
    ) -> None:
        root = mainline(tmp_path / "root")
        self.changed(services, first, root)
        write_tree(root, {MACHINE: "f" * 32 + "\n"})
        with pytest.raises(RefusedError) as caught:
            reaching.accept_new_key(services, "kitchen", first.fingerprint)
        assert caught.value.code == "boards.unclear_hardware"
        assert (
            reaching.accept_new_key(services, "kitchen", first.fingerprint, replaced=True).match == "unclear"
        )

    def test_a_serial_number_that_comes_into_sight_is_no_other_board(
        self, services: Services, first: SshServer, tmp_path: Path
    ) -> None:
        root = mainline(tmp_path / "root")
        before = add(services, "kitchen", first, root)
        write_tree(root, {SERIAL: b"c3d9b8674f4b94f6\0"})
        after = use.probe(services, "kitchen")
        assert before.identity is not None
        assert after.identity is not None
        assert (before.identity[:8], after.identity[:7]) == ("machine:", "serial:")


# A server without privileges cannot hand out a terminal.
@pytest.mark.needs_root
class TestExpiredPassword:
    def test_it_is_renewed_and_the_board_added(self, services: Services, tmp_path: Path) -> None:
        root = orange_pi(tmp_path / "root")
        with expired(tmp_path) as server:
            wanted = replace(draft("kitchen", server, root), password=OLD)
            with pytest.raises(RKDeckError) as caught:
                use.add_board(services, wanted, server.fingerprint)
            assert caught.value.code == "remote.password_expired"
            assert key_of(services, server) == []
            renewed = reaching.renew_password(services, wanted, NEW, server.fingerprint)
            use.add_board(services, renewed)
            assert services.secrets.get("board:kitchen") == NEW

    def test_a_failure_keeps_nothing(self, services: Services, tmp_path: Path) -> None:
        with expired(tmp_path) as server:
            wanted = replace(draft("kitchen", server, tmp_path), password=OLD)
            with pytest.raises(RKDeckError) as caught:
                reaching.renew_password(services, wanted, "kurz", server.fingerprint)
            assert caught.value.code == "remote.new_password_refused"
            assert key_of(services, server) == []

    def test_of_a_board_that_was_added(self, services: Services, tmp_path: Path) -> None:
        root = orange_pi(tmp_path / "root")
        with expired(tmp_path) as server:
            (tmp_path / "state.done").touch()
            use.add_board(services, replace(draft("kitchen", server, root), password=OLD), server.fingerprint)
            (tmp_path / "state.done").unlink()
            with pytest.raises(RKDeckError) as caught:
                use.probe(services, "kitchen")
            assert caught.value.code == "remote.password_expired"
            assert reaching.renew_board_password(services, "kitchen", NEW) == "memory"
            assert services.secrets.get("board:kitchen") == NEW
            assert use.probe(services, "kitchen").facts is not None


class TestSettings:
    def test_a_name_of_the_settings_is_a_board(
        self, services: Services, first: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        config = tmp_path / "config"
        config.write_text(
            f"Host opi\n HostName 127.0.0.1\n Port {first.port}\n User {first.user}\n"
            f" IdentityFile {first.key_file}\n"
        )
        monkeypatch.setenv("RKDECK_SSH_CONFIG", str(config))
        root = orange_pi(tmp_path / "root")
        board = use.add_board(
            services,
            BoardDraft("kitchen", "opi", store=f"{root}-store", sysroot=str(root)),
            first.fingerprint,
        )
        assert (board.host, board.port, board.user) == ("opi", first.port, first.user)
        assert board.identity_file is None
        assert HostKeys(services.paths.known_hosts).lookup("opi", first.port)
        assert use.refresh_board(services, "kitchen").board.name == "kitchen"
        use.remove_board(services, "kitchen")
        assert not HostKeys(services.paths.known_hosts).lookup("opi", first.port)

    def test_what_was_typed_comes_first(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        config = tmp_path / "config"
        config.write_text("Host opi\n Port 2022\n User pi\n")
        monkeypatch.setenv("RKDECK_SSH_CONFIG", str(config))
        typed = use.board_of(BoardDraft("a", "me@opi:23"))
        plain = use.board_of(BoardDraft("a", "other"))
        assert (typed.user, typed.port) == ("me", 23)
        assert (plain.user, plain.port) == ("root", 22)
