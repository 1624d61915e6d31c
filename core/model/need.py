"""The memory a model file takes when it is served, kept with the file by whoever knew its model's shape."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from core.base import foreign
from core.base.errors import JsonValue
from core.jobs.members import Members


@dataclass(frozen=True, slots=True)
class ServedNeed:
    """What one file takes on a board of the SoC it was built for, by the estimate.

    Attributes:
        ram_bytes, ram_low_bytes, ram_high_bytes: peak resident set of the serving process, and its bounds.
        npu_bytes: what the runtime allocates on the NPU for weights; None is unknown.
        context: opened, in tokens; None where RKDeck 0.1.0 wrote it down.
        calibrated: whether it lies within what the estimate was calibrated on.
    """

    ram_bytes: int
    ram_low_bytes: int
    ram_high_bytes: int
    npu_bytes: int | None
    context: int | None
    calibrated: bool

    def to_json(self) -> dict[str, JsonValue]:
        """Return the members of a job's params, of a file's provenance."""
        return {
            "ram_bytes": self.ram_bytes,
            "ram_low_bytes": self.ram_low_bytes,
            "ram_high_bytes": self.ram_high_bytes,
            "npu_bytes": self.npu_bytes,
            "ram_context": self.context,
            "ram_calibrated": self.calibrated,
        }

    @classmethod
    def ordered(cls, members: Members) -> Self | None:
        """Read it in a job's params; None where they say that it is unknown. RKDeck 0.1.0 knew of no bounds.

        Raises:
            RKDeckError: `jobs.order_lacks`, `jobs.bad_order`.
        """
        ram = members.optional(members.whole, "ram_bytes")
        if not ram:
            return None
        low, high = ram, ram
        if "ram_low_bytes" in members:
            low, high = members.whole("ram_low_bytes", 0, ram), members.whole("ram_high_bytes", ram)
        context = members.optional(members.whole, "ram_context") if "ram_context" in members else None
        calibrated = members.flag("ram_calibrated") if "ram_calibrated" in members else True
        return cls(ram, low, high, members.optional(members.whole, "npu_bytes"), context, calibrated)

    @classmethod
    def read(cls, value: Mapping[str, JsonValue]) -> Self | None:
        """Read it in a file's provenance; None where nothing usable is. RKDeck 0.1.0 knew of no bounds."""
        ram = foreign.size_bytes(value.get("ram_bytes"))
        if not ram:
            return None
        low, high = (foreign.size_bytes(value.get(f"ram_{bound}_bytes")) for bound in ("low", "high"))
        bounds = (low, high) if low is not None and high is not None and low <= ram <= high else (ram, ram)
        return cls(
            ram,
            *bounds,
            foreign.size_bytes(value.get("npu_bytes")) or None,
            foreign.whole(value.get("ram_context"), 1),
            value.get("ram_calibrated") is not False,
        )
