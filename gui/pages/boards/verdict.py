"""A judgement of a file on a board, in the doctor's words."""

from core.base.names import printable
from core.base.units import format_bytes
from core.fitness.candidate import Candidate
from core.fitness.judge import Judgement
from gui.text import tr, word_error


def worst_line(judgement: Judgement) -> str:
    """What decides, in one sentence."""
    return word_error(judgement.worst.statement)[0]


def judgement_line(judgement: Judgement, file: Candidate | None) -> str:
    """What hovering over a card says: what would come of it and what is left, or why not."""
    line = worst_line(judgement)
    if judgement.refusals or file is None:
        return f"{line} {tr('You may send it all the same.')}" if judgement.overridable else line
    what = ", ".join(part for part in (file.inspection.dtype, format_bytes(file.size_bytes)) if part)
    left = []
    ram, disk = judgement.ram_free_after_bytes, judgement.disk_free_after_bytes
    if ram is not None:
        left.append(tr("{size} of memory free after", size=format_bytes(max(0, ram))))
    if disk is not None:
        left.append(tr("{size} of disk free after", size=format_bytes(disk)))
    parts = [f"{printable(file.title, 60)} ({what}): {line}", ", ".join(left)]
    return " ".join(part for part in parts if part)
