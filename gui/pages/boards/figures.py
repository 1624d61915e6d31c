"""The live figures of a card: two bars and three lines, set in place at each sample."""

from PySide6.QtWidgets import QGridLayout, QProgressBar, QWidget

from core.base.units import GIB, permille
from core.monitor.sample import Missing
from core.words import missing_name
from gui.feeds.boards import BoardView
from gui.text import language, tr
from gui.theme import number_font
from gui.widgets.basic import label
from gui.widgets.plain import set_tip

_SOC_ZONES = ("soc", "bigcore", "package", "center")


class Figures(QWidget):
    """Memory, disk, NPU, temperature."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(3)
        self.ram_bar, self.disk_bar = _bar(tr("Memory")), _bar(tr("Disk"))
        self.ram, self.disk, self.npu, self.heat = (label() for _ in range(4))
        for number, (text, bar, value) in enumerate(
            (
                (tr("Memory"), self.ram_bar, self.ram), (tr("Disk"), self.disk_bar, self.disk),
                (tr("NPU"), None, self.npu), (tr("Heat"), None, self.heat),
            )
        ):  # fmt: skip
            value.setFont(number_font(value.font()))
            grid.addWidget(label(text, "muted"), number, 0)
            if bar is not None:
                grid.addWidget(bar, number, 1)
                grid.addWidget(value, number, 2)
            else:
                grid.addWidget(value, number, 1, 1, 2)
        grid.setColumnStretch(1, 1)

    def show_view(self, view: BoardView) -> None:
        """Show what is known by now; unknown is said to be unknown."""
        sample, facts = view.sample, view.board.facts
        live = sample is not None and sample.is_up
        total = (
            sample.mem_total_bytes
            if sample is not None and live
            else (facts.mem_total_bytes if facts else None)
        )
        free = sample.mem_available_bytes if sample is not None and live else None
        _show_share(self.ram_bar, self.ram, None if free is None or total is None else total - free, total)
        mount = view.status.mount if view.status is not None else None
        used = None
        if mount is not None and mount.total_bytes is not None and mount.free_bytes is not None:
            used = mount.total_bytes - mount.free_bytes
        _show_share(self.disk_bar, self.disk, used, mount.total_bytes if mount is not None else None)
        set_tip(self.disk_bar, f"{view.board.store} ({mount.medium})" if mount is not None else "")
        self.npu.setText(_npu(view))
        self.heat.setText(_heat(view))


def _bar(name: str) -> QProgressBar:
    made = QProgressBar()
    made.setRange(0, 1000)
    made.setTextVisible(False)
    made.setAccessibleName(name)
    return made


def _show_share(bar: QProgressBar, text: object, used: int | None, total: int | None) -> None:
    bar.setValue(permille(used, total) or 0)
    if total is None:
        shown = tr("unknown")
    elif used is None:
        shown = tr("{size} GiB in all", size=f"{total / GIB:.1f}")
    else:
        shown = f"{used / GIB:.1f} / {total / GIB:.1f} GiB"
    text.setText(shown)  # type: ignore[attr-defined]  # a QLabel


def _npu(view: BoardView) -> str:
    sample = view.sample
    if sample is None or not sample.is_up:
        return tr("unknown")
    clock = f" · {sample.npu_hz / 1e6:.0f} MHz" if sample.npu_hz else ""
    if sample.npu_load_percent is None:
        return missing_name(sample.missing.get("npu_load") or Missing.NOT_HERE, language()) + clock
    return " ".join(f"{load}" for load in sample.npu_load_percent) + " %" + clock


def _heat(view: BoardView) -> str:
    sample = view.sample
    if sample is None or not sample.is_up or not sample.temps_c:
        return tr("unknown")
    warmest = max(sample.temps_c.values())
    throttled = f" · {tr('throttling')}" if sample.throttled_by else ""
    return f"{warmest:.0f} °C{throttled}"
