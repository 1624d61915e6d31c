"""What a model needs on the active board, level by level, at a context that can be slid."""

from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Slot
from PySide6.QtWidgets import QApplication, QSlider, QSpinBox, QVBoxLayout, QWidget

from core.base.errors import RKDeckError
from core.base.units import GIB, format_bytes
from core.estimate.advice import advise
from core.estimate.constants import estimate_limits
from core.estimate.records import Estimate, LevelEstimate
from core.estimate.table import estimate_model
from core.model.facts import ModelFacts
from core.model.shape import ModelShape
from core.vendor.platforms import context_limits
from gui.desk import Desk
from gui.pages.discover.levels import LevelTable
from gui.phrases import note_text, verdict_text
from gui.text import tr, word_error
from gui.widgets.basic import button, label, row
from gui.widgets.memory_bar import MemoryBar, MemoryParts

_MOST_NOTES = 6


class MemoryTab(QWidget):
    """Recomputes the whole table when the context or the board changes: arithmetic of a millisecond or two."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._facts: ModelFacts | None = None
        self._shape: ModelShape | None = None
        self.estimate: Estimate | None = None
        bounds = context_limits()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setObjectName("contextSlider")
        self.slider.setRange(bounds.min // bounds.multiple, bounds.max // bounds.multiple)
        self.slider.setPageStep(16)
        self.slider.setAccessibleName(tr("Context in tokens"))
        self.context = QSpinBox()
        self.context.setObjectName("contextField")
        self.context.setRange(bounds.min, bounds.max)
        self.context.setSingleStep(bounds.multiple)
        self.context.setSuffix(" " + tr("tokens"))
        self.context.setAccessibleName(tr("Context"))
        self.context.setKeyboardTracking(False)
        self.summary = label(role="muted", wrap=True)
        self.table = LevelTable()
        self.bar = MemoryBar()
        self.thumb = label(role="muted", wrap=True)
        self.why = label(wrap=True)
        self.why.setObjectName("whyLines")
        self.notes = label(role="muted", wrap=True)
        self.copy = button(tr("Copy as Markdown"), icon_name="copy")
        self.copy.clicked.connect(self._on_copy)
        context = row(label(tr("Context"), "muted"), self.slider, self.context)
        context.setStretch(1, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 8, 0, 0)
        layout.addLayout(context)
        layout.addWidget(self.summary)
        layout.addWidget(self.table, 1)
        layout.addWidget(self.bar)
        layout.addWidget(self.why)
        layout.addWidget(self.thumb)
        layout.addWidget(self.notes)
        layout.addLayout(row(self.copy, None))
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._compute)
        self.slider.valueChanged.connect(self._on_slider)
        self.context.valueChanged.connect(self._on_context)
        self.table.selectionModel().currentRowChanged.connect(self._on_level)
        desk.active.changed.connect(self._on_target)
        self.context.setValue(desk.settings.value.default_context)

    def show_facts(self, facts: ModelFacts | None, shape: ModelShape | None = None) -> None:
        """Show a model; None empties the table. Its shape is built elsewhere: a large model takes a while."""
        self._facts, self._shape = facts, shape
        self._compute()

    @Slot(int)
    def _on_slider(self, step: int) -> None:
        self.context.setValue(step * context_limits().multiple)

    @Slot(int)
    def _on_context(self, context: int) -> None:
        multiple = context_limits().multiple
        blocker = QSignalBlocker(self.slider)
        self.slider.setValue(context // multiple)
        blocker.unblock()
        # Several steps of the slider in one turn of the event loop are one computation.
        self._timer.start()

    @Slot(object)
    def _on_target(self, _target: object) -> None:
        self._timer.start()

    @Slot()
    def _compute(self) -> None:
        target = self._desk.active.target
        self.estimate = None
        if self._facts is None:
            self.table.show_rows(())
            self.summary.setText("")
            self._show_level()
            return
        multiple = context_limits().multiple
        try:
            self.estimate = estimate_model(
                self._facts, target.platform, context=self.context.value() // multiple * multiple,
                board_ram_bytes=target.ram_bytes, now=target.fit(self.context.value()).now,
                shape=self._shape,
            )  # fmt: skip
        except RKDeckError as error:
            self.table.show_rows(())
            self.summary.setText(" ".join(word_error(error)))
            self._show_level()
            return
        words = {
            "calibrated": tr("calibrated on the vendor's figures"), "extrapolated": tr("extrapolated"),
            "uncalibrated": tr("without figures of the vendor"),
        }  # fmt: skip
        self.summary.setText(
            tr(
                "{architecture} on {soc}, all {cores} NPU cores, {confidence}",
                architecture=self.estimate.architecture, soc=target.platform.display_name, cores=self.estimate.cores,
                confidence=words[self.estimate.confidence],
            )
        )  # fmt: skip
        self.table.show_rows(self.estimate.rows)
        notes = [note_text(note) for note in self.estimate.notes[:_MOST_NOTES]]
        self.notes.setText("\n".join(f"• {note}" for note in notes))
        self._show_level()

    @Slot()
    def _on_level(self) -> None:
        self._show_level()

    def _show_level(self) -> None:
        level, board = self.table.selected(), self._desk.active.target.ram_bytes
        known = level is not None and level.ram is not None and board is not None
        for widget in (self.bar, self.thumb, self.why):
            widget.setVisible(level is not None)
        self.copy.setEnabled(self.estimate is not None)
        self.notes.setVisible(self.estimate is not None)
        if level is None:
            return
        if (
            known
            and level.kv_cache_bytes is not None
            and level.overhead_bytes is not None
            and board is not None
        ):
            self.bar.show_parts(
                MemoryParts(
                    level.weights_bytes,
                    level.kv_cache_bytes,
                    level.overhead_bytes,
                    estimate_limits().os_headless_bytes,
                    board,
                )
            )
        else:
            self.bar.show_parts(None)
        self.why.setText("\n".join(why_lines(self.estimate, level)) if self.estimate is not None else "")
        self.why.setVisible(bool(self.why.text()))
        self.thumb.setText(
            tr(
                "{level}: rule of thumb {thumb}; on the NPU {npu}",
                level=level.dtype, thumb=format_bytes(level.rule_of_thumb_bytes), npu=format_bytes(level.npu_bytes),
            )
        )  # fmt: skip

    @Slot()
    def _on_copy(self) -> None:
        if self.estimate is not None:
            QApplication.clipboard().setText(markdown(self.estimate))


def why_lines(estimate: Estimate, level: LevelEstimate) -> list[str]:
    """Why a level fits or not, how long a context it bears, and what would change it."""
    lines = []
    if level.reason is not None and level.kind == "rkllm":
        lines.append(note_text(level.reason))
    elif level.fit is not None:
        lines.append(f"{verdict_text(level.fit.verdict)}: {note_text(level.fit.reason)}")
        largest = level.fit.largest_context
        if level.fit.verdict != "no" and largest is not None:
            lines.append(tr("Largest context that fits: {n} tokens", n=largest))
    lines.extend(f"→ {note_text(note)}" for note in advise(estimate, level))
    return lines


def markdown(estimate: Estimate) -> str:
    """The table for a chat or an issue."""
    lines = [
        f"**{estimate.model}** on {estimate.platform}, context {estimate.context}, {estimate.confidence}", "",
        "| level | RAM GiB | file GiB | tokens/s | TTFT ms |", "|---|--:|--:|--:|--:|",
    ]  # fmt: skip
    for level in estimate.rows:
        ram = f"{level.ram.value / GIB:.2f}" if level.ram else "-"
        size = f"{level.file_bytes / GIB:.2f}" if level.file_bytes is not None else "-"
        speed = f"{level.tokens_per_s.value:.1f}" if level.tokens_per_s else "-"
        first = f"{level.ttft_ms.value:.0f}" if level.ttft_ms else "-"
        name = level.dtype if level.supported or level.kind == "reference" else f"{level.dtype} (refused)"
        lines.append(f"| {name} | {ram} | {size} | {speed} | {first} |")
    return "\n".join(lines) + "\n"
