"""Boards to deploy to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.base.paths import AppPaths
from tests.core.boards.trees import write_tree
from tests.core.deploy.site import Site, site
from tests.support.sshd import openssh


@pytest.fixture
def real(paths: AppPaths, tmp_path: Path) -> Iterator[Site]:
    """An OpenSSH account whose /proc says RK3588."""
    sysroot = write_tree(tmp_path / "board/root", {"proc/device-tree/compatible": b"rockchip,rk3588\0"})
    with (
        openssh(tmp_path / "server") as server,
        site(paths, server, tmp_path / "board/store", sysroot) as ready,
    ):
        yield ready
