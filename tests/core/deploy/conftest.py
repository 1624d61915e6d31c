"""Boards to deploy to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.base.paths import AppPaths
from tests.core.deploy.site import Site, plain_board, site
from tests.support.sshd import openssh


@pytest.fixture
def real(paths: AppPaths, tmp_path: Path) -> Iterator[Site]:
    """An OpenSSH account whose /proc says RK3588."""
    sysroot = plain_board(tmp_path / "board/root")
    with (
        openssh(tmp_path / "server") as server,
        site(paths, server, tmp_path / "board/store", sysroot) as ready,
    ):
        yield ready
