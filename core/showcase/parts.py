"""The built-in hub, board and toolkit, started as processes for the demo; they end with it."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.errors import JsonValue, RKDeckError
from core.showcase.models import READY_REPO, write_gguf_files, write_known_models, write_ready_files

if TYPE_CHECKING:
    from core.boards.records import Board
    from core.convert.records import Toolkit
    from core.services import Services

DEMO_REPO = "rkdeck-demo/wonderland-1m"
BOARD_NAME = "demo-board"
_STOP_TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True)
class DemoParts:
    """Where the running parts are.

    Attributes:
        hub_url: base URL of the loopback hub.
        board: what the simulated board printed: port, host_key_sha256, sysroot, store.
        identity_file: the one-time private key the board accepts.
        toolkit_python: interpreter of the environment with the stand-in toolkit.
    """

    hub_url: str
    board: Mapping[str, JsonValue]
    identity_file: Path
    toolkit_python: Path


@contextlib.contextmanager
def running_parts(folder: Path) -> Iterator[DemoParts]:
    """Start the parts in `folder` and stop them at the end.

    Raises:
        RKDeckError: `demo.part_failed` when one does not start.
    """
    from core.demo.toolkit_env import create_toolkit_env

    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    identity, public_key = _one_time_key(folder)
    with contextlib.ExitStack() as stack:
        model = stack.enter_context(
            resources.as_file(resources.files("resources") / "demo" / "wonderland-1m")
        )
        toolkit_python = create_toolkit_env(folder / "toolkit")
        repos = {DEMO_REPO: model, **write_known_models(folder / "known-models")}
        repos[READY_REPO] = write_ready_files(folder / "ready-made", model, DEMO_REPO, toolkit_python)
        repos |= write_gguf_files(folder / "gguf", model, DEMO_REPO)
        options = [text for repo, place in repos.items() for text in ("--model", f"{repo}={place}")]
        hub = stack.enter_context(_part("hub", "core.demo.hub.server", *options))
        board_folder = str(folder / "board")
        board = stack.enter_context(
            _part("board", "core.demo.board.main", "--folder", board_folder, "--authorized-key", public_key)
        )
        yield DemoParts(str(hub["url"]), board, identity, toolkit_python)


def isolate_demo(parts: DemoParts) -> None:
    """Point this process at the demo's hub; the demo is loopback only, no token of the user's has any business here."""
    os.environ.pop("HF_TOKEN", None)
    os.environ["HF_TOKEN_PATH"] = os.devnull
    os.environ["HF_ENDPOINT"] = parts.hub_url


def prepare(services: "Services", parts: DemoParts) -> tuple["Toolkit", "Board"]:
    """Make a home folder ready: the stand-in toolkit and the demo board are known, as after a user's first steps.

    Raises:
        RKDeckError: as checking the toolkit and reaching the board do.
    """
    return services.toolkits.add(parts.toolkit_python), _add_board(services, parts)


def _add_board(services: "Services", parts: DemoParts) -> "Board":
    """Enter the demo board anew: each run has another port and another key, which is accepted here."""
    from core.usecases.boards import BoardDraft, add_board, list_boards, remove_board

    port = parts.board["port"]
    assert isinstance(port, int)
    if any(board.name == BOARD_NAME for board in list_boards(services)):
        remove_board(services, BOARD_NAME)
    # An earlier demo's board may have had this port, with another key.
    services.host_keys.forget("127.0.0.1", port)
    draft = BoardDraft(
        name=BOARD_NAME,
        address=f"{parts.board['user']}@127.0.0.1:{port}",
        identity_file=parts.identity_file,
        store=str(parts.board["store"]),
        sysroot=str(parts.board["sysroot"]),
    )
    return add_board(services, draft, str(parts.board["host_key_sha256"]))


@contextlib.contextmanager
def _part(name: str, module: str, *arguments: str) -> Iterator[dict[str, JsonValue]]:
    # Each part ends when its standard input does, so that it cannot outlive this process.
    with subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            try:
                yield json.loads(line)
            except json.JSONDecodeError as error:
                raise RKDeckError("demo.part_failed", part=name, exit_code=process.poll()) from error
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _one_time_key(folder: Path) -> tuple[Path, str]:
    """Make the key pair of this run; the private half is readable by its owner only."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    path = folder / "one-time-key"
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(private)
    return path, public.decode()
