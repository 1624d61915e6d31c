"""One tensor under the glass: its histogram with the integer grid, the formula with its numbers, what comes back."""

from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QComboBox, QGridLayout, QSlider, QSpinBox, QVBoxLayout, QWidget

from core.base.errors import RKDeckError
from core.base.names import printable
from core.base.units import format_bytes, format_count
from core.lab.picture import Grid, TensorPicture, Walk
from core.lab.records import TensorRef
from core.lab.scheme import Scheme, scheme
from core.usecases import lab as use
from core.usecases.lab import ModelSource, OpenTensor
from core.vendor.levels import group_sizes
from gui.bridge import Task
from gui.desk import Desk
from gui.pages.lab.charts import StillChart
from gui.text import tr, word_error
from gui.theme import number_font
from gui.widgets.basic import card, label, row
from gui.widgets.scrolled import Column, scrolled

_WAIT_MS = 150
_BITS = (4, 8)
_GROUPS: tuple[int | None, ...] = (*group_sizes(), None)


class TensorTab(QWidget):
    """Asks for a picture when a choice has come to rest; an answer to an older choice is dropped."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._source: ModelSource | None = None
        self._tasks: list[Task] = []
        self._wanted: str | None = None
        self._opened: OpenTensor | None = None
        self.picture: TensorPicture | None = None
        self.names = QComboBox()
        self.names.setObjectName("tensorBox")
        self.names.setAccessibleName(tr("Tensor"))
        self.names.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.names.setMinimumContentsLength(24)
        self.bits = _slider(len(_BITS), "bitsSlider", tr("Bits"))
        self.group = _slider(len(_GROUPS), "groupSlider", tr("Weights that share a scale"))
        self.bits_text, self.group_text = label(), label()
        self.channel, self.column = (
            _spin("channelField", tr("Output channel")),
            _spin("weightField", tr("Weight")),
        )
        self.status = label(role="muted", wrap=True)
        self.problem = label(role="problem", wrap=True, selectable=True)
        self._charts: _Charts | None = None
        self.formula = label(wrap=True, selectable=True)
        self.formula.setObjectName("formula")
        self.formula.setFont(number_font(self.formula.font()))
        self.explain = label(role="muted", wrap=True)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_WAIT_MS)
        self._timer.timeout.connect(self._ask)
        self._lay_out()
        self.bits.setValue(1)
        self.group.setValue(len(_GROUPS) - 1)
        self.names.currentIndexChanged.connect(self._on_tensor)
        for control in (self.bits, self.group):
            control.valueChanged.connect(self._on_choice)
        for field in (self.channel, self.column):
            field.valueChanged.connect(self._on_choice)
        self._show_choice()

    def _lay_out(self) -> None:
        choices = QGridLayout()
        choices.setHorizontalSpacing(10)
        for place, (title, slider, text) in enumerate(
            ((tr("Bits"), self.bits, self.bits_text), (tr("Scale for"), self.group, self.group_text))
        ):
            choices.addWidget(label(title, "muted"), 0, 3 * place)
            choices.addWidget(slider, 0, 3 * place + 1)
            choices.addWidget(text, 0, 3 * place + 2)
            text.setMinimumWidth(120 if place else 50)
        choices.setColumnStretch(4, 1)
        upper = row(
            label(tr("Tensor"), "muted"), self.names, label(tr("Channel"), "muted"), self.channel,
            label(tr("Weight"), "muted"), self.column,
        )  # fmt: skip
        upper.setStretch(1, 1)
        formula = card()
        inner = QVBoxLayout(formula)
        inner.addWidget(self.formula)
        inner.addWidget(self.explain)
        self._place = QVBoxLayout()
        body = Column()
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 4, 0)
        column.addWidget(self.problem)
        column.addLayout(self._place, 1)
        column.addWidget(formula)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 8, 0, 0)
        layout.addLayout(upper)
        layout.addLayout(choices)
        layout.addWidget(self.status)
        layout.addWidget(scrolled(body), 1)
        self.problem.hide()

    @property
    def chosen(self) -> Scheme:
        """The scheme the sliders say."""
        return scheme(_BITS[self.bits.value()], _GROUPS[self.group.value()])

    def show_source(self, source: ModelSource | None) -> None:
        """Show another model."""
        if source == self._source:
            return
        for task in self._tasks:
            task.drop()
        self._tasks = []
        self._source = source
        self._opened = None
        self.names.clear()
        self._show_picture(None)
        self._say_problem(None)
        if source is not None:
            self.status.setText(tr("Reading the model's headers ..."))
            self._tasks = [
                self._desk.bridge.run(
                    use.list_tensors,
                    self._desk.services,
                    source,
                    done=self._on_listed,
                    failed=self._on_failed,
                )
            ]

    def pick(self, name: str) -> None:
        """Show a tensor by its name, as soon as the list is there."""
        place = self.names.findData(name)
        if place >= 0:
            self.names.setCurrentIndex(place)
        else:
            self._wanted = name

    def retint(self) -> None:
        """Another theme."""
        if self._charts is not None:
            self._charts.retint()
        self._show_picture(self.picture)

    def showEvent(self, event: QShowEvent) -> None:  # Qt's name
        """The charts are made when they are first seen: a plotting library takes its time to begin."""
        super().showEvent(event)
        if self._charts is None:
            self._charts = _Charts()
            self._place.addWidget(self._charts)
            self._show_picture(self.picture)

    def _on_listed(self, tensors: tuple[TensorRef, ...]) -> None:
        self.status.setText("")
        self.names.blockSignals(True)
        for tensor in tensors:
            if tensor.role == "linear":
                size = " x ".join(map(str, tensor.shape))
                self.names.addItem(f"{printable(tensor.name, 120)}  ({size}, {tensor.dtype})", tensor.name)
        self.names.blockSignals(False)
        if self.names.count():
            wanted, self._wanted = self._wanted, None
            place = max(0, self.names.findData(wanted)) if wanted else 0
            self.names.setCurrentIndex(place)
            self._ask()
        else:
            self.status.setText(tr("This model has no linear weights that RKDeck knows."))

    @Slot(int)
    def _on_tensor(self, _place: int) -> None:
        for field in (self.channel, self.column):
            field.blockSignals(True)
            field.setValue(0)
            field.blockSignals(False)
        self._timer.start()

    @Slot(int)
    def _on_choice(self, _value: int) -> None:
        self._show_choice()
        self._timer.start()

    def _show_choice(self) -> None:
        chosen = self.chosen
        self.bits_text.setText(tr("{n} bits", n=chosen.bits))
        self.group_text.setText(
            tr("a whole channel") if chosen.group_size is None else tr("{n} weights", n=chosen.group_size)
        )

    @Slot()
    def _ask(self) -> None:
        name = self.names.currentData()
        if self._source is None or not isinstance(name, str):
            return
        for task in self._tasks:
            task.drop()
        if self._opened is not None and self._opened.tensor.name == name:
            self._draw()
            return
        self._opened = None
        self.status.setText(tr("Reading the tensor ..."))
        fetched = self._desk.bridge.sink(self._on_fetched, key=_one)

        def advance(done: int, total: int) -> None:
            fetched((done, total))

        self._tasks = [
            self._desk.bridge.run(
                use.open_tensor, self._desk.services, self._source, name, advance,
                done=self._on_opened, failed=self._on_failed,
            )
        ]  # fmt: skip

    def _on_opened(self, opened: OpenTensor) -> None:
        self._opened = opened
        self._draw()

    def _draw(self) -> None:
        """Another grid over a tensor that is here: tens of milliseconds, on another thread."""
        self._tasks = [
            self._desk.bridge.run(
                use.picture_of, self._opened, self.chosen, channel=self.channel.value(), column=self.column.value(),
                done=self._on_picture, failed=self._on_failed,
            )
        ]  # fmt: skip

    def _on_fetched(self, done: tuple[int, int]) -> None:
        self.status.setText(
            tr(
                "Fetching this tensor: {done} of {total}",
                done=format_bytes(done[0]),
                total=format_bytes(done[1]),
            )
        )

    def _on_picture(self, picture: TensorPicture) -> None:
        self.status.setText(
            tr(
                "{count} weights stored as {dtype}; histograms of {sampled}",
                count=format_count(picture.weights), dtype=picture.dtype, sampled=format_count(picture.sampled),
            )
        )  # fmt: skip
        self._say_problem(None)
        for field, most in ((self.channel, _channels(picture) - 1), (self.column, _inputs(picture) - 1)):
            field.blockSignals(True)
            field.setMaximum(most)
            field.blockSignals(False)
        self._show_picture(picture)

    def _on_failed(self, error: RKDeckError) -> None:
        self.status.setText("")
        self._show_picture(None)
        self._say_problem(error)

    def _say_problem(self, error: RKDeckError | None) -> None:
        self.problem.setText("" if error is None else " ".join(word_error(error)))
        self.problem.setVisible(error is not None)

    def _show_picture(self, picture: TensorPicture | None) -> None:
        self.picture = picture
        if self._charts is not None:
            self._charts.show_picture(picture)
        self.formula.setText("")
        self.explain.setText("")
        if picture is not None and picture.walk is not None and picture.grid is not None:
            self.formula.setText(formula_text(picture.grid, picture.walk))
            self.explain.setText(explain_text(picture, picture.grid))


class _Charts(QWidget):
    """The three charts of one picture."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grid = StillChart(tr("Weights and the values that can be stored"), tr("weight"))
        self._error = StillChart(tr("Error of the whole tensor"), tr("restored - original"))
        self._pair = StillChart(tr("Original and restored"), tr("weights of this group"))
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._grid, 0, 0, 1, 2)
        layout.addWidget(self._pair, 1, 0)
        layout.addWidget(self._error, 1, 1)
        layout.setRowStretch(0, 3)
        layout.setRowStretch(1, 2)

    def retint(self) -> None:
        """Another theme."""
        for chart in (self._grid, self._error, self._pair):
            chart.retint()

    def show_picture(self, picture: TensorPicture | None) -> None:
        """Draw a picture; None draws nothing."""
        for chart in (self._grid, self._error, self._pair):
            chart.clear()
        if picture is None:
            return
        if picture.grid is not None:
            self._grid.draw_grid(picture.grid, float(max(picture.group_histogram.counts, default=1)))
        self._grid.draw_histogram(picture.group_histogram)
        self._grid.note.setText(
            tr(
                "channel {channel}, weights {first} to {last}",
                channel=picture.channel, first=picture.first_column, last=picture.last_column,
            )
        )  # fmt: skip
        if picture.walk is not None:
            self._grid.mark(picture.walk.weight)
        self._error.draw_histogram(picture.errors, 3)
        if picture.sqnr_db is not None:
            self._error.note.setText(f"SQNR {picture.sqnr_db:.1f} dB")
        self._pair.draw_line(picture.originals, 0)
        self._pair.draw_line(picture.restored, 1, dashed=True)


