"""A network that is silent for a while: nobody closes anything, and what was sent is not sent again."""

from pathlib import Path

import pytest

from tests.core.deploy.far import SIZE, TWICE_BYTES, far_board
from tests.core.deploy.site import Site, progress_events
from tests.support.network import Network
from tests.support.waiting import wait_until


def test_pulled_cable_that_is_put_back_soon(real: Site, tmp_path: Path) -> None:
    """The same connection goes on, byte by byte where it stood."""
    with Network(real.server.port) as network, far_board(real, network, tmp_path) as far:
        connections = network.connections
        network.freeze()
        far.is_told_and_harmless()
        network.thaw()
        result = far.ends_well()
        assert result["bytes_sent"] == far.file.stat().st_size
        assert network.connections == connections
        assert not progress_events(real, far.handle.id)[-1]["stalled"]
        assert far.sent_twice_bytes < SIZE // 100


def test_connection_that_never_comes_back(
    real: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is given up, sooner than usual because the user's ssh settings say so; a new one takes over."""
    config = tmp_path / "ssh_config"
    config.write_text("Host *\n ServerAliveInterval 1\n ServerAliveCountMax 3\n")
    monkeypatch.setenv("RKDECK_SSH_CONFIG", str(config))
    with Network(real.server.port) as network, far_board(real, network, tmp_path) as far:
        connections = network.connections
        network.lose()
        far.is_told_and_harmless()
        wait_until(lambda: "broke off" in far.log, timeout_s=20)
        assert far.is_stalled
        network.thaw()
        result = far.ends_well()
        assert network.connections > connections
        assert result["resumed_from_bytes"] == 0
        assert int(str(result["bytes_sent"])) < SIZE + TWICE_BYTES
