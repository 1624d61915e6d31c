"""A cable that is really pulled: another network namespace, whose link goes down. Packets are lost, nobody is told."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.core.deploy.far import far_board
from tests.core.deploy.site import Site
from tests.support.network import Network
from tests.support.sshd import find_program
from tests.support.waiting import wait_until

OUTAGE_S = 60.0
# TEST-NET-3 (RFC 5737): no real host has these addresses. Another run of this test has other names, and mostly others
# of its 64 pairs of addresses.
OURS, THEIRS = (f"203.0.113.{os.getpid() % 64 * 4 + number}" for number in (1, 2))
NEAR, FAR = f"rkd-n{os.getpid()}", f"rkd-f{os.getpid()}"
NAMESPACE = re.compile(r"rkdeck-([0-9]+)")
# Opens a listening socket where it runs and hands it over.
_LISTEN = """
import socket, sys
listener = socket.create_server((sys.argv[1], 0))
with socket.socket(fileno=0) as parent:
    socket.send_fds(parent, [b"x"], [listener.fileno()])
"""


@dataclass
class Cable:
    """A pair of network cards, ours here and theirs in a namespace, and who listens there."""

    namespace: str
    listener: socket.socket

    def link(self, state: str) -> None:
        """Pull the other end (`down`) or put it back (`up`)."""
        _ip("-n", self.namespace, "link", "set", FAR, state)


def _ip(*words: str) -> str:
    return subprocess.run([find_program("ip"), *words], check=True, stdout=subprocess.PIPE, text=True).stdout


def _sweep() -> None:
    """Take away what a run that was killed has left: no `finally` of its own could."""
    for name in _ip("netns", "list").split():
        match = NAMESPACE.fullmatch(name)
        if match and not Path(f"/proc/{match[1]}").exists():
            _ip("netns", "delete", name)


@pytest.fixture
def cable() -> Iterator[Cable]:
    _sweep()
    name = f"rkdeck-{os.getpid()}"
    _ip("netns", "add", name)
    try:
        _ip("link", "add", NEAR, "type", "veth", "peer", "name", FAR, "netns", name)
        _ip("address", "add", f"{OURS}/30", "dev", NEAR)
        _ip("link", "set", NEAR, "up")
        _ip("-n", name, "address", "add", f"{THEIRS}/30", "dev", FAR)
        _ip("-n", name, "link", "set", FAR, "up")
        here, there = socket.socketpair()
        with here, there:
            command = [find_program("ip"), "netns", "exec", name, sys.executable, "-c", _LISTEN, THEIRS]
            subprocess.run(command, stdin=there.fileno(), check=True)
            _, (number,), _, _ = socket.recv_fds(here, 1, 1)
        with socket.socket(fileno=number) as listener:
            yield Cable(name, listener)
        # Both cards go with it, at once: those of a deleted namespace go some time later.
        _ip("link", "delete", NEAR)
    finally:
        _ip("netns", "delete", name)


@pytest.mark.needs_root
@pytest.mark.slow
@pytest.mark.parametrize("outage_s", [8.0, OUTAGE_S])
def test_cable_that_is_pulled(real: Site, cable: Cable, tmp_path: Path, outage_s: float) -> None:
    """After 8 s the same connection goes on; after a minute it was given up, and a new one takes over."""
    with (
        Network(real.server.port, cable.listener) as network,
        far_board(real, network, tmp_path, host=THEIRS) as far,
    ):
        connections, begun = network.connections, time.monotonic()
        cable.link("down")
        far.is_told_and_harmless()
        wait_until(lambda: time.monotonic() - begun >= outage_s, timeout_s=2 * outage_s, what="the outage")
        assert far.is_stalled
        cable.link("up")
        result = far.ends_well(90)
        print(
            f"back after {time.monotonic() - begun:.1f} s, sent twice {far.sent_twice_bytes} bytes: {far.log}"
        )
        assert (network.connections > connections) == (outage_s == OUTAGE_S)
        if outage_s < OUTAGE_S:
            assert result["bytes_sent"] == far.file.stat().st_size
