"""What is known of a model of the library: where it came from, how it was made, its files."""

from dataclasses import dataclass

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QGridLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from core import words
from core.base.errors import JsonValue
from core.base.names import printable
from core.base.units import format_bytes
from core.library.records import LibraryItem
from gui.icons import icon
from gui.pages.library.columns import kind_text, level_text, platform_text
from gui.phrases import ago_text
from gui.text import language, tr, trn
from gui.widgets.basic import label, row
from gui.widgets.elided import ElidedLabel
from gui.widgets.plain import set_tip
from gui.widgets.scrolled import Column

_MOST_FILES = 40
_DIGEST_LETTERS = 12
_CAPTION_PX = 104
_COPY_PX = 24


@dataclass(frozen=True, slots=True)
class Fact:
    """One line. `copy` is put on the clipboard by a button beside it; a `long` text is wrapped, others are cut."""

    caption: str
    text: str
    copy: str = ""
    long: bool = False


class FactsPanel(Column):
    """The facts of one item; made anew for another."""

    def __init__(self, item: LibraryItem, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._copies: dict[QToolButton, str] = {}
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(5)
        grid.setColumnMinimumWidth(0, _CAPTION_PX)
        grid.setColumnStretch(1, 1)
        for number, fact in enumerate(facts_of(item)):
            caption = label(fact.caption, "muted")
            place = Qt.AlignmentFlag.AlignTop if fact.long else Qt.AlignmentFlag.AlignVCenter
            grid.addWidget(caption, number, 0, place)
            shown = _wrapped(fact.text) if fact.long else ElidedLabel(fact.text)
            if fact.copy:
                grid.addLayout(row(shown, self._copy_button(fact), spacing=4), number, 1)
            else:
                grid.addWidget(shown, number, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 6, 0)
        layout.addLayout(grid)
        if item.is_source:
            layout.addSpacing(6)
            layout.addLayout(_files(item))
        layout.addStretch(1)

    def _copy_button(self, fact: Fact) -> QToolButton:
        made = QToolButton()
        made.setObjectName(f"copy:{fact.caption}")
        made.setIcon(icon("copy", "muted"))
        made.setFixedSize(_COPY_PX, _COPY_PX)
        set_tip(made, tr("Copy"))
        made.setAccessibleName(tr("Copy: {what}", what=fact.caption))
        made.clicked.connect(self._on_copy)
        self._copies[made] = fact.copy
        return made

    @Slot()
    def _on_copy(self) -> None:
        pressed = self.sender()
        if isinstance(pressed, QToolButton) and pressed in self._copies:
            QGuiApplication.clipboard().setText(self._copies[pressed])


def facts_of(item: LibraryItem) -> list[Fact]:
    """Everything known, the nearest first."""
    found = [Fact(tr("Kind"), kind_text(item)), Fact(tr("Size"), format_bytes(item.size_bytes))]
    if not item.is_source:
        found += [Fact(tr("Level"), level_text(item)), Fact(tr("Platform"), platform_text(item))]
        found += _inspected(item.provenance.get("inspection"))
    found += _made(item.provenance)
    if item.repo:
        found.append(Fact(tr("From"), printable(item.repo, 120), item.repo))
    if item.former_repos:
        found.append(Fact(tr("Formerly"), printable(", ".join(item.former_repos), 500), long=True))
    if item.revision:
        found.append(Fact(tr("Revision"), printable(item.revision, 60)[:_DIGEST_LETTERS], item.revision))
    if item.left_out:
        names = ", ".join(left.path for left in item.left_out)
        found.append(Fact(tr("Left out"), printable(names, 500), long=True))
    found.append(Fact(tr("Added"), ago_text(item.created_unix_s)))
    found.append(Fact(tr("Path"), printable(str(item.path), 500), str(item.path)))
    if not item.is_source:
        digest = next((file.sha256 for file in item.files if file.sha256), None)
        shown = f"{digest[:_DIGEST_LETTERS]}…" if digest else tr("unknown")
        found.append(Fact("sha256", shown, digest or ""))
    return found


def _inspected(inspection: JsonValue) -> list[Fact]:
    """What the file itself says."""
    known = inspection if isinstance(inspection, dict) else {}
    found = []
    context, cores, architecture = (known.get(name) for name in ("max_context", "npu_cores", "architecture"))
    if isinstance(context, int):
        found.append(Fact(tr("Context"), tr("{n} tokens", n=context)))
    if isinstance(cores, int):
        found.append(Fact(tr("NPU cores"), str(cores)))
    if isinstance(architecture, str):
        found.append(Fact(tr("Architecture"), printable(architecture, 80)))
    return found


def _made(provenance: dict[str, JsonValue]) -> list[Fact]:
    """How it was made, by which toolkit."""
    found: list[Fact] = []
    ram = provenance.get("ram_bytes")
    if isinstance(ram, int) and not isinstance(ram, bool):
        found.append(Fact(tr("Memory on a board"), tr("{size} (estimate)", size=format_bytes(ram))))
    toolkit, recipe = provenance.get("toolkit"), provenance.get("recipe")
    if isinstance(toolkit, dict):
        version = toolkit.get("version")
        text = f"rkllm-toolkit {printable(version, 40) if isinstance(version, str) else tr('unknown')}"
        simulated = toolkit.get("simulated") is True
        text = f"{text} ({tr('SIMULATED@@model')})" if simulated else text
        found.append(Fact(tr("Made by"), text, long=True))
    if isinstance(recipe, dict):
        shown = [
            f"{words.field_name(key, language())} {value}"
            for key, value in recipe.items()
            if value not in (None, "", 0.0)
        ]
        found.append(Fact(tr("Recipe"), printable(", ".join(shown), 500), long=True))
    return found


def _files(item: LibraryItem) -> QGridLayout:
    grid = QGridLayout()
    grid.setHorizontalSpacing(12)
    grid.setVerticalSpacing(3)
    grid.setColumnStretch(0, 1)
    grid.addWidget(label(trn("{n} file", "{n} files", len(item.files)), "muted"), 0, 0)
    for number, file in enumerate(item.files[:_MOST_FILES], 1):
        grid.addWidget(ElidedLabel(printable(file.name, 200)), number, 0)
        size = label(format_bytes(file.size_bytes))
        grid.addWidget(size, number, 1, Qt.AlignmentFlag.AlignRight)
    if len(item.files) > _MOST_FILES:
        more = label(tr("… and {n} more", n=len(item.files) - _MOST_FILES), "muted")
        grid.addWidget(more, _MOST_FILES + 1, 0)
    return grid


def _wrapped(text: str) -> QLabel:
    made = label(text, wrap=True, selectable=True)
    made.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    return made
