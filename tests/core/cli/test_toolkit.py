"""`rkdeck toolkit`: what is added, listed and forgotten."""

import json
from pathlib import Path
from typing import Any

import pytest

from core.cli.main import run as rkdeck
from core.demo.toolkit_env import create_toolkit_env


def run(home: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    code = rkdeck(["toolkit", *arguments, "--json", "--home", str(home)])
    return code, json.loads(capsys.readouterr().out)


def test_a_toolkit_is_added_listed_and_forgotten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    python, home = create_toolkit_env(tmp_path / "env"), tmp_path / "home"
    code, added = run(home, capsys, "add", str(python))
    assert (code, added["python"], added["simulated"]) == (0, str(python), True)
    assert run(home, capsys)[1]["toolkits"] == [{name: added[name] for name in added if name != "schema"}]
    code, removed = run(home, capsys, "remove", str(python))
    assert (code, removed["removed"]["python"]) == (0, str(python))
    assert run(home, capsys)[1]["toolkits"] == []
    assert python.exists()
    code, refused = run(home, capsys, "remove", str(python))
    assert (code, refused["error"]["code"]) == (2, "convert.toolkit_unknown")


@pytest.mark.parametrize("action", ["add", "remove"])
def test_a_toolkit_has_to_be_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], action: str) -> None:
    code, refused = run(tmp_path / "home", capsys, action)
    assert (code, refused["error"]["code"]) == (2, "cli.toolkit_python")
    assert f"`toolkit {action}`" in refused["error"]["message"]
