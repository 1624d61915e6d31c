"""A network that is silent for a while: nobody closes anything, and what was sent is not sent again."""

from pathlib import Path

from tests.core.deploy.far import SIZE, far_board
from tests.core.deploy.site import Site, progress_events
from tests.support.network import Network


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
