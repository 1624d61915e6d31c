"""Perplexity measured on a text, level by level, and one prompt answered at each level, side by side."""

from pathlib import Path

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QGridLayout,
    QHeaderView,
    QLineEdit,
    QProgressBar,
    QSpinBox,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from core.base.errors import RKDeckError, error_from_json
from core.base.names import printable
from core.base.observable import ObservableList
from core.jobs.model import JobRecord, JobState
from core.jobs.order import order_in
from core.lab.perplexity.figures import PerplexityResult
from core.lab.perplexity.order import PerplexityOrder
from core.lab.perplexity.records import PerplexityRun
from core.library.records import LibraryItem
from core.usecases import perplexity as use
from core.usecases.perplexity import PerplexityOptions
from core.vendor.levels import comparable_levels, usual_levels
from gui.desk import Desk
from gui.models.list_model import Column, RecordModel
from gui.phrases import job_line
from gui.shell.status import show_progress
from gui.text import tr, word_error
from gui.widgets.basic import button, label, row
from gui.widgets.scrolled import Column as ScrolledColumn
from gui.widgets.scrolled import scrolled
from gui.widgets.tables import dress_table

_PROMPT_CHARACTERS = 500
_LEVELS_A_ROW = 6


class PerplexityTab(QWidget):
    """Starts a measurement as a job and shows what earlier ones found.

    Signals:
        measured: a measurement has ended well; what is stored is to be read again.
    """

    measured = Signal()

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._item: LibraryItem | None = None
        self._runs: tuple[PerplexityRun, ...] = ()
        self._file: Path | None = None
        self.text = QComboBox()
        self.text.setObjectName("textBox")
        self.text.setAccessibleName(tr("Text to measure on"))
        for known in use.builtin_texts():
            self.text.addItem(known.title, known.name)
        self.text.addItem(tr("A text file of yours ..."), "")
        self.text.activated.connect(self._on_text)
        self.windows = QSpinBox()
        self.windows.setObjectName("windowsField")
        self.windows.setRange(1, 10_000)
        self.windows.setValue(16)
        self.windows.setAccessibleName(tr("Windows of the text"))
        self.levels = {level.name: QCheckBox(level.name) for level in comparable_levels()}
        for level in usual_levels():
            self.levels[level.name].setChecked(True)
        self.prompt = QLineEdit()
        self.prompt.setObjectName("greedyPrompt")
        self.prompt.setMaxLength(_PROMPT_CHARACTERS)
        self.prompt.setPlaceholderText(tr("A prompt to answer at every level (optional)"))
        self.prompt.setAccessibleName(tr("Prompt"))
        self.start = button(tr("Measure"), "primary", "play")
        self.start.setObjectName("measurePerplexity")
        self.start.clicked.connect(self._on_start)
        self.stop = button(tr("Stop"), icon_name="stop")
        self.stop.clicked.connect(self._on_stop)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(tr("Progress of the measurement"))
        self.state = label(wrap=True)
        self.problem = label(role="problem", wrap=True, selectable=True)
        self._rows: ObservableList[PerplexityResult] = ObservableList()
        self._model = RecordModel(self._rows, _columns(), self)
        self.view = self._table()
        self.about = label(role="muted", wrap=True)
        self.answers = QGridLayout()
        self.answers.setColumnStretch(1, 1)
        self.explain = label(role="muted", wrap=True)
        self._lay_out()
        desk.jobs.changed.connect(self._on_job)
        desk.jobs.ended.connect(self._on_job_ended)
        self.show_item(None, ())

    def _table(self) -> QTableView:
        view = QTableView()
        view.setModel(self._model)
        dress_table(view, "perplexityView", tr("Perplexity by level"), row_px=24, striped=True)
        view.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        view.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        view.setMinimumHeight(150)
        view.setMaximumHeight(240)
        return view

    def _lay_out(self) -> None:
        first = row(label(tr("Text"), "muted"), self.text, label(tr("Windows"), "muted"), self.windows, None)
        second = self._level_grid()
        third = row(self.prompt, self.start, self.stop)
        third.setStretch(0, 1)
        body = ScrolledColumn()
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 4, 0)
        column.addWidget(self.about)
        column.addWidget(self.view)
        column.addLayout(self.answers)
        column.addWidget(self.explain)
        column.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 8, 0, 0)
        for part in (first, second, third):
            layout.addLayout(part)
        for widget in (self.bar, self.state, self.problem):
            layout.addWidget(widget)
        layout.addWidget(scrolled(body), 1)

    def _level_grid(self) -> QGridLayout:
        """As many as the data has: several short rows, so that they never make the window wide."""
        grid = QGridLayout()
        grid.setHorizontalSpacing(10)
        grid.addWidget(label(tr("Levels"), "muted"), 0, 0)
        for place, box in enumerate(self.levels.values()):
            grid.addWidget(box, place // _LEVELS_A_ROW, place % _LEVELS_A_ROW + 1)
        grid.setColumnStretch(_LEVELS_A_ROW + 1, 1)
        return grid

    def show_item(self, item: LibraryItem | None, runs: tuple[PerplexityRun, ...]) -> None:
        """Show a model of the library with what was measured of it."""
        if item is None or self._item is None or item.id != self._item.id:
            self.problem.hide()
        self._item, self._runs = item, runs
        run = next((run for run in runs if run.current), None)
        self._rows.replace_all(run.results if run is not None else (), key=_level)
        self.view.setVisible(run is not None)
        self._show_about(run, len(runs))
        self._show_answers(run)
        self._show_job()

    def _show_about(self, run: PerplexityRun | None, count: int) -> None:
        if run is None:
            self.about.setText(
                tr("Nothing was measured of these files yet. An earlier measurement was of other files.")
                if count
                else tr(
                    "Nothing was measured yet. The model reads the text window by window and says how well it foresaw"
                    " each token."
                )
            )
            self.explain.setText("")
            return
        self.about.setText(
            tr(
                "{text}: {windows} windows of {window} tokens, computed by {engine}",
                text=_title(run.text), windows=run.windows, window=run.window, engine=run.engine,
            )
        )  # fmt: skip
        self.explain.setText(_explain(run))

    def _show_answers(self, run: PerplexityRun | None) -> None:
        from gui.widgets.basic import clear_layout

        clear_layout(self.answers)
        if run is None or run.prompt is None:
            return
        self.answers.addWidget(label(tr("Prompt"), "muted"), 0, 0)
        self.answers.addWidget(
            label(printable(run.prompt, _PROMPT_CHARACTERS), wrap=True, selectable=True), 0, 1
        )
        for place, answer in enumerate(run.answers, 1):
            self.answers.addWidget(label(answer.level, "muted"), place, 0)
            text = printable(answer.text.replace("\n", " "), 600) + ("" if answer.ended else " ...")
            self.answers.addWidget(label(text, wrap=True, selectable=True), place, 1)

    def _job(self) -> JobRecord | None:
        return next(
            (
                record
                for record in self._desk.jobs.records
                if self._item is not None
                and (order := order_in(record.spec, PerplexityOrder)) is not None
                and order.item == self._item.id
            ),
            None,
        )

    def _show_job(self) -> None:
        record = self._job()
        running = record is not None and not record.state.is_terminal
        self.start.setEnabled(self._item is not None and not running)
        self.stop.setVisible(running)
        self.bar.setVisible(running)
        text = ""
        if record is not None and running:
            show_progress(self.bar, record)
            text = job_line(record)
        elif record is not None and record.state is JobState.FAILED:
            text = " ".join(word_error(error_from_json(record.error or {})))
        elif record is not None and record.state is JobState.INTERRUPTED:
            text = tr(
                "The last measurement was interrupted; Measure goes on with the windows that are missing."
            )
        self.state.setText(text)
        self.state.setVisible(bool(text))

    @Slot(object)
    def _on_job(self, record: JobRecord) -> None:
        if record.spec.kind == PerplexityOrder.kind.name:
            self._show_job()

    @Slot(object)
    def _on_job_ended(self, record: JobRecord) -> None:
        if record.spec.kind == PerplexityOrder.kind.name and record.state is JobState.SUCCEEDED:
            self.measured.emit()

    @Slot(int)
    def _on_text(self, place: int) -> None:
        if self.text.itemData(place) != "":
            self._file = None
            return
        name, _ = QFileDialog.getOpenFileName(
            self, tr("Choose a text"), "", tr("Text files (*.txt *.md);;All files (*)")
        )
        if name:
            self._file = Path(name)
            self.text.setItemText(
                place, tr("A text file of yours: {name}", name=printable(self._file.name, 60))
            )
        elif self._file is None:
            self.text.setCurrentIndex(0)

    @Slot()
    def _on_start(self) -> None:
        record = self._job()
        self.problem.hide()
        if self._item is None:
            return
        self.start.setEnabled(False)
        if record is not None and record.state is JobState.INTERRUPTED:
            self._desk.jobs.resume(record.spec.id)
            return
        chosen = tuple(name for name, box in self.levels.items() if box.isChecked())
        data = self.text.currentData()
        options = PerplexityOptions(
            levels=chosen,
            text=self._file if data == "" else data,
            windows=self.windows.value(),
            prompt=self.prompt.text().strip() or None,
        )
        self._desk.bridge.run(
            use.start_perplexity, self._desk.services, self._item.id, options,
            done=self._on_started, failed=self._on_refused,
        )  # fmt: skip

    def _on_started(self, _job_id: str) -> None:
        self._desk.jobs.look_now()

    def _on_refused(self, error: RKDeckError) -> None:
        self.problem.setText(" ".join(word_error(error)))
        self.problem.show()
        self._show_job()

    @Slot()
    def _on_stop(self) -> None:
        record = self._job()
        if record is not None:
            self._desk.jobs.cancel(record.spec.id)


def _explain(run: PerplexityRun) -> str:
    worst = max(run.results, key=lambda result: result.perplexity, default=None)
    if worst is None:
        return ""
    text = tr(
        "Perplexity is how many tokens the model wavers between on average: lower is better. At {level} it is {value}.",
        level=worst.level, value=f"{worst.perplexity:.2f}",
    )  # fmt: skip
    if worst.ratio is not None and worst.reference is not None:
        text += " " + tr(
            "That is {percent} % more than {reference} on the same windows.",
            percent=f"{100 * (worst.ratio - 1):.2f}", reference=worst.reference,
        )  # fmt: skip
    rounded = next((result.level for result in run.results if result.simulated_activations), None)
    if rounded is not None:
        text += " " + tr(
            "At {level} the inputs of each layer are rounded to 8 bits, too: outliers among them cost most.",
            level=rounded,
        )
    return text


def _title(name: str) -> str:
    """What people call a built-in text; a file's name else."""
    known = {text.name: text.title for text in use.builtin_texts()}
    return known.get(name, printable(name, 80))


def _columns() -> tuple[Column[PerplexityResult], ...]:
    return (
        Column(tr("Level"), _level),
        Column(tr("Perplexity"), _value, right=True),
        Column(tr("95 % interval"), _interval, right=True),
        Column(tr("more than the original, %"), _ratio, right=True),
        Column(tr("Tokens"), _tokens, right=True),
        Column(tr("Seconds"), _seconds, right=True),
    )


def _level(result: PerplexityResult) -> str:
    return result.level


def _value(result: PerplexityResult) -> str:
    return f"{result.perplexity:.3f}"


def _interval(result: PerplexityResult) -> str:
    if result.low is None or result.high is None:
        return tr("unknown")
    return f"{result.low:.2f} - {result.high:.2f}"


def _ratio(result: PerplexityResult) -> str:
    return "-" if result.ratio is None else f"{100 * (result.ratio - 1):+.2f}"


def _tokens(result: PerplexityResult) -> str:
    return str(result.tokens)


def _seconds(result: PerplexityResult) -> str:
    return f"{result.seconds:.1f}"
