"""A measured model at a glance: levels with their price, the advice, what suffers, the map."""

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QComboBox,
    QHeaderView,
    QSplitter,
    QStackedLayout,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from core.base.names import printable
from core.base.observable import ObservableList
from core.base.units import GIB, format_bytes
from core.lab.analysis import Analysis
from core.lab.energy import energy_per_bit
from core.lab.suggest import Suggestion
from core.lab.summary import group_gains, hardest, heat_map, plain_levels, suffering
from core.usecases.lab_view import LabView, LevelRow
from core.vendor.platforms import Platform
from gui.models.list_model import Column, RecordModel
from gui.pages.lab.heat import HeatView
from gui.text import tr, word_error
from gui.widgets.basic import StateLabel, label, row
from gui.widgets.empty_state import EmptyState
from gui.widgets.scrolled import Column as ScrolledColumn
from gui.widgets.scrolled import scrolled
from gui.widgets.tables import dress_table

_EMPTY, _FILLED = 0, 1


class Overview(QWidget):
    """Shows a LabView.

    Signals:
        measure_wanted: the weights are to be measured.
        tensor_picked: name of a tensor to look at.
    """

    measure_wanted = Signal()
    tensor_picked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._analysis: Analysis | None = None
        self._rows: ObservableList[LevelRow] = ObservableList()
        self._model = RecordModel(self._rows, _columns(), self)
        self.levels = self._table()
        self.advice = StateLabel()
        self.why = label(wrap=True)
        self.price = label(role="muted", wrap=True)
        self.gains = label(wrap=True)
        self.worst = label(wrap=True)
        self.kept = label(role="muted", wrap=True)
        self.explain = label(role="muted", wrap=True)
        self.offered = label(role="muted", wrap=True)
        self.heat = HeatView()
        self.heat.picked.connect(self.tensor_picked)
        self.level = QComboBox()
        self.level.setObjectName("heatLevelBox")
        self.level.setAccessibleName(tr("Level of the map"))
        self.level.currentIndexChanged.connect(self._on_level)
        self._empty = EmptyState(
            "lab", tr("The weights were not measured yet"),
            tr("RKDeck rounds every linear weight as each level does and compares. It reads the files once."),
            tr("Measure the weights"),
        )  # fmt: skip
        self._empty.acted.connect(self.measure_wanted)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self._filled())

    def _table(self) -> QTableView:
        view = QTableView()
        view.setModel(self._model)
        dress_table(view, "labLevels", tr("Levels of this model"), row_px=24, striped=True)
        view.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        view.horizontalHeader().setStretchLastSection(True)
        view.setMinimumHeight(250)
        return view

    def _filled(self) -> QWidget:
        left = ScrolledColumn()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 8, 0)
        for widget in (
            self.levels, self.advice, self.why, self.price, self.gains, self.worst, self.explain, self.offered,
            self.kept,
        ):  # fmt: skip
            column.addWidget(widget)
        column.addStretch(1)
        right = QWidget()
        beside = QVBoxLayout(right)
        beside.setContentsMargins(0, 0, 0, 0)
        title = label(tr("SQNR, dB"), "heading")
        beside.addLayout(row(title, None, label(tr("Level"), "muted"), self.level))
        beside.addWidget(self.heat, 1)
        beside.addWidget(
            label(
                tr("The lower the number, the more is lost. A cell leads to its tensor."), "muted", wrap=True
            )
        )
        splitter = QSplitter(Qt.Orientation.Horizontal)
        splitter.addWidget(scrolled(left))
        splitter.addWidget(right)
        splitter.setSizes([570, 510])
        splitter.setChildrenCollapsible(False)
        return splitter

    def show_view(self, view: LabView | None, platform: Platform | None = None) -> None:
        """Show a model, with what a platform makes of it; without an analysis, the way to one."""
        self._analysis = view.analysis if view is not None else None
        self._rows.replace_all(view.rows if view is not None else (), key=_dtype)
        if view is None or view.analysis is None:
            self._stack.setCurrentIndex(_EMPTY)
            return
        self._stack.setCurrentIndex(_FILLED)
        self._show_advice(view)
        self._show_findings(view.analysis)
        self.offered.setText(_offered(view.analysis, platform) if platform is not None else "")
        self._fill_levels(view.analysis)

    def retint(self) -> None:
        """Another theme."""
        self._empty.retint()
        self.heat.viewport().update()

    def _show_advice(self, view: LabView) -> None:
        advice = view.advice
        if advice is None:
            text = word_error(view.problem)[0] if view.problem is not None else ""
            self.advice.show_state("muted", tr("No suggestion for this board"))
            self.why.setText(text)
            self.price.setText("")
            return
        name = advice.dtype
        if advice.partner is not None:
            rate = f"{100 * advice.hybrid_rate:.0f}"
            name = tr(
                "{level}, {rate} % of the weights as {partner}", level=name, rate=rate, partner=advice.partner
            )
        self.advice.show_state(
            "ok", tr("Suggested for {soc}: {level}", soc=advice.platform.upper(), level=name)
        )
        self.why.setText(word_error(advice.reason)[0])
        self.price.setText(_price(advice))

    def _show_findings(self, analysis: Analysis) -> None:
        level = hardest(analysis)
        worst = [
            f"{tensor.name}: {error.sqnr_db:.1f} dB"
            for tensor in suffering(analysis, level, 4)
            if (error := tensor.level(level)) is not None and error.sqnr_db is not None
        ]
        self.worst.setText(
            tr("Suffer most at {level}:", level=level) + "\n" + printable_lines(worst) if worst else ""
        )
        self.worst.setVisible(bool(worst))
        gains = [
            tr(
                "groups of {size}: {gain} dB for {more}",
                size=gain.group_size, gain=f"{gain.gain_db:+.1f}", more=format_bytes(gain.extra_bytes),
            )
            for gain in group_gains(analysis)
            if gain.gain_db is not None
        ]  # fmt: skip
        self.gains.setText(
            tr("What groups buy beside {level}:", level=level) + "\n" + "\n".join(gains) if gains else ""
        )
        self.gains.setVisible(bool(gains))
        self.explain.setText(_explain(analysis))
        problems = [word_error(problem)[0] for problem in analysis.problems]
        kept = tr("{n} other tensors keep their precision: embeddings and norms.", n=len(analysis.kept))
        self.kept.setText("\n".join([kept, *problems]))

    def _fill_levels(self, analysis: Analysis) -> None:
        names = [level.dtype for level in analysis.levels if level.sqnr_db is not None]
        wanted = self.level.currentText() or hardest(analysis)
        self.level.blockSignals(True)
        self.level.clear()
        self.level.addItems(names)
        self.level.setCurrentText(wanted if wanted in names else (names[-1] if names else ""))
        self.level.blockSignals(False)
        self._on_level()

    @Slot()
    @Slot(int)
    def _on_level(self, _place: int = 0) -> None:
        name = self.level.currentText()
        known = self._analysis is not None and bool(name)
        self.heat.show_map(heat_map(self._analysis, name) if known and self._analysis else None)


