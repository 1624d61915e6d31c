"""The demo board, or any server, as a user's board."""

from pathlib import Path

from core.demo.runtime.install import install_runtime
from core.services import Services
from core.usecases import boards, deployment
from core.usecases.boards import BoardDraft
from tests.support.sshd import SshServer
from tests.support.tiny_model import write_tiny_model


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


def add_alice(services: Services, server: SshServer, tmp_path: Path, *, hidden: int, layers: int) -> Path:
    """Add a server as "desk", with a sysroot, a store and a runtime of this test's own, and deploy "alice" there.

    Returns:
        the sysroot.
    """
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/rkdeck-simulated").write_text("a test\n")
    (root / "proc/device-tree").mkdir(parents=True)
    (root / "proc/device-tree/compatible").write_bytes(b"rockchip,rk3588\0")
    install_runtime(root)
    draft = BoardDraft(
        "desk", f"{server.user}@{server.host}:{server.port}", server.key_file,
        store=str(tmp_path / "store"), sysroot=str(root),
    )  # fmt: skip
    boards.add_board(services, draft, server.fingerprint)
    model = write_tiny_model(tmp_path / "alice.rkllm", hidden=hidden, layers=layers, context=2048)
    (job_id,) = deployment.start_deploys(services, model, ["desk"])
    services.jobs.attach(job_id).result(60)
    return root
