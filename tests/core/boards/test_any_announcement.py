"""Whatever is announced on the local network: computers with harmless names and addresses, or none."""

import ipaddress
import time
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from zeroconf import Zeroconf
from zeroconf._cache import DNSCache
from zeroconf._dns import DNSAddress, DNSPointer, DNSRecord, DNSService, DNSText
from zeroconf._protocol.incoming import DNSIncoming
from zeroconf._protocol.outgoing import DNSOutgoing
from zeroconf.const import _CLASS_IN, _FLAGS_QR_RESPONSE, _TYPE_A, _TYPE_AAAA, _TYPE_PTR, _TYPE_SRV, _TYPE_TXT

from core.base.foreign import can_be_told
from core.boards.discovery import SERVICES, Candidate, _Collected

SSH = "_ssh._tcp.local."
TTL_S = 120
PARTS = st.sampled_from(
    [
        "desk",
        "orangepi5 [00:e0:4c:68:00:01]",
        "a b",
        "\u202e",
        "\x1b[2J",
        "x" * 63,
        "-",
        "ü",
        "%eth0",
        "..",
        " ",
    ]
) | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
NAMES = PARTS.map(lambda part: f"{part}.{SSH}") | PARTS | st.just(SSH)
HOSTS = PARTS.map(lambda part: f"{part}.local.") | PARTS | st.just("")
ADDRESSES = st.sampled_from([
    b"\x7f\0\0\1", bytes(4), b"\xe0\0\0\1", b"\xff" * 4, bytes(15) + b"\1", b"\xff" * 16,
    b"\xfe\x80" + bytes(13) + b"\1",
]) | st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16) | st.binary(max_size=20)  # fmt: skip
Told = list[tuple[str, str, object, int]]
ODD = st.lists(
    st.builds(lambda name, host, port: ("srv", name, host, port), NAMES, HOSTS, st.integers(0, 65535))
    | st.builds(lambda host, data: ("address", host, data, 0), HOSTS, ADDRESSES)
    | st.builds(lambda name, data: ("txt", name, data, 0), NAMES, st.binary(max_size=30))
    | st.builds(lambda name: ("ptr", name, "", 0), NAMES),
    max_size=4,
)


def a_computer(name: str, host: str, port: int, data: list[bytes], text: bytes) -> Told:
    """All that has to be said of one, so that it is heard of."""
    service = f"{name}.{SSH}"
    addresses: Told = [("address", host, one, 0) for one in data]
    return [("srv", service, host, port), ("txt", service, text, 0), *addresses]


WHOLE = st.builds(
    a_computer, PARTS, HOSTS, st.integers(0, 65535), st.lists(ADDRESSES, max_size=12), st.binary(max_size=30)
)
RECORDS = st.lists(WHOLE | ODD, max_size=3).map(lambda lists: [record for told in lists for record in told])


def records_of(told: Told) -> list[DNSRecord]:
    made: list[DNSRecord] = []
    for kind, name, data, number in told:
        if kind == "srv":
            made.append(DNSService(name, _TYPE_SRV, _CLASS_IN, TTL_S, 0, 0, number, str(data)))
        elif kind == "address":
            kind_of = _TYPE_A if len(cast("bytes", data)) == 4 else _TYPE_AAAA
            made.append(DNSAddress(name, kind_of, _CLASS_IN, TTL_S, cast("bytes", data)))
        elif kind == "txt":
            made.append(DNSText(name, _TYPE_TXT, _CLASS_IN, TTL_S, cast("bytes", data)))
        else:
            made.append(DNSPointer(SSH, _TYPE_PTR, _CLASS_IN, TTL_S, name))
    return made


def heard(records: list[DNSRecord], names: list[str]) -> tuple[Candidate, ...]:
    """What is made of records, as zeroconf hands them over."""
    cache, found = DNSCache(), list[Candidate]()
    now = time.monotonic() * 1000
    for record in records:
        record.created = now
    cache.async_add_records(records)
    collected = _Collected(cast("Zeroconf", SimpleNamespace(cache=cache)), found.append)
    for name in names:
        for service in SERVICES:
            collected.on_change(cast("Zeroconf", None), service, name, None)
    candidates = collected.candidates()
    for candidate in (*found, *candidates):
        check(candidate)
    return candidates


def check(candidate: Candidate) -> None:
    assert can_be_told(candidate.to_json())
    assert candidate.name.isprintable()
    assert len(candidate.name) <= 81
    assert candidate.host is None or (candidate.host.isascii() and len(candidate.host) <= 253)
    assert len(candidate.addresses) <= 8
    for text in candidate.addresses:
        address = ipaddress.ip_address(text)
        assert not any((address.is_loopback, address.is_unspecified, address.is_multicast))
    assert candidate.address
    assert candidate.address.isprintable()
    assert candidate.port is None or 0 < candidate.port <= 65535


def test_a_computer_is_heard_of() -> None:
    told = a_computer("desk", "desk.local.", 22, [b"\xc0\xa8\x01\x07"], b"")
    assert [candidate.address for candidate in heard(records_of(told), [f"desk.{SSH}"])] == ["192.168.1.7"]


@settings(max_examples=100)
@given(told=RECORDS)
@example(
    told=[("srv", f"desk.{SSH}", "desk.local.", 22), ("address", "desk.local.", b"\xfe\x80" + bytes(14), 0)]
)
def test_any_records_are_computers_with_harmless_names_or_none(
    told: Told,
) -> None:
    heard(records_of(told), [str(name) for kind, name, _, _ in told if kind in {"srv", "ptr"}][:4])


@pytest.mark.expects_log  # of zeroconf's writer, which drops what is too long
@settings(max_examples=100)
@given(
    told=RECORDS,
    changes=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=8),
    raw=st.none() | st.binary(max_size=200),
)
@example(told=[], changes=[], raw=b"\xc0\x0c" * 100)
def test_any_packet_is_computers_or_nothing(
    told: Told, changes: list[tuple[int, int]], raw: bytes | None
) -> None:
    out = DNSOutgoing(_FLAGS_QR_RESPONSE)
    for record in records_of(told):
        out.add_answer_at_time(record, 0)
    try:
        packet = bytearray(out.packets()[0])
    except Exception:  # noqa: BLE001  # what no sender could write
        packet = bytearray(12)
    for at, byte in changes:
        packet[at % len(packet)] = byte
    incoming = DNSIncoming(bytes(packet) if raw is None else raw)
    records = incoming.answers() if incoming.valid else []
    heard(records, [record.name for record in records if isinstance(record, DNSService)][:4])