def printable_lines(lines: list[str]) -> str:
    """Lines of strangers' names, made harmless one by one."""
    return "\n".join(printable(line, 160) for line in lines)


def _explain(analysis: Analysis) -> str:
    plain = plain_levels(analysis)
    more, fewer = (analysis.level(level.name) for level in (plain[0], plain[-1])) if plain else (None, None)
    if more is None or fewer is None or more.sqnr_db is None or fewer.sqnr_db is None or len(plain) == 1:
        return ""
    return tr(
        "SQNR says how much louder the weights are than the error of rounding them. Each bit is worth about 6 dB:"
        " {more} bits reach {more_db} dB here, {fewer} bits {fewer_db} dB. What it does to words is measured on the"
        " Perplexity tab.",
        more=plain[0].bits, more_db=f"{more.sqnr_db:.1f}", fewer=plain[-1].bits, fewer_db=f"{fewer.sqnr_db:.1f}",
    )  # fmt: skip


def _offered(analysis: Analysis, platform: Platform) -> str:
    """What a platform takes, with this model's bytes (SDK manual 1.3.0, table 3-3; rknn-llm #107 and #535)."""
    eight, four = format_bytes(analysis.weights), format_bytes(analysis.weights // 2)
    if any((level.bits, level.activation_bits) == (4, 16) for level in platform.levels):
        return tr(
            "{soc} takes 4-bit weights beside 16-bit inputs: {four} of weights instead of {eight}, and only the weights"
            " lose precision.",
            soc=platform.display_name, four=four, eight=eight,
        )  # fmt: skip
    return tr(
        "{soc} multiplies 8-bit weights with 8-bit inputs: w8a8. 4-bit weights beside 16-bit inputs (w4a16) are refused"
        " by the toolkit there, and the vendor plans no support: these {eight} of weights cannot become {four} on it.",
        soc=platform.display_name, four=four, eight=eight,
    )  # fmt: skip


def _price(advice: Suggestion) -> str:
    price = advice.price
    parts = [
        tr("memory {size}", size=format_bytes(price.ram_bytes)) if price.ram_bytes is not None else "",
        tr("{n} tokens/s", n=f"{price.tokens_per_s:.1f}") if price.tokens_per_s is not None else "",
    ]
    if price.energy is not None:
        bits = energy_per_bit()
        parts.append(
            tr(
                "about {energy} mJ a token to move its bytes ({pj} pJ a bit, an estimate)",
                energy=f"{1000 * price.energy.joules:.3g}", pj=f"{bits.pj:g}",
            )
        )  # fmt: skip
    return ", ".join(part for part in parts if part)


def _columns() -> tuple[Column[LevelRow], ...]:
    return (
        Column(tr("Level"), _dtype),
        Column(tr("SQNR dB"), _sqnr, right=True),
        Column(tr("Perplexity"), _perplexity, right=True),
        Column(tr("RAM GiB"), _ram, right=True),
        Column(tr("File GiB"), _file, right=True),
        Column(tr("tokens/s"), _speed, right=True),
        Column(tr("mJ/token"), _energy, right=True, tip=_energy_tip),
    )


def _dtype(level: LevelRow) -> str:
    return level.dtype


def _sqnr(level: LevelRow) -> str:
    if level.error is None:
        return "-"
    return tr("exact") if level.error.sqnr_db is None else f"{level.error.sqnr_db:.2f}"


def _gib(size_bytes: int | None) -> str:
    if size_bytes is None:
        return "-"
    return f"{size_bytes / GIB:.3f}" if size_bytes < GIB // 10 else f"{size_bytes / GIB:.2f}"


def _ram(level: LevelRow) -> str:
    return _gib(level.price.ram_bytes if level.price else None)


def _file(level: LevelRow) -> str:
    return _gib(level.price.file_bytes if level.price else None)


def _speed(level: LevelRow) -> str:
    speed = level.price.tokens_per_s if level.price else None
    return "-" if speed is None else f"{speed:.1f}"


def _energy(level: LevelRow) -> str:
    energy = level.price.energy if level.price else None
    return "-" if energy is None else f"~ {1000 * energy.joules:.3g}"


def _energy_tip(level: LevelRow) -> str:
    energy = level.price.energy if level.price else None
    if energy is None:
        return ""
    bits = energy_per_bit()
    return tr(
        "an estimate: {size} moved for a token, {low} to {high} pJ a bit ({source})",
        size=format_bytes(energy.bytes_moved), low=f"{bits.pj_low:g}", high=f"{bits.pj_high:g}", source=bits.source,
    )  # fmt: skip


def _perplexity(level: LevelRow) -> str:
    return "-" if level.perplexity is None else f"{level.perplexity.perplexity:.3f}"
