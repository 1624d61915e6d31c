"""A jump host whose key changed: its key is taken by the user's word alone, and nobody else's with it."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.base.errors import RefusedError, RKDeckError
from core.base.paths import AppPaths
from core.base.settings import Settings
from core.base.tasks import CancelToken
from core.remote.hostkeys import HostKey
from core.remote.paramiko_setup import NotingTransport
from core.services import Services
from core.usecases import boards as use
from core.usecases import reaching
from core.usecases.boards import BoardDraft
from core.words import word
from tests.core.boards.trees import orange_pi
from tests.core.usecases.test_reaching import OTHER_KEY
from tests.support.sshd import SshServer, openssh


@dataclass
class Way:
    """A home with the board `kitchen` that is reached through `gate`; both keys are known."""

    services: Services
    gate: SshServer
    board: SshServer

    def keys(self) -> dict[str, list[str]]:
        """Fingerprints remembered for gate and board."""
        known = self.services.host_keys
        places = {"gate": self.gate.port, "board": self.board.port}
        return {host: [key.fingerprint for key in known.lookup(host, port)] for host, port in places.items()}

    def right_keys(self) -> dict[str, list[str]]:
        return {"gate": [self.gate.fingerprint], "board": [self.board.fingerprint]}

    def replace_key(self, host: str, key: HostKey = OTHER_KEY) -> None:
        """Make the host's real key look new."""
        port = {"gate": self.gate.port, "board": self.board.port}[host]
        self.services.host_keys.replace(host, port, key)

    def refused(self) -> RKDeckError:
        """The error of visiting the board."""
        with pytest.raises(RefusedError) as caught:
            use.probe(self.services, "kitchen")
        assert reaching.is_changed_key(caught.value)
        return caught.value

    def take(self, fingerprint: str, place: tuple[str, int] | None) -> reaching.Recognised:
        return reaching.accept_new_key(self.services, "kitchen", fingerprint, place=place)

    @property
    def gate_place(self) -> tuple[str, int]:
        return "gate", self.gate.port


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with openssh(tmp_path_factory.mktemp("gate")) as server:
        yield server


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with openssh(tmp_path_factory.mktemp("board")) as server:
        yield server


def write_config(folder: Path, gate: SshServer, board: SshServer) -> Path:
    """An ssh configuration by which the host `board` is reached through the host `gate`."""
    file = folder / "ssh_config"
    file.write_text(
        f"Host gate\n HostName 127.0.0.1\n Port {gate.port}\n User {gate.user}\n IdentityFile {gate.key_file}\n"
        f"Host board\n HostName 127.0.0.1\n Port {board.port}\n User {board.user}\n ProxyJump gate\n"
    )
    return file


@pytest.fixture
def way(
    paths: AppPaths, gate: SshServer, board: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Way]:
    monkeypatch.setenv("RKDECK_SSH_CONFIG", str(write_config(tmp_path, gate, board)))
    root = orange_pi(tmp_path / "root")
    with Services(paths, Settings()) as services:
        draft = BoardDraft("kitchen", "board", board.key_file, store=f"{root}-store", sysroot=str(root))
        use.add_board(services, draft, f"{gate.fingerprint},{board.fingerprint}")
        ready = Way(services, gate, board)
        assert ready.keys() == ready.right_keys()
        yield ready


def test_the_error_names_the_host_on_the_way_and_what_can_be_done(way: Way) -> None:
    way.replace_key("gate")
    error = way.refused()
    assert reaching.place_of_key(error) == way.gate_place
    assert error.facts["fingerprint"] == way.gate.fingerprint
    assert error.facts["known_fingerprint"] == OTHER_KEY.fingerprint
    assert error.facts["jump_to"] == "board"
    for _, advice in (
        word(error),
        word(error, window=True),
        word(error, "es"),
        word(error, "es", window=True),
    ):
        assert "gate" in advice
        assert "board" in advice
    way.replace_key("gate", way.services.host_keys.lookup("board", way.board.port)[0])
    assert way.refused().facts["known_fingerprint"] == way.board.fingerprint


