"""The one table of the doctor's rules about a board, in the order people read them."""

from collections.abc import Callable, Iterator

from core.boards.doctor import kind_rules, npu_rules, room_rules, runtime_rules, speed_rules
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
    kind_rules.llama,
    runtime_rules.system,
)


def check_board(seen: Examination) -> tuple[Finding, ...]:
    """Every finding about a board, and which kinds of files it could run; pure."""
    found = tuple(entry for rule in RULES for entry in rule(seen))
    return (*found, *kind_rules.kinds(found))
