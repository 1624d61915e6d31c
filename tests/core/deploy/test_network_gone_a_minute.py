"""A minute without network, with the limits as they are. In a file of its own: it waits while others work."""

import time
from pathlib import Path

import pytest

from tests.core.deploy.far import far_board
from tests.core.deploy.site import Site
from tests.support.network import Network
from tests.support.waiting import wait_until

OUTAGE_S = 60.0


@pytest.mark.slow
def test_minute_after_which_the_old_connection_is_dead(real: Site, tmp_path: Path) -> None:
    """As after a router that was restarted: a new connection takes over, and the board has most of the file."""
    with Network(real.server.port) as network, far_board(real, network, tmp_path) as far:
        connections, begun = network.connections, time.monotonic()
        network.lose()
        far.is_told_and_harmless()
        wait_until(lambda: time.monotonic() - begun >= OUTAGE_S, timeout_s=OUTAGE_S, what="the outage")
        assert far.is_stalled
        network.thaw()
        result = far.ends_well(90)
        print(f"sent twice: {far.sent_twice_bytes} bytes; back after {time.monotonic() - begun:.1f} s")
        assert int(str(result["bytes_sent"])) > far.file.stat().st_size // 2
        assert network.connections > connections
