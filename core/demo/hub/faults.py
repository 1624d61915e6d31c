"""Faults on request: what goes wrong with which file, how often."""

import threading
from dataclasses import dataclass
from typing import Any


@dataclass
class Fault:
    """One planned fault.

    Attributes:
        kind: cut (the connection ends in mid-body), kill (the same, and nothing is served until `revive`),
            corrupt (one byte is changed), stall (nothing more is sent for a minute), http_503, slow,
            no_ranges (the whole file is sent, whatever was asked).
        path: file name it concerns.
        after_bytes: for cut, kill and stall: how much of a response is sent first.
        times: how many responses it spoils.
        bytes_per_s: for slow.
    """

    kind: str
    path: str
    after_bytes: int = 0
    times: int = 1
    bytes_per_s: int = 0


class Faults:
    """The planned faults, shared by all connections."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._planned: list[Fault] = []
        self.dead = threading.Event()

    def plan(self, fault: Fault) -> None:
        """Add a fault."""
        with self._lock:
            self._planned.append(fault)

    def plan_json(self, document: dict[str, Any]) -> None:
        """Add faults from `{"cut": [{"path": ..., "after_bytes": ...}], ...}`; `revive` ends a kill."""
        for kind, entries in document.items():
            if kind == "revive":
                self.dead.clear()
                continue
            for entry in entries:
                self.plan(Fault(kind, **entry))

    def take(self, path: str) -> Fault | None:
        """The next fault for a response with that file, used up by this call."""
        with self._lock:
            for fault in self._planned:
                if fault.path == path and fault.times > 0:
                    fault.times -= 1
                    return fault
        return None
