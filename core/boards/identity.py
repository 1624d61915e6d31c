"""Whether two probes met the same board.

The SoC's serial number decides: it is burnt in and survives a new card. Without it (mainline kernels show none)
machine-id and hardware address together do: cards are cloned with machine-id and host keys, each alone tells nothing.
"""

from typing import Literal

from core.boards.facts import BoardFacts

Match = Literal["same", "other", "unclear", "unknown"]


def compare(known_identity: str | None, known: BoardFacts | None, found: BoardFacts) -> Match:
    """Compare what is remembered of a board with what was found.

    Args:
        known_identity: of the registry.
        known: the facts of the last probe, if they can still be read.
        found: the facts of this one.

    Returns:
        "unknown" when there is nothing to compare; "unclear" when the hardware address is the same and the system is
        not (a new card, or two boards whose image sets the same address): somebody has to say.
    """
    if known_identity is None or found.identity is None:
        return "unknown"
    if known_identity == found.identity:
        return "same"
    if known is None:
        return "other"
    if known.serial_sha256 is not None and found.serial_sha256 is not None:
        return "same" if known.serial_sha256 == found.serial_sha256 else "other"
    if known.mac is None or known.mac != found.mac:
        return "other"
    system = known.machine_id_sha256
    return "same" if system is not None and system == found.machine_id_sha256 else "unclear"
