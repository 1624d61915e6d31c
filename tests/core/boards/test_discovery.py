"""Discovery with zeroconf's own responder on the loopback interface."""

import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from zeroconf import ServiceInfo, Zeroconf

from core.base.errors import RKDeckError
from core.base.locks import FileLock
from core.base.tasks import CancelToken
from core.boards.discovery import Candidate, discover

LOOPBACK = ["127.0.0.1"]


def service(kind: str, name: str, port: int, *addresses: str, server: str) -> ServiceInfo:
    packed = [
        socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
        for address in addresses
    ]
    return ServiceInfo(
        f"_{kind}._tcp.local.", f"{name}._{kind}._tcp.local.", addresses=packed, port=port, server=server
    )


SERVICES = (
    service("ssh", "orangepi5", 22, "10.0.0.5", "fd00::5", server="orangepi5.local."),
    service("workstation", "orangepi5 [00:E0:4C:68:00:01]", 9, "10.0.0.5", server="orangepi5.local."),
    service("workstation", "rock-5b [00:e0:4c:68:00:02]", 9, "10.0.0.6", server="rock-5b.local."),
    service("ssh", "odd port", 2222, "10.0.0.7", server="odd.local."),
    service(
        "ssh", "evil \u202e\u200bboard \U0001f600" + "x" * 30, 22, "10.0.0.8", server="evil name;id.local."
    ),
    service("ssh", "liar", 22, "127.0.0.1", "224.0.0.1", "0.0.0.0", server="li ar.local."),
    service("ssh", "v6 only", 22, "fd00::9", server="v6.local."),
)


@contextmanager
def announced(*infos: ServiceInfo) -> Iterator[Zeroconf]:
    """A responder of its own; test processes take turns, for they share the loopback interface."""
    turn = FileLock(Path(tempfile.gettempdir()) / f"rkdeck-test-mdns-{os.getuid()}.lock")
    turn.acquire(timeout_s=120)
    with turn:
        network = Zeroconf(interfaces=LOOPBACK)
        try:
            for info in infos:
                # Without the probing for another owner of the name, which takes a second each.
                network.register_service(info, cooperating_responders=True)
            yield network
        finally:
            network.close()


def discover_until(count: int) -> tuple[tuple[Candidate, ...], list[Candidate]]:
    """Listen until so many services were heard, or half a minute; returns the result and what was heard."""
    token, heard = CancelToken(), list[Candidate]()

    def hear(candidate: Candidate) -> None:
        heard.append(candidate)
        if len(heard) == count:
            token.cancel()

    return discover(30.0, interfaces=LOOPBACK, on_found=hear, cancel=token), heard


@pytest.fixture(scope="module")
def found() -> dict[str, Candidate]:
    before = set(threading.enumerate())
    with announced(*SERVICES):
        candidates, heard = discover_until(len(SERVICES) - 1)  # the liar is not heard
    assert set(threading.enumerate()) <= before
    assert {entry.name for entry in heard} == {entry.name for entry in candidates}
    return {entry.name.split(" ")[0]: entry for entry in candidates}


def test_one_entry_per_computer(found: dict[str, Candidate]) -> None:
    assert found["orangepi5"] == Candidate(
        "orangepi5",
        "orangepi5.local",
        ("10.0.0.5", "fd00::5"),
        22,
        ("ssh", "workstation"),
        "00:e0:4c:68:00:01",
    )
    assert found["orangepi5"].address == "10.0.0.5"


def test_a_computer_that_announces_only_itself(found: dict[str, Candidate]) -> None:
    assert found["rock-5b"].port is None
    assert found["rock-5b"].address == "10.0.0.6"


def test_addresses_to_type(found: dict[str, Candidate]) -> None:
    assert found["odd"].address == "10.0.0.7:2222"
    assert found["v6"].address == "v6.local"
    assert Candidate("x", None, ("fd00::9",), 2222, ("ssh",)).address == "[fd00::9]:2222"


def test_hostile_announcements(found: dict[str, Candidate]) -> None:
    evil = found["evil"]
    assert "\u202e" not in evil.name
    assert "\u200b" not in evil.name
    assert evil.host is None
    assert evil.addresses == ("10.0.0.8",)
    # Nobody is sent to this very computer, or to everybody.
    assert "liar" not in found


def test_a_flood_is_bounded() -> None:
    many = [service("ssh", f"n{number}", 22, f"10.1.{number // 250}.{number % 250 + 1}", server=f"n{number}.local.")
            for number in range(300)]  # fmt: skip
    with announced() as network:
        for info in many:
            network.registry.async_add(info)
        candidates, _ = discover_until(256)
    assert len(candidates) == 256


def test_it_can_be_called_off() -> None:
    token, before = CancelToken(), set(threading.enumerate())
    with announced():
        timer = threading.Timer(0.2, token.cancel)
        timer.start()
        started = time.monotonic()
        assert discover(60, interfaces=LOOPBACK, cancel=token) == ()
    timer.join()
    assert time.monotonic() - started < 10
    assert set(threading.enumerate()) <= before


def test_packets_that_are_none() -> None:
    """Garbage on the port must not stop the listening."""
    with announced(SERVICES[0]), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        garbage = (b"", b"\0" * 12, b"\xff" * 1400, b"\0\0\x84\0\0\0\xff\xff\0\0\0\0" + b"\xc0\x0c" * 200)
        for data in garbage:
            sender.sendto(data, ("224.0.0.251", 5353))
        stop = threading.Event()

        def spam() -> None:
            while not stop.wait(0.05):
                for data in garbage:
                    sender.sendto(data, ("224.0.0.251", 5353))

        thread = threading.Thread(target=spam)
        thread.start()
        try:
            assert [entry.name for entry in discover_until(1)[0]] == ["orangepi5"]
        finally:
            stop.set()
            thread.join()


def test_no_such_interface() -> None:
    with pytest.raises(RKDeckError) as caught:
        discover(0.1, interfaces=["192.0.2.77"])
    assert caught.value.code == "boards.no_discovery"
