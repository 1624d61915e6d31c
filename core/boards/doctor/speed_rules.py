"""Rules about speed: what stands low or is held back. A slow board is not a broken one, so nothing here fails.

Facts: rknn-llm #27, #29, #409, #532 (boards at half the vendor's figures: memory at 528 instead of 2112 MHz, no DMC
node at all, slow governors); radxa/kernel#432 (RK3576 boards whose NPU starts at 300 MHz).
"""

from collections.abc import Iterator

from core.boards.doctor.examination import Clock, Examination
from core.boards.doctor.findings import Facts, Finding, finding
from core.boards.doctor.remedies import FULL_SPEED, full_speed
from core.vendor.board_limits import board_limits
from core.vendor.platforms import get_platform

_SAVING = "powersave"


def clocks(seen: Examination) -> Iterator[Finding]:
    """Governors and present clocks of NPU, CPU and memory."""
    shown = [clock for clock in seen.clocks if clock.kind != "gpu" and clock.governor is not None]
    if not shown and not any(clock.kind == "npu" for clock in seen.clocks):
        return
    remedy = full_speed(seen)
    saving = [clock.label for clock in shown if clock.governor == _SAVING]
    low = next((clock for clock in seen.clocks_of("npu") if _is_low(seen, clock)), None)
    if low is not None:
        yield finding(
            "clocks", "warning", "doctor.clock_npu_low", now=_mhz(low.cur_hz), most=_mhz(_top(seen, low))
        ).with_remedy(remedy)
    elif saving:
        yield finding("clocks", "warning", "doctor.clock_saving", clocks=", ".join(saving)).with_remedy(
            remedy
        )
    elif shown and all(clock.governor == FULL_SPEED for clock in shown):
        yield finding("clocks", "ok", "doctor.clocks_full")
    elif shown:
        governors = ", ".join(f"{clock.label} {clock.governor}" for clock in shown)
        yield finding("clocks", "ok", "doctor.clocks_follow", governors=governors).with_remedy(remedy)
    capped = [clock for clock in seen.clocks_of("cpu") if _is_capped(clock)]
    if capped:
        first = capped[0]
        yield finding(
            "clock_limits", "warning", "doctor.clock_capped",
            clocks=", ".join(clock.label for clock in capped), now=_mhz(first.max_hz), most=_mhz(first.top_hz),
        )  # fmt: skip


def memory_clock(seen: Examination) -> Iterator[Finding]:
    """Decode is bound by memory: its clock decides the speed, and some boot firmware hides it."""
    if seen.facts.npu_driver != "rknpu" or not seen.clocks:
        return
    known = seen.clocks_of("ddr")
    if not known:
        yield finding("memory_clock", "warning", "doctor.memory_clock_hidden")
    else:
        clock = known[0]
        yield finding(
            "memory_clock", "ok", "doctor.memory_clock_ok", now=_mhz(clock.cur_hz), most=_mhz(clock.top_hz)
        )


def heat(seen: Examination) -> Iterator[Finding]:
    """Temperature, and whether it already slows the board down."""
    hottest = max(seen.zones, key=lambda zone: zone.temp_c, default=None)
    if seen.throttled:
        yield finding(
            "heat", "warning", "doctor.heat_throttled",
            devices=", ".join(seen.throttled), temp_c=None if hottest is None else round(hottest.temp_c),
        )  # fmt: skip
        return
    if hottest is None:
        return
    shown: Facts = {"zone": hottest.name, "temp_c": round(hottest.temp_c)}
    if any(zone.temp_c >= (zone.passive_c or board_limits().hot_c) for zone in seen.zones):
        yield finding("heat", "warning", "doctor.heat_high", **shown)
    else:
        yield finding("heat", "ok", "doctor.heat_ok", **shown)


def _is_low(seen: Examination, clock: Clock) -> bool:
    top = _top(seen, clock)
    return top is not None and clock.cur_hz is not None and clock.cur_hz < board_limits().npu_low_share * top


def _top(seen: Examination, clock: Clock) -> int | None:
    """The highest clock of the NPU: the board's own word, else the vendor's for the SoC."""
    if clock.top_hz is not None:
        return clock.top_hz
    return get_platform(seen.facts.soc).npu_clock_hz if seen.facts.soc is not None else None


def _is_capped(clock: Clock) -> bool:
    return clock.max_hz is not None and clock.top_hz is not None and clock.max_hz < clock.top_hz


def _mhz(hz: int | None) -> int | None:
    return None if hz is None else round(hz / 1e6)
