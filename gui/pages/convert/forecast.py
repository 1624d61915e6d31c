"""What a conversion will take on this computer and make for the board, before it starts."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QSizePolicy, QWidget

from core.base.units import format_bytes
from core.estimate.records import Number
from core.fitness.room import VERDICT_OF
from core.usecases.conversion import Forecast
from gui.phrases import VERDICT_ROLES, note_text, verdict_text
from gui.text import noop, tr
from gui.widgets.basic import StateLabel, label

_BASIS = {
    "measured": noop("measured"),
    "vendor": noop("vendor's figure"),
    "calibrated": noop("calibrated"),
    "extrapolated": noop("extrapolated"),
    "definition": noop("by definition"),
}
_CAPTION_PX = 96
_FEW = 100.0


class ForecastPanel(QWidget):
    """A few lines; unknown is said to be unknown."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("forecastPanel")
        self.host_ram, self.disk, self.file = _value(), _value(), _value()
        self.board_ram, self.speed, self.reason = _value(), _value(), _value()
        self.reason.setProperty("role", "muted")
        self.fit = StateLabel()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(5)
        grid.setColumnMinimumWidth(0, _CAPTION_PX)
        grid.setColumnStretch(1, 1)
        rows: tuple[tuple[str, QWidget], ...] = (
            (tr("Memory here"), self.host_ram), (tr("Disk here"), self.disk), (tr("The file"), self.file),
            (tr("On the board"), self.board_ram), (tr("Speed"), self.speed), (tr("Active board"), self.fit),
            ("", self.reason),
        )  # fmt: skip
        for number, (text, value) in enumerate(rows):
            grid.addWidget(label(text, "muted"), number, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(value, number, 1)
        self.show_forecast(None)

    def show_forecast(self, forecast: Forecast | None) -> None:
        """Show a forecast; None: nothing is known."""
        unknown = tr("unknown")
        if forecast is None:
            for value in (self.host_ram, self.disk, self.file, self.board_ram, self.speed):
                value.setText(unknown)
            self._show_fit("muted", unknown, "")
            return
        self.host_ram.setText(_host_ram_text(forecast))
        self.disk.setText(
            tr(
                "takes {need}, {free} free",
                need=_size(forecast.disk_bytes),
                free=_size(forecast.disk_free_bytes),
            )
        )
        row = forecast.row
        if row is None or not row.supported:
            for value in (self.file, self.board_ram, self.speed):
                value.setText("-")
            self._show_fit("bad", tr("cannot be made"), "") if row else self._show_fit("muted", unknown, "")
            return
        self.file.setText(_size(forecast.file_bytes))
        self.board_ram.setText(_with_basis(_size(forecast.board_ram_bytes), row.ram))
        speed = row.tokens_per_s
        shown = (
            tr("{low} to {high} tokens/s", low=_figure(speed.low), high=_figure(speed.high))
            if speed
            else unknown
        )
        self.speed.setText(_with_basis(shown, speed))
        fit = forecast.fit
        if fit is None:
            self._show_fit("muted", unknown, "")
        else:
            self._show_fit(
                VERDICT_ROLES[VERDICT_OF[fit.verdict]], verdict_text(fit.verdict), note_text(fit.reason)
            )

    def _show_fit(self, state: str, word: str, reason: str) -> None:
        self.fit.show_state(state, word)
        self.reason.setText(reason)
        self.reason.setVisible(bool(reason))


def _host_ram_text(forecast: Forecast) -> str:
    return tr(
        "takes about {need} (as users report), {free} free",
        need=_size(forecast.host_ram_bytes),
        free=_size(forecast.host_ram_available_bytes),
    )


def _size(size_bytes: int | None) -> str:
    return tr("unknown") if size_bytes is None else format_bytes(size_bytes)


def _figure(value: float) -> str:
    return f"{value:.1f}" if value < _FEW else f"{value:.0f}"


def _with_basis(text: str, number: Number | None) -> str:
    return f"{text} ({tr(_BASIS[number.basis])})" if number is not None else text


def _value() -> QLabel:
    made = label(wrap=True)
    made.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    return made