def formula_text(grid: Grid, walk: Walk) -> str:
    """The mapping, then the same with this weight's numbers."""
    sign, zero = ("-", -grid.zero_point) if grid.zero_point < 0 else ("+", grid.zero_point)
    walked = (
        f"W = {walk.weight:.6g}",
        f"W / S = {walk.quotient:.3f}",
        f"{walk.rounded} {sign} {zero} = {walk.shifted}",
        f"W_int = {walk.integer}",
        f"{walk.restored:.6g}   ({walk.error:+.3g})",
    )
    lines = (
        f"W_int = clip(round(W / S) + Z, {grid.qmin}, {grid.qmax})      W ~ (W_int - Z) · S",
        f"S = {grid.scale:.6g}      Z = {grid.zero_point}",
        "   →   ".join(walked),
    )
    return "\n".join(lines)


def explain_text(picture: TensorPicture, grid: Grid) -> str:
    """What a scale is, with the numbers on the screen."""
    levels = grid.qmax - grid.qmin + 1
    parts = [
        tr(
            "A scale S is the distance between two values that can be stored. {count} weights share this one, {levels}"
            " values have to cover all of them, so no weight is off by more than S / 2 = {half}.",
            count=picture.last_column - picture.first_column + 1, levels=levels, half=f"{grid.scale / 2:.3g}",
        )
    ]  # fmt: skip
    if grid.zero_point:
        parts.append(
            tr(
                "Z = {z} is the whole number that stands for 0: the grid is shifted to where the weights are.",
                z=grid.zero_point,
            )
        )
    else:
        parts.append(tr("Z = 0: the grid lies evenly around 0, which is cheaper to compute with."))
    if picture.scheme.group_size is None:
        parts.append(
            tr(
                "One weight that is far out stretches the scale of its whole channel: groups keep it to its neighbours."
            )
        )
    return " ".join(parts)


def _slider(count: int, name: str, title: str) -> QSlider:
    made = QSlider(Qt.Orientation.Horizontal)
    made.setObjectName(name)
    made.setRange(0, count - 1)
    made.setPageStep(1)
    made.setTickPosition(QSlider.TickPosition.TicksBelow)
    made.setAccessibleName(title)
    made.setMinimumWidth(90)
    return made


def _spin(name: str, title: str) -> QSpinBox:
    made = QSpinBox()
    made.setObjectName(name)
    made.setAccessibleName(title)
    made.setKeyboardTracking(False)
    made.setMaximum(0)
    return made


def _channels(picture: TensorPicture) -> int:
    return picture.shape[0] if len(picture.shape) == 2 else picture.shape[0] * picture.shape[-1]


def _inputs(picture: TensorPicture) -> int:
    return picture.shape[-1] if len(picture.shape) == 2 else picture.shape[1]


def _one(_value: object) -> str:
    return "fetched"
