"""The advice heals: the fault is made, the command its own words name is given as it stands, and the fault is gone."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.base.paths import AppPaths
from core.base.settings import Settings
from core.cli.main import run as rkdeck
from core.demo.hub.server import DemoHub
from core.services import Services
from tests.support.boards import add_alice
from tests.support.models import write_random_model
from tests.support.sshd import SshServer, demo_board

REPO = "somebody/small"


@dataclass
class Desk:
    """Somebody at a terminal, who does what it says."""

    home: Path
    capsys: pytest.CaptureFixture[str]

    def call(self, *arguments: str) -> dict[str, object]:
        """The last JSON document of a call that has to end well."""
        code, told = self._run(arguments)
        assert code == 0, told
        return told

    def fault(self, code: str, *arguments: str) -> str:
        """The hint of a call that has to fail so."""
        status, told = self._run(arguments)
        error = told.get("error")
        assert isinstance(error, dict), told
        assert (error["code"], status != 0) == (code, True)
        return str(error["hint"])

    def advised(self, hint: str, begin: str, **own: str) -> dict[str, object]:
        """Give the command of a hint that begins so, with what capitals stand for; it has to end well."""
        commands = [text for text in re.findall(r"`rkdeck ([^`]+)`", hint) if text.startswith(begin)]
        assert commands, hint
        words = [own.get(word, word) for word in shlex.split(commands[0])]
        return self.call(*words)

    def _run(self, arguments: tuple[str, ...]) -> tuple[int, dict[str, object]]:
        code = rkdeck([*arguments, "--json", "--home", str(self.home)])
        told = json.loads(self.capsys.readouterr().out.splitlines()[-1])
        assert isinstance(told, dict)
        return code, told


@pytest.fixture
def desk(paths: AppPaths, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("LC_ALL", "C")
    return Desk(paths.home, capsys)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DemoHub]:
    with DemoHub({REPO: write_random_model(tmp_path / "repo")}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with demo_board(tmp_path_factory.mktemp("demo"), "--soc", "rk3588") as server:
        yield server


@pytest.fixture
def board(server: SshServer, desk: Desk, tmp_path: Path) -> Iterator[None]:
    """A board called "desk" where "alice" is deployed."""
    with Services(AppPaths(desk.home), Settings()) as services:
        add_alice(services, server, tmp_path, hidden=32, layers=2)
    yield
    rkdeck(["stop", "desk", "--json", "--home", str(desk.home)])


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