def test_its_key_is_taken_and_the_boards_is_left_alone(way: Way) -> None:
    way.replace_key("gate")
    error = way.refused()
    found = way.take(str(error.facts["fingerprint"]), reaching.place_of_key(error))
    assert (found.hop, found.match, found.board.name) == ("gate", "unknown", "kitchen")
    assert way.keys() == way.right_keys()
    assert use.probe(way.services, "kitchen").identity is not None
    assert not any(isinstance(thread, NotingTransport) for thread in threading.enumerate())


def test_only_the_key_that_was_compared(way: Way) -> None:
    way.replace_key("gate")
    for fingerprint in (OTHER_KEY.fingerprint, way.board.fingerprint, "SHA256:" + "A" * 43):
        with pytest.raises(RefusedError) as caught:
            way.take(fingerprint, way.gate_place)
        assert caught.value.facts["host"] == "gate"
        assert way.keys() == {**way.right_keys(), "gate": [OTHER_KEY.fingerprint]}


def test_consent_to_the_boards_key_lets_no_host_on_the_way_pass(way: Way) -> None:
    """Cloned cards share keys: what was said about one of them is not said about the other."""
    way.replace_key("gate")
    way.replace_key("board")
    for fingerprint in (way.gate.fingerprint, way.board.fingerprint):
        with pytest.raises(RefusedError) as caught:
            way.take(fingerprint, ("board", way.board.port))
        assert reaching.place_of_key(caught.value) == way.gate_place
        with pytest.raises(RefusedError):
            way.take(fingerprint, None)
    assert way.keys() == {"gate": [OTHER_KEY.fingerprint], "board": [OTHER_KEY.fingerprint]}


def test_consent_to_a_host_on_the_way_does_not_let_the_board_pass(way: Way) -> None:
    way.replace_key("gate")
    way.replace_key("board")
    way.take(way.gate.fingerprint, way.gate_place)
    assert way.keys() == {**way.right_keys(), "board": [OTHER_KEY.fingerprint]}
    error = way.refused()
    assert reaching.place_of_key(error) == ("board", way.board.port)
    assert "jump_to" not in error.facts
    assert way.take(way.board.fingerprint, reaching.place_of_key(error)).match == "same"
    assert way.keys() == way.right_keys()


def test_a_host_that_is_not_on_the_way_keeps_its_key(way: Way) -> None:
    way.services.host_keys.accept("elsewhere", 22, OTHER_KEY)
    for place in (("elsewhere", 22), ("gate", 22), ("board", way.gate.port)):
        with pytest.raises(RefusedError) as caught:
            way.take(way.gate.fingerprint, place)
        assert caught.value.code == "remote.not_on_the_way"
    assert way.services.host_keys.lookup("elsewhere", 22) == (OTHER_KEY,)
    assert way.keys() == way.right_keys()


def test_a_revoked_key_stays_refused(way: Way) -> None:
    (present,) = way.services.host_keys.lookup("gate", way.gate.port)
    way.replace_key("gate")
    file = way.services.paths.known_hosts
    file.write_text(f"{file.read_text()}@revoked [gate]:{way.gate.port} {present.text}\n")
    with pytest.raises(RefusedError) as caught:
        way.take(present.fingerprint, way.gate_place)
    assert caught.value.code == "remote.host_key_revoked"


def test_called_off_nothing_is_changed(way: Way) -> None:
    way.replace_key("gate")
    token = CancelToken()
    token.cancel()
    with pytest.raises(RKDeckError) as caught:
        reaching.accept_new_key(
            way.services, "kitchen", way.gate.fingerprint, place=way.gate_place, cancel=token
        )
    assert caught.value.code == "base.cancelled"
    assert way.keys()["gate"] == [OTHER_KEY.fingerprint]


def test_a_key_that_is_known_by_now_is_no_reason_to_forget_others(way: Way) -> None:
    way.services.host_keys.accept("gate", way.gate.port, OTHER_KEY)
    way.take(way.gate.fingerprint, way.gate_place)
    assert way.keys()["gate"] == [way.gate.fingerprint, OTHER_KEY.fingerprint]
