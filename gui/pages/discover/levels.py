"""The level table: what each quantization level needs and gives, refused ones with their reason."""

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtWidgets import QHeaderView, QTableView, QWidget

from core.base.observable import ObservableList
from core.base.units import GIB
from core.estimate.records import LevelEstimate, Number
from core.vendor.levels import get_level
from gui.models.list_model import Column, RecordModel
from gui.phrases import note_text, verdict_text
from gui.text import tr
from gui.theme import colour
from gui.widgets.tables import dress_table

Index = QModelIndex | QPersistentModelIndex
_BASES = ("measured", "vendor", "calibrated", "extrapolated", "definition")


class LevelModel(RecordModel[LevelEstimate]):
    """Refused and reference levels are muted."""

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """As the base class; colours by what can be run."""
        row = self.record(index)
        if row is not None and role == Qt.ItemDataRole.ForegroundRole and not row.supported:
            return colour("muted")
        return super().data(index, role)


class LevelTable(QTableView):
    """Shows the rows of an estimate."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: ObservableList[LevelEstimate] = ObservableList()
        self.levels = LevelModel(self._rows, _columns(), self)
        self.setModel(self.levels)
        dress_table(self, "levelTable", tr("Quantization levels"), striped=True)
        header = self.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in range(1, 6):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)

    def show_rows(self, rows: tuple[LevelEstimate, ...]) -> None:
        """Show an estimate's rows; the selected level stays selected."""
        # What can be run comes first; what is only there to compare with comes last.
        self._rows.replace_all(sorted(rows, key=_rank), key=_dtype)
        if not self.currentIndex().isValid():
            self.select_best()

    def select_best(self) -> None:
        """Select the first level that can be run."""
        for number, row in enumerate(self._rows):
            if row.supported and get_level(row.dtype).quantized:
                self.selectRow(number)
                return

    def selected(self) -> LevelEstimate | None:
        """The selected level."""
        return self.levels.record(self.currentIndex())


def _columns() -> tuple[Column[LevelEstimate], ...]:
    return (
        Column(tr("Level"), _level, tip=_tip),
        Column(tr("RAM GiB"), _ram, right=True, tip=_tip),
        Column(tr("File GiB"), _file, right=True, tip=_tip),
        Column(tr("tokens/s"), _speed, right=True, tip=_tip),
        Column(tr("TTFT ms"), _first, right=True, tip=_tip),
        Column(tr("Active board"), _fit, tip=_tip),
    )


def _rank(row: LevelEstimate) -> int:
    return 2 if row.kind == "reference" else int(not row.supported)


def _dtype(row: LevelEstimate) -> str:
    return row.dtype


def _level(row: LevelEstimate) -> str:
    if row.kind == "reference":
        return tr("{level} (to compare)", level=row.dtype)
    return row.dtype


def _gib(size_bytes: float | None) -> str:
    if size_bytes is None:
        return "-"
    size_gib = size_bytes / GIB
    return f"{size_gib:.2f}" if size_gib >= 0.1 else f"{size_gib:.3f}"


def _ram(row: LevelEstimate) -> str:
    return _gib(row.ram.value if row.ram else None)


def _file(row: LevelEstimate) -> str:
    return _gib(row.file_bytes)


def _speed(row: LevelEstimate) -> str:
    return "-" if row.tokens_per_s is None else f"{row.tokens_per_s.value:.1f}"


def _first(row: LevelEstimate) -> str:
    return "-" if row.ttft_ms is None else f"{row.ttft_ms.value:.0f}"


def _fit(row: LevelEstimate) -> str:
    if not row.supported and row.kind == "rkllm":
        return tr("refused")
    return verdict_text(row.fit.verdict) if row.fit is not None else "-"


def _tip(row: LevelEstimate) -> str:
    lines = [note_text(row.reason)] if row.reason is not None else []
    for name, number, unit, factor in (
        (tr("RAM"), row.ram, "GiB", 1 / GIB), (tr("Speed"), row.tokens_per_s, "tokens/s", 1.0),
        (tr("First token"), row.ttft_ms, "ms", 1.0),
    ):  # fmt: skip
        lines.append(f"{name}: {_spread(number, unit, factor)}")
    if row.fit is not None:
        lines.append(note_text(row.fit.reason))
    return "\n".join(lines)


def _spread(number: Number | None, unit: str, factor: float) -> str:
    if number is None:
        return tr("unknown")
    words = {
        "measured": tr("measured"), "vendor": tr("by the vendor"), "calibrated": tr("calibrated"),
        "extrapolated": tr("extrapolated"), "definition": tr("by definition"),
    }  # fmt: skip
    low, high = number.low * factor, number.high * factor
    return f"{low:.3g} - {high:.3g} {unit}, {words[number.basis]}"
