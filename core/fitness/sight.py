"""A board as it is known at this moment: visited, remembered, watched, or of the catalogue. One record for all."""

from dataclasses import replace

from core.boards.doctor.examination import Examination, RuntimeLibrary, StorePlace
from core.boards.doctor.reading import examine_board
from core.boards.facts import BoardFacts, unknown_facts
from core.boards.records import Board
from core.estimate.fit import BoardNow
from core.monitor.sample import BoardSample
from core.remote.session import SshSession
from core.serve.records import run_folder
from core.vendor.platforms import Platform


def look_over(session: SshSession, board: Board) -> Examination:
    """The doctor's reading of a user's board, in one round trip; nothing is changed there.

    Raises:
        RKDeckError: as `core.boards.doctor.reading.examine_board`.
    """
    folder = run_folder(board.store) if board.store else ""
    seen = examine_board(session, board.sysroot, board.store, folder)
    if seen.store is None:  # the registry takes the proposed folder then (`BoardRegistry.remember`)
        seen = replace(seen, store=_place(seen.facts, board.store or seen.facts.store_proposal))
    return seen


def board_seen(
    board: Board, seen: Examination | None = None, sample: BoardSample | None = None
) -> Examination:
    """What is known of a user's board.

    Args:
        board: with the facts of its last visit, if there was one.
        seen: the doctor's reading of a visit in this session.
        sample: the monitor's newest, for the memory that is free now.
    """
    if board.facts is None:
        return Examination(unknown_facts(), depth="none")
    known = seen if seen is not None else _remembered(board.facts, board.store)
    facts, tenants = known.facts, known.tenants
    if sample is not None and sample.is_up:
        total = facts.mem_total_bytes if facts.mem_total_bytes is not None else sample.mem_total_bytes
        facts = replace(facts, mem_total_bytes=total, mem_available_bytes=sample.mem_available_bytes)
        rss = {process.pid: process.rss_bytes for process in sample.processes}
        tenants = tuple(replace(entry, rss_bytes=rss.get(entry.pid, entry.rss_bytes)) for entry in tenants)
    elif (
        sample is not None or seen is None
    ):  # what was free on a day long past, or before the board went down
        facts = replace(facts, mem_available_bytes=None)
    return replace(known, facts=facts, tenants=tenants)


def board_now(seen: Examination) -> BoardNow | None:
    """What is free on a board at this moment and what it serves; None where nobody looks just now."""
    free = seen.facts.mem_available_bytes
    held = next((tenant.rss_bytes for tenant in seen.tenants if tenant.ours), None)
    return None if free is None else BoardNow(free, seen.serving, held)


def _remembered(facts: BoardFacts, store: str | None) -> Examination:
    libraries = tuple(
        RuntimeLibrary(entry.path, None, bits=entry.bits, blob=None, release=None, text_version=entry.version)
        for entry in facts.libraries
    )
    return Examination(facts, libraries=libraries, store=_place(facts, store), depth="probe")


def _place(facts: BoardFacts, store: str | None) -> StorePlace | None:
    """What the facts tell of a folder for models; whether it may be written to, they do not."""
    if store is None:
        return None
    mount = facts.mount_of(store)
    free, total = (mount.free_bytes, mount.total_bytes) if mount is not None else (None, None)
    return StorePlace(store, writable=None, mount=mount, free_bytes=free, total_bytes=total)


def board_sold(platform: Platform, ram_bytes: int | None) -> Examination:
    """A board of the catalogue: its SoC and its memory, nothing of what somebody installed on it."""
    facts = replace(unknown_facts(), soc=platform.name, mem_total_bytes=ram_bytes)
    return Examination(facts, depth="none")
