"""The demo board as a user's board."""

from pathlib import Path

from core.services import Services
from core.usecases import boards
from core.usecases.boards import BoardDraft
from tests.support.sshd import SshServer


def add_demo_board(services: Services, server: SshServer, tmp_path: Path) -> Services:
    """Add the demo board as "desk", with a store that is this test's alone."""
    store = server.home.parent / f"store-{tmp_path.name}"
    store.mkdir()
    draft = BoardDraft(
        "desk", f"{server.user}@127.0.0.1:{server.port}", server.key_file,
        store=str(store), sysroot=str(server.home.parent / "root"),
    )  # fmt: skip
    boards.add_board(services, draft, server.fingerprint)
    return services
