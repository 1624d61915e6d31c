"""A board with a connection to it, and files and runtimes put there."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from core.base.paths import AppPaths
from core.base.runtime_protocol import ABI, RUNTIMES_FOLDER
from core.remote.hostkeys import HostKeys
from core.remote.session import SshSession
from core.serve import service
from core.serve.records import RUN_FOLDER
from core.vendor.kinds import ModelKind, model_kinds
from tests.support.sshd import SshServer
from tests.support.tiny_model import write_tiny_model


@dataclass(frozen=True)
class HostBoard:
    name: str
    store: str | None
    sysroot: str


@dataclass(frozen=True)
class ModelFile:
    name: str
    version: str
    path: str
    sha256: str
    simulated: bool
    kind: ModelKind = field(default_factory=lambda: model_kinds()["rkllm"])


@dataclass(frozen=True)
class Place:
    """A board with a connection to it."""

    server: SshServer
    board: HostBoard
    session: SshSession
    known_hosts: Path

    def connect(self) -> SshSession:
        """Another connection, as another program has it."""
        return self.server.connect(HostKeys(self.known_hosts))

    @property
    def run_folder(self) -> Path:
        return Path(self.board.store or "") / RUN_FOLDER

    def deploy(self, name: str, dtype: str = "w8a8", hidden: int = 32, layers: int = 2) -> ModelFile:
        folder = Path(self.board.store or "") / "it's a folder"
        folder.mkdir(exist_ok=True)
        path = folder / f"{name}.rkllm"
        write_tiny_model(path, dtype, hidden=hidden, layers=layers, context=2048)
        return ModelFile(name, "1", str(path), "00" * 32, simulated=True)

    @property
    def runtimes(self) -> Path:
        """The folder of the programs."""
        folder = Path(self.board.sysroot + RUNTIMES_FOLDER)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def runtime(
        self,
        name: str,
        script: str,
        *,
        simulated: bool = True,
        abi: int | str | None = ABI,
        kinds: list[str] | None = None,
    ) -> None:
        """Install a program that describes itself well and then behaves as `script` says."""
        told = {"name": name, "version": "1", "simulated": simulated, "abi": abi}
        about = json.dumps(told if kinds is None else {**told, "kinds": kinds})
        path = self.runtimes / name
        path.write_text(
            f"#!/bin/sh\nif [ \"$1\" = describe ]; then echo '{about}'; exit; fi\nread -r token\n"
            f'while [ $# -gt 1 ]; do [ "$1" = --state-file ] && state=$2; shift; done\n{script}\n'
        )
        path.chmod(0o755)


def place_on(server: SshServer, paths: AppPaths) -> Iterator[Place]:
    """Connect; what is served in the end is stopped."""
    folder = server.home.parent
    board = HostBoard("desk", str(folder / "store"), str(folder / "root"))
    with server.connect(HostKeys(paths.known_hosts)) as session:
        yield Place(server, board, session, paths.known_hosts)
        service.stop_serving(session, board)
