"""The built-in parts as processes, and the program as a user starts it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from core.showcase.parts import DemoParts, running_parts

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 120


@dataclass(frozen=True)
class Program:
    """`rkdeck` in a home folder of its own, against the demo hub."""

    home: Path
    parts: DemoParts

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "HF_ENDPOINT": self.parts.hub_url, "RKDECK_HOME": str(self.home)}

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "gui.main", *arguments],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, exit_code: int = 0) -> str:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=TIMEOUT_S)
        assert process.returncode == exit_code, f"{arguments}: {process.returncode}\n{out}\n{err}"
        assert "Traceback" not in err
        return out

    def document(self, *arguments: str, exit_code: int = 0) -> dict[str, Any]:
        """The one JSON document, or the last line of a reporting verb."""
        return dict(json.loads(self.run(*arguments, "--json", exit_code=exit_code).splitlines()[-1]))

    def add_board(self, name: str = "desk") -> None:
        board = self.parts.board
        self.run(
            "board", "add", name, f"{board['user']}@127.0.0.1:{board['port']}",
            "--identity", str(self.parts.identity_file), "--store", str(board["store"]),
            "--sysroot", str(board["sysroot"]), "--accept-host-key", str(board["host_key_sha256"]),
        )  # fmt: skip


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoParts]:
    with running_parts(tmp_path_factory.mktemp("parts") / "demo") as parts:
        yield parts


@pytest.fixture
def program(parts: DemoParts, tmp_path: Path) -> Program:
    return Program(tmp_path / "home", parts)
