"""Probe, deploy and monitor over a real OpenSSH server on loopback: as this user, and as a real other account."""

import contextlib
import json
import os
import pwd
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.core.deploy.models import real_file
from tests.support.sshd import SshServer, openssh
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]
ACCOUNT = f"rkdeck-e2e-{os.getpid()}"


def rkdeck(home: Path, *arguments: str, exit_code: int = 0) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "gui.main", *arguments, "--json", "--home", str(home)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == exit_code, f"{arguments}: {done.stdout}\n{done.stderr}"
    return [json.loads(line) for line in done.stdout.splitlines()]


def walk(home: Path, server: SshServer, user: str, file: Path, *store: str) -> dict[str, Any]:
    """Add, probe, deploy twice, monitor; returns the result of the first deployment."""
    (added,) = rkdeck(
        home, "board", "add", "real", f"{user}@127.0.0.1:{server.port}",
        "--identity", str(server.key_file), "--accept-host-key", server.fingerprint, *store,
    )  # fmt: skip
    facts = added["board"]["facts"]
    assert facts["simulated"] is False
    assert facts["user"] == user
    assert facts["kernel"] == os.uname().release
    assert facts["mem_total_bytes"] > 100 << 20
    # This computer is no Rockchip board: RKDeck says so, and goes on only when told to.
    refused = rkdeck(home, "deploy", str(file), "real", exit_code=3)[-1]["error"]
    assert refused["code"] in {
        "doctor.model_soc_unknown",
        "doctor.soc_unsupported",
        "doctor.driver_none",
        "doctor.soc_none",
    }
    first = rkdeck(home, "deploy", str(file), "real", "--force")[-1]["result"]
    assert first["bytes_sent"] == first["size_bytes"] == file.stat().st_size
    assert rkdeck(home, "deploy", str(file), "real", "--force")[-1]["result"]["bytes_sent"] == 0
    (deployed,) = rkdeck(home, "deployments", "real")
    assert [entry["sha256"] for entry in deployed["deployments"]] == [first["sha256"]]
    samples = rkdeck(home, "monitor", "real", "--samples", "3", "--interval", "0.2")
    assert [sample["link"] for sample in samples] == ["up"] * 3
    assert samples[0]["npu_load_percent"] is None
    assert samples[0]["missing"]["npu_load"]
    assert samples[2]["mem_available_bytes"] > 0
    loads = [load for load in samples[2]["cpu_load_percent"] if load is not None]
    assert len(loads) == os.cpu_count()
    assert all(0 <= load <= 100 for load in loads)
    return dict(first)


def test_path_over_sshd_as_this_user(tmp_path: Path) -> None:
    file = real_file(tmp_path / "tiny_W8A8_RK3588.rkllm")
    store = tmp_path / "store"
    store.mkdir()
    with openssh(tmp_path / "server") as server:
        result = walk(tmp_path / "home", server, server.user, file, "--store", str(store))
    blob = Path(result["path"])
    assert blob.is_relative_to(store)
    assert blob.read_bytes() == file.read_bytes()


@contextlib.contextmanager
def account() -> Iterator[Path]:
    """A real ordinary account with a home of its own, removed afterwards."""
    subprocess.run(["useradd", "--create-home", "--shell", "/bin/sh", "--password", "*", ACCOUNT], check=True)
    try:
        yield Path(pwd.getpwnam(ACCOUNT).pw_dir)
    finally:
        subprocess.run(["pkill", "-KILL", "-u", ACCOUNT], check=False)
        uid = pwd.getpwnam(ACCOUNT).pw_uid
        wait_until(lambda: subprocess.run(["pgrep", "-u", str(uid)], capture_output=True).returncode != 0)
        subprocess.run(["userdel", "--remove", ACCOUNT], check=True, capture_output=True)


@pytest.mark.needs_root
def test_path_over_sshd_as_another_account_with_the_store_in_its_home(tmp_path: Path) -> None:
    file = real_file(tmp_path / "tiny_W8A8_RK3588.rkllm")
    with account() as board_home, openssh(tmp_path / "server") as server:
        store = board_home / "rkdeck-store"
        for folder in (tmp_path, *tmp_path.parents):
            # The keys file lies in this test's folder, which the account must be able to reach.
            with contextlib.suppress(PermissionError):
                folder.chmod(folder.stat().st_mode | 0o011)
        (tmp_path / "server" / "authorized_keys").chmod(0o644)
        result = walk(tmp_path / "home", server, ACCOUNT, file, "--store", str(store))
        blob = Path(result["path"])
        assert blob.is_relative_to(store)
        assert blob.owner() == ACCOUNT
        assert blob.read_bytes() == file.read_bytes()
