"""A verdict on a file for a board, in words."""

from core.base.names import printable
from core.base.units import format_bytes
from core.usecases.deployment import DeployVerdict
from gui.text import language, tr
from gui.wording import word_error


def verdict_line(verdict: DeployVerdict) -> str:
    """What hovering over a card says: what fits and what is left, or why not."""
    if verdict.level == "no":
        message = (
            word_error(verdict.error, language())[0] if verdict.error is not None else tr("does not fit")
        )
        return f"{message} {tr('You may send it all the same.')}" if verdict.overridable else message
    name = printable(verdict.title, 60)
    what = ", ".join(part for part in (verdict.dtype, format_bytes(verdict.size_bytes)) if part)
    if verdict.level == "unknown":
        return tr(
            "{name} ({what}): this board was not visited yet; it is checked on arrival", name=name, what=what
        )
    parts = []
    if verdict.ram_free_after_bytes is not None:
        parts.append(
            tr("{size} of memory free after", size=format_bytes(max(0, verdict.ram_free_after_bytes)))
        )
    if verdict.disk_free_after_bytes is not None:
        parts.append(tr("{size} of disk free after", size=format_bytes(verdict.disk_free_after_bytes)))
    if verdict.ram_free_after_bytes is None:
        parts.append(tr("memory: unknown"))
    word = tr("fits tightly") if verdict.level == "tight" else tr("fits")
    return f"{name} ({what}): {word}; {', '.join(parts)}"
