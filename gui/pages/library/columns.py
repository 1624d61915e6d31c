"""The columns of the library's table: their words, their order and their widths."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from core.base.errors import JsonValue
from core.base.names import printable
from core.base.units import format_bytes
from core.library.records import LibraryItem
from gui.models.list_model import Column
from gui.phrases import ago_text
from gui.text import tr

TITLE, KIND, LEVEL, PLATFORM, SIZE, ADDED = range(6)
WIDTHS = {KIND: 66, LEVEL: 104, PLATFORM: 102, SIZE: 88, ADDED: 112}
# Given up one after the other when the table is narrow: what the file's name tells as well, last what it does not.
EXPENDABLE = (PLATFORM, ADDED, KIND, LEVEL)
NOT_MEANT = "-"


def library_columns(sorted_by: int = ADDED, *, falling: bool = True) -> tuple[Column[LibraryItem], ...]:
    """The columns, in the language in use; the one the table is sorted by has an arrow."""
    columns = (
        Column(tr("Model"), marked_title, tip=_path),
        Column(tr("Kind"), _short_kind, tip=kind_text),
        Column(tr("Level"), level_text),
        Column(tr("Platform"), platform_text),
        Column(tr("Size"), _size, right=True),
        Column(tr("Added"), _added, right=True),
    )
    arrow = " ↓" if falling else " ↑"
    return tuple(
        replace(column, title=column.title + arrow) if number == sorted_by else column
        for number, column in enumerate(columns)
    )


SORT_KEYS: tuple[Callable[[LibraryItem], Any], ...] = (
    lambda item: plain_title(item).lower(),
    lambda item: item.kind,
    lambda item: _inspected(item, "dtype") or "",
    lambda item: _inspected(item, "platform") or "",
    lambda item: item.size_bytes or 0,
    lambda item: item.created_unix_s or 0,
)


def plain_title(item: LibraryItem) -> str:
    """What people call it."""
    return printable(item.repo if item.is_source and item.repo else item.title, 120)


def marked_title(item: LibraryItem) -> str:
    """The title; a stand-in's file says so."""
    return f"{plain_title(item)} ({tr('SIMULATED@@model')})" if is_simulated(item) else plain_title(item)


def kind_text(item: LibraryItem) -> str:
    """Source model or ready for a board."""
    return tr("Source model") if item.is_source else tr("Ready for a board")


def level_text(item: LibraryItem) -> str:
    """How the weights of a file are quantized."""
    return _inspected(item, "dtype") or (NOT_MEANT if item.is_source else tr("unknown"))


def platform_text(item: LibraryItem) -> str:
    """The SoC a file was made for."""
    found = _inspected(item, "platform")
    return found.upper() if found else (NOT_MEANT if item.is_source else tr("unknown"))


def is_simulated(item: LibraryItem) -> bool:
    """Whether only a simulated board runs it."""
    kind, found = item.model_kind, _inspection(item).get("kind")
    return item.provenance.get("simulated") is True or (kind is not None and found in kind.simulated)


def _short_kind(item: LibraryItem) -> str:
    return tr("source") if item.is_source else f".{item.kind}"


def _inspection(item: LibraryItem) -> dict[str, JsonValue]:
    found = item.provenance.get("inspection")
    return found if isinstance(found, dict) else {}


def _inspected(item: LibraryItem, member: str) -> str | None:
    found = _inspection(item).get(member)
    return printable(found, 40) if isinstance(found, str) and found else None


def _path(item: LibraryItem) -> str:
    return printable(str(item.path), 500)


def _size(item: LibraryItem) -> str:
    return format_bytes(item.size_bytes)


def _added(item: LibraryItem) -> str:
    return ago_text(item.created_unix_s)
