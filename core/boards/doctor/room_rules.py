"""Rules about room: memory, the disk of the models, and who else uses the NPU."""

from collections.abc import Iterator

from core.base.units import format_bytes
from core.boards.doctor.examination import Examination, StorePlace
from core.boards.doctor.findings import Facts, Finding, finding
from core.vendor.board_limits import board_limits

_MEMORY = frozenset({"tmpfs", "ramfs"})


def memory(seen: Examination) -> Iterator[Finding]:
    """Memory there is and memory that is free."""
    total, free = seen.facts.mem_total_bytes, seen.facts.mem_available_bytes
    if total is None:
        yield finding("memory", "unknown", "doctor.memory_unknown")
        return
    swap = seen.swap_bytes
    shown: Facts = {
        "total": format_bytes(total),
        "free": format_bytes(free) if free is not None else None,
        "swap": None if swap is None else format_bytes(sum(swap.values())),
    }
    low = free is not None and free < board_limits().low_memory_bytes
    if low:
        yield finding("memory", "warning", "doctor.memory_low", **shown)
    else:
        yield finding("memory", "ok", "doctor.memory_ok", **shown)
    if seen.oom_kills:
        yield finding("memory_kills", "warning", "doctor.memory_kills", count=seen.oom_kills)


def store(seen: Examination) -> Iterator[Finding]:
    """Where models live."""
    place = seen.store
    if place is None:
        yield finding("store", "failed", "doctor.store_none", user=seen.facts.user)
        return
    medium = place.mount.medium if place.mount is not None else None
    free = format_bytes(place.free_bytes) if place.free_bytes is not None else None
    shown: Facts = {"store": place.path, "medium": medium, "free": free}
    if _is_in_memory(place):
        yield finding("store", "failed", "doctor.store_in_memory", **shown)
    elif place.writable is False:
        yield finding("store", "failed", "doctor.store_read_only", user=seen.facts.user, **shown)
    elif medium == "overlay":
        yield finding("store", "warning", "doctor.store_overlay", **shown)
    elif place.free_bytes is not None and place.free_bytes < board_limits().low_store_bytes:
        yield finding("store", "warning", "doctor.store_full", **shown)
    else:
        yield finding("store", "ok", "doctor.store_ok", **shown)


def _is_in_memory(place: StorePlace) -> bool:
    return place.mount is not None and place.mount.filesystem in _MEMORY


def tenants(seen: Examination) -> Iterator[Finding]:
    """Who holds the NPU. RKDeck stops nobody: two tenants hang a board, so it only says who is there."""
    if seen.serving is not None:
        yield finding("tenants", "ok", "doctor.tenants_ours", model=seen.serving)
    others = [tenant for tenant in seen.tenants if not tenant.ours]
    for tenant in others:
        shown: Facts = {"process": tenant.name, "pid": tenant.pid, "uid": tenant.uid}
        rss = format_bytes(tenant.rss_bytes) if tenant.rss_bytes is not None else None
        if tenant.sign == "maps":
            yield finding("tenants", "warning", "doctor.tenants_other", memory=rss, **shown)
        else:
            yield finding("tenants", "warning", "doctor.tenants_maybe", memory=rss, **shown)
    if not others and seen.serving is None:
        if seen.is_root:
            yield finding("tenants", "ok", "doctor.tenants_none")
        else:
            yield finding("tenants", "ok", "doctor.tenants_none_seen", user=seen.facts.user)
