"""The one table of the doctor's rules about a board, in the order people read them."""

from collections.abc import Callable, Iterator

from core.boards.doctor import npu_rules, room_rules, runtime_rules, speed_rules
from core.boards.doctor.examination import Examination
from core.boards.doctor.findings import Finding

Rule = Callable[[Examination], Iterator[Finding]]

RULES: tuple[Rule, ...] = (
    npu_rules.soc,
    npu_rules.driver,
    npu_rules.access,
    runtime_rules.library,
    room_rules.tenants,
    room_rules.memory,
    room_rules.store,
    speed_rules.clocks,
    speed_rules.memory_clock,
    speed_rules.heat,
    runtime_rules.open_files,
    runtime_rules.programs,
    npu_rules.npu_load,
    runtime_rules.system,
)


def check_board(seen: Examination) -> tuple[Finding, ...]:
    """Every finding about a board; pure."""
    return tuple(entry for rule in RULES for entry in rule(seen))
