"""What a conversion will take on this computer and make for the board, before it starts."""

from PySide6.QtWidgets import QFormLayout, QWidget

from core.base.units import format_bytes
from core.usecases.conversion import Forecast
from gui.text import noop, tr
from gui.widgets.basic import StateLabel, label
from gui.words import VERDICT_ROLES, note_text, verdict_text

_BASIS = {
    "calibrated": noop("calibrated"),
    "extrapolated": noop("extrapolated"),
    "definition": noop("by definition"),
}


class ForecastPanel(QWidget):
    """A few lines; unknown is said to be unknown."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.host_ram, self.disk = label(wrap=True), label(wrap=True)
        self.file, self.board_ram, self.speed = label(wrap=True), label(wrap=True), label(wrap=True)
        self.fit = StateLabel()
        self.reason = label(role="muted", wrap=True)
        layout = QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setHorizontalSpacing(12)
        for text, value in (
            (tr("Memory here"), self.host_ram), (tr("Disk here"), self.disk), (tr("The file"), self.file),
            (tr("On the board"), self.board_ram), (tr("Speed"), self.speed), (tr("Active board"), self.fit),
            ("", self.reason),
        ):  # fmt: skip
            caption = label(text, "muted")
            caption.setMinimumWidth(90)
            layout.addRow(caption, value)
        self.show_forecast(None)

    def show_forecast(self, forecast: Forecast | None) -> None:
        """Show a forecast; None: nothing is known yet."""
        unknown = tr("unknown")
        if forecast is None:
            for value in (self.host_ram, self.disk, self.file, self.board_ram, self.speed):
                value.setText(unknown)
            self.fit.show_state("muted", unknown)
            self.reason.setText("")
            return
        self.host_ram.setText(
            _of(forecast.host_ram_bytes, forecast.host_ram_available_bytes, tr("reported by users"))
        )
        self.disk.setText(_of(forecast.disk_bytes, forecast.disk_free_bytes, ""))
        self.file.setText(format_bytes(forecast.file_bytes))
        row = forecast.row
        basis = (
            tr(_BASIS.get(row.ram.basis, row.ram.basis)) if row is not None and row.ram is not None else ""
        )
        self.board_ram.setText(_with(format_bytes(forecast.board_ram_bytes), basis))
        speed = row.tokens_per_s if row is not None else None
        self.speed.setText(
            tr("{low} to {high} tokens/s", low=f"{speed.low:.1f}", high=f"{speed.high:.1f}")
            if speed
            else unknown
        )
        fit = forecast.fit
        self.fit.show_state(
            VERDICT_ROLES[fit.verdict] if fit else "muted", verdict_text(fit.verdict) if fit else unknown
        )
        self.reason.setText(note_text(fit.reason) if fit else "")


def _of(need: int | None, have: int | None, basis: str) -> str:
    return _with(tr("{need} of {have} free", need=format_bytes(need), have=format_bytes(have)), basis)


def _with(text: str, basis: str) -> str:
    return f"{text} ({basis})" if basis else text
