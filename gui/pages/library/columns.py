"""The columns of the library's table, and what an item's provenance says."""

from core.base.errors import JsonValue
from core.base.names import printable
from core.base.units import format_bytes
from core.library.library import LibraryItem
from gui.models.list_model import Column
from gui.text import tr
from gui.words import ago_text

WIDTHS = {1: 120, 2: 105, 3: 95, 4: 95, 5: 105}


def library_columns() -> tuple[Column[LibraryItem], ...]:
    """The columns, in the language in use."""
    return (
        Column(tr("Model"), title_text, tip=_path),
        Column(tr("Kind"), kind_text),
        Column(tr("Level"), level_text),
        Column(tr("Platform"), platform_text),
        Column(tr("Size"), _size, right=True),
        Column(tr("Added"), _added, right=True),
    )


def title_text(item: LibraryItem) -> str:
    """What people call it; a stand-in's file says so."""
    shown = printable(item.repo if item.kind == "source" and item.repo else item.title, 120)
    return f"{shown} ({tr('SIMULATED')})" if is_simulated(item) else shown


def kind_text(item: LibraryItem) -> str:
    """Source model or ready for a board."""
    return tr("Ready for a board") if item.kind == "rkllm" else tr("Source model")


def level_text(item: LibraryItem) -> str:
    """The quantization level of a .rkllm file."""
    return _inspected(item, "dtype") or ("-" if item.kind == "source" else tr("unknown"))


def platform_text(item: LibraryItem) -> str:
    """The SoC a .rkllm file was made for."""
    found = _inspected(item, "platform")
    return found.upper() if found else ("-" if item.kind == "source" else tr("unknown"))


def is_simulated(item: LibraryItem) -> bool:
    """Whether the stand-in toolkit made it."""
    return item.provenance.get("simulated") is True or _inspection(item).get("kind") == "rkllm-simulated"


def _inspection(item: LibraryItem) -> dict[str, JsonValue]:
    found = item.provenance.get("inspection")
    return found if isinstance(found, dict) else {}


def _inspected(item: LibraryItem, member: str) -> str | None:
    found = _inspection(item).get(member)
    return printable(found, 40) if isinstance(found, str) and found else None


def _path(item: LibraryItem) -> str:
    return str(item.path)


def _size(item: LibraryItem) -> str:
    return format_bytes(item.size_bytes)


def _added(item: LibraryItem) -> str:
    return ago_text(item.created_unix_s)
