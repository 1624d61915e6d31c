"""Computers on the local network that announce SSH or themselves by multicast DNS (RFC 6762, RFC 6763).

A bonus, not a plan: Armbian ships no responder, many vendor images do. Nothing is scanned, nobody is connected to, and
whatever is announced is hostile text: names are made printable, addresses are checked, the number is bounded.
"""

import ipaddress
import re
import socket
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from core.base.errors import JsonValue, RKDeckError
from core.base.names import printable
from core.base.tasks import CancelToken
from core.base.trouble import reason_of

if TYPE_CHECKING:
    from zeroconf import ServiceInfo, Zeroconf

DEFAULT_SECONDS = 4.0
SERVICES = {"_ssh._tcp.local.": "ssh", "_workstation._tcp.local.": "workstation"}
_MAX_SERVICES = 256
_MAX_ADDRESSES = 8
_MAX_NAME = 80
_REQUEST_MS = 500
_HOST = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9_-]{1,63})*")
# What avahi announces as a workstation: "name [00:e0:4c:68:00:01]".
_WITH_MAC = re.compile(r"(.*?)\s*\[([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5})\]")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A computer that announced itself; it may be no board at all.

    Attributes:
        name: as announced, printable; what it calls itself proves nothing.
        host: its name on this network ("orangepi5.local"), None when that is no host name.
        addresses: IPv4 first; IPv6 link-local ones with their zone.
        port: of SSH; None when only the computer is announced, not the service.
        services: of "ssh" and "workstation".
        mac: hardware address, if it announced one; lower case.
    """

    name: str
    host: str | None
    addresses: tuple[str, ...]
    port: int | None
    services: tuple[str, ...]
    mac: str | None = None

    @property
    def address(self) -> str:
        """What to type to add it: an IPv4 address before its name before an IPv6 address."""
        first = self.addresses[0] if self.addresses else None
        host = first if first is not None and ":" not in first else self.host or first or ""
        if self.port in {None, 22}:
            return host
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    def to_json(self) -> dict[str, JsonValue]:
        """The public members."""
        return {
            "name": self.name,
            "host": self.host,
            "addresses": list(self.addresses),
            "port": self.port,
            "services": list(self.services),
            "mac": self.mac,
            "address": self.address,
        }


def discover(
    seconds: float = DEFAULT_SECONDS,
    *,
    cancel: CancelToken | None = None,
    interfaces: Sequence[str] | None = None,
    on_found: Callable[[Candidate], None] | None = None,
) -> tuple[Candidate, ...]:
    """Listen and ask for some seconds.

    Args:
        seconds: how long; most answers come within two.
        cancel: ends it early with what was found so far.
        interfaces: addresses of this computer's interfaces; None: all.
        on_found: hears of each candidate when it is first seen, on a thread of zeroconf; it may learn more later.

    Raises:
        RKDeckError: `boards.no_discovery` when multicast DNS cannot be used here.
    """
    from zeroconf import InterfaceChoice, ServiceBrowser, Zeroconf

    try:
        network = Zeroconf(interfaces=InterfaceChoice.All if interfaces is None else list(interfaces))
    except OSError as error:
        _close_left_socket(error)
        raise RKDeckError("boards.no_discovery", reason=reason_of(error)) from error
    collected = _Collected(network, on_found)
    try:
        browser = ServiceBrowser(network, list(SERVICES), handlers=[collected.on_change])
        try:
            (cancel or CancelToken()).wait(seconds)
        finally:
            browser.cancel()
        collected.ask_for_the_rest()
    finally:
        network.close()
    return collected.candidates()


def _close_left_socket(error: OSError) -> None:
    """Close the socket that zeroconf 0.154 leaves open when one interface cannot be used."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        left = frame.f_locals.get("listen_socket")
        if isinstance(left, socket.socket):
            left.close()


class _Collected:
    """What was announced, by service; filled on zeroconf's thread."""

    def __init__(self, network: "Zeroconf", on_found: Callable[[Candidate], None] | None) -> None:
        self._network = network
        self._on_found = on_found
        self._lock = threading.Lock()
        self._found: dict[tuple[str, str], Candidate | None] = {}

    def on_change(self, zeroconf: "Zeroconf", service_type: str, name: str, state_change: object) -> None:
        """An announcement; the arguments' names are zeroconf's."""
        key = (service_type, name)
        with self._lock:
            before = self._found.get(key)
            if key not in self._found and len(self._found) >= _MAX_SERVICES:
                return
            candidate = self._read(*key, request_ms=0) or before
            self._found[key] = candidate
        # Addresses may come after the name.
        if before is None and candidate is not None and self._on_found is not None:
            self._on_found(candidate)

    def ask_for_the_rest(self) -> None:
        """Ask for addresses that did not come with the announcement; a few, each for half a second."""
        with self._lock:
            incomplete = [key for key, candidate in self._found.items() if candidate is None]
        for key in incomplete[:4]:
            candidate = self._read(*key, request_ms=_REQUEST_MS)
            with self._lock:
                self._found[key] = candidate

    def candidates(self) -> tuple[Candidate, ...]:
        """One entry per computer, by name."""
        merged: dict[object, Candidate] = {}
        with self._lock:
            for candidate in filter(None, self._found.values()):
                key = candidate.host or candidate.addresses
                merged[key] = _merged(merged[key], candidate) if key in merged else candidate
        return tuple(sorted(merged.values(), key=lambda entry: (entry.name.lower(), entry.addresses)))

    def _read(self, service_type: str, name: str, request_ms: int) -> Candidate | None:
        from zeroconf import BadTypeInNameException, ServiceInfo

        try:
            info = ServiceInfo(service_type, name)
        except BadTypeInNameException:
            return None  # a name with control characters: no honest computer has one
        known = info.load_from_cache(self._network)
        if not known and request_ms:
            known = info.request(self._network, request_ms)
        return _candidate(info, SERVICES.get(service_type, "")) if known else None


def _candidate(info: "ServiceInfo", service: str) -> Candidate | None:
    addresses = sorted(filter(_is_usable, info.parsed_scoped_addresses()), key=lambda text: ":" in text)
    host = (info.server or "").rstrip(".")
    name = info.get_name()
    match = _WITH_MAC.fullmatch(name)
    if not addresses and not _HOST.fullmatch(host):
        return None
    return Candidate(
        name=printable(match[1] if match else name, limit=_MAX_NAME),
        host=host if _HOST.fullmatch(host) else None,
        addresses=tuple(addresses[:_MAX_ADDRESSES]),
        port=info.port if service == "ssh" and info.port else None,
        services=(service,),
        mac=match[2].lower() if match else None,
    )


def _is_usable(text: str) -> bool:
    """Whether it can be another computer's address; one that announces this computer's own is lying."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified or address.is_multicast)


def _merged(first: Candidate, second: Candidate) -> Candidate:
    addresses = dict.fromkeys([*first.addresses, *second.addresses])
    ordered = sorted(addresses, key=lambda text: ":" in text)[:_MAX_ADDRESSES]
    return replace(
        first,
        addresses=tuple(ordered),
        port=first.port or second.port,
        services=tuple(sorted({*first.services, *second.services})),
        mac=first.mac or second.mac,
    )
