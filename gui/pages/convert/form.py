"""The recipe's fields: the main ones at once, the expert ones when they are asked for."""

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QSignalBlocker, Qt, Signal, Slot
from PySide6.QtGui import QStandardItemModel
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from core.base.names import printable
from core.convert.recipe import Recipe
from core.convert.toolkits import Toolkit
from core.estimate.platforms import context_limits, get_platform, load_platforms
from core.library.library import LibraryItem
from core.quantization.levels import load_levels
from gui.text import tr
from gui.widgets.basic import button, label, row

_ALGORITHMS = ("normal", "grq", "gdq")
_LOAD_DTYPES = ("float32", "bfloat16", "float16")


class RecipeForm(QWidget):
    """Fields that make a recipe.

    Signals:
        changed: something was chosen.
        toolkit_wanted: the user wants to name a toolkit's Python (a Path).
    """

    changed = Signal()
    toolkit_wanted = Signal(object)

    def __init__(self, recipe: Recipe, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._dataset: Path | None = recipe.dataset
        self._lora: Path | None = recipe.lora
        self._dialog: QFileDialog | None = None
        self._asking = ""
        self.source = _box("sourceBox", tr("Model"))
        self.platform = _box("platformBox", tr("Platform"))
        for platform in load_platforms().values():
            self.platform.addItem(platform.display_name, platform.name)
        self.dtype = _box("dtypeBox", tr("Level"))
        self.context = QSpinBox()
        self.context.setObjectName("contextBox")
        limits = context_limits()
        self.context.setRange(limits.min, limits.max)
        self.context.setSingleStep(limits.multiple)
        self.context.setSuffix(" " + tr("tokens"))
        self.context.setAccessibleName(tr("Context"))
        self.cores = _box("coresBox", tr("NPU cores"))
        self.dataset = button(tr("Choose a file"))
        self.dataset.setObjectName("datasetButton")
        self.dataset.clicked.connect(self._on_dataset)
        self.toolkit = _box("toolkitBox", tr("Toolkit"))
        self.add_toolkit = button(
            tr("Add"), icon_name="plus", tip=tr("Choose the Python of a toolkit's environment")
        )
        self.add_toolkit.setObjectName("addToolkitButton")
        self.add_toolkit.clicked.connect(self._on_add_toolkit)
        self._make_expert_fields()
        self._lay_out()
        self.show_recipe(recipe)
        self._connect()

    def _make_expert_fields(self) -> None:
        self.algorithm = _box("algorithmBox", tr("Algorithm"))
        for name in _ALGORITHMS:
            self.algorithm.addItem(name, name)
        self.optimization = _box("optimizationBox", tr("Optimization"))
        self.optimization.addItem(tr("1: better accuracy"), 1)
        self.optimization.addItem(tr("0: faster on the board"), 0)
        self.hybrid = QDoubleSpinBox()
        self.hybrid.setObjectName("hybridBox")
        self.hybrid.setRange(0.0, 0.99)
        self.hybrid.setSingleStep(0.05)
        self.hybrid.setAccessibleName(tr("Hybrid rate"))
        self.device = _box("deviceBox", tr("Device"))
        self.device.addItem(tr("CPU"), "cpu")
        self.device.addItem(tr("NVIDIA GPU (CUDA)"), "cuda")
        self.load_dtype = _box("loadDtypeBox", tr("Load weights as"))
        for name in _LOAD_DTYPES:
            self.load_dtype.addItem(name, name)
        self.lora = button(tr("Choose a folder"))
        self.lora.clicked.connect(self._on_lora)

    def _lay_out(self) -> None:
        main = _form(
            (tr("Model"), self.source), (tr("Platform"), self.platform), (tr("Level"), self.dtype),
            (tr("Context"), self.context), (tr("NPU cores"), self.cores),
        )  # fmt: skip
        main.addRow(_caption(tr("Calibration data")), self.dataset)
        toolkit = row(self.toolkit, self.add_toolkit)
        toolkit.setStretch(0, 1)
        main.addRow(_caption(tr("Toolkit")), toolkit)
        self.expert_toggle = QToolButton()
        self.expert_toggle.setObjectName("expertToggle")
        self.expert_toggle.setText(tr("Expert options"))
        self.expert_toggle.setCheckable(True)
        self.expert_toggle.setArrowType(Qt.ArrowType.RightArrow)
        self.expert_toggle.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.expert_toggle.toggled.connect(self._on_expert)
        expert = _form(
            (tr("Algorithm"), self.algorithm), (tr("Optimization"), self.optimization),
            (tr("Hybrid rate"), self.hybrid), (tr("Device"), self.device), (tr("Load weights as"), self.load_dtype),
        )  # fmt: skip
        expert.addRow(_caption(tr("LoRA adapter")), self.lora)
        self._expert = QWidget()
        self._expert.setLayout(expert)
        self._expert.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(main)
        layout.addWidget(self.expert_toggle)
        layout.addWidget(self._expert)
        layout.addStretch(1)

    def _connect(self) -> None:
        boxes = (
            self.source, self.dtype, self.cores, self.toolkit, self.algorithm, self.optimization, self.device,
            self.load_dtype,
        )  # fmt: skip
        for box in boxes:
            box.currentIndexChanged.connect(self._on_changed)
        self.platform.currentIndexChanged.connect(self._on_platform)
        self.context.valueChanged.connect(self._on_changed)
        self.hybrid.valueChanged.connect(self._on_changed)

    @property
    def item_id(self) -> str | None:
        """Id of the chosen source model."""
        data = self.source.currentData()
        return data if isinstance(data, str) else None

    @property
    def toolkit_python(self) -> Path | None:
        """The chosen toolkit's Python."""
        data = self.toolkit.currentData()
        return Path(data) if isinstance(data, str) else None

    def recipe(self) -> Recipe:
        """The recipe the fields make."""
        return Recipe(
            platform=str(self.platform.currentData()),
            dtype=str(self.dtype.currentData()),
            context=self.context.value(),
            cores=self.cores.currentData(),
            algorithm=str(self.algorithm.currentData()),
            optimization=int(self.optimization.currentData()),
            dataset=self._dataset,
            hybrid_rate=round(self.hybrid.value(), 2),
            device=str(self.device.currentData()),
            load_dtype=str(self.load_dtype.currentData()),
            lora=self._lora,
        )

    def show_recipe(self, recipe: Recipe) -> None:
        """Set the fields; a recipe that cures a problem comes in here."""
        blocked = [QSignalBlocker(box) for box in self.findChildren(QComboBox)]
        blocked += [QSignalBlocker(self.context), QSignalBlocker(self.hybrid)]
        self.platform.setCurrentIndex(self.platform.findData(recipe.platform))
        self._fill_levels(recipe.dtype)
        self._fill_cores(recipe.cores)
        self.context.setValue(recipe.context)
        self.hybrid.setValue(recipe.hybrid_rate)
        for box, value in (
            (self.algorithm, recipe.algorithm), (self.optimization, recipe.optimization),
            (self.device, recipe.device), (self.load_dtype, recipe.load_dtype),
        ):  # fmt: skip
            box.setCurrentIndex(max(0, box.findData(value)))
        self._dataset, self._lora = recipe.dataset, recipe.lora
        self._show_paths()
        for blocker in blocked:
            blocker.unblock()
        self.changed.emit()

    def show_sources(self, items: list[LibraryItem]) -> None:
        """Offer these source models; the chosen one stays chosen."""
        _refill(self.source, [(printable(item.repo or item.title, 80), item.id) for item in items])

    def choose_source(self, item_id: str) -> bool:
        """Choose a source model; returns whether it is offered."""
        place = self.source.findData(item_id)
        if place >= 0:
            self.source.setCurrentIndex(place)
        return place >= 0

    def show_toolkits(self, toolkits: tuple[Toolkit, ...]) -> None:
        """Offer these toolkits."""
        simulated = tr("SIMULATED")
        entries = [
            (
                f"{toolkit.version} ({simulated})" if toolkit.simulated else toolkit.version,
                str(toolkit.python),
            )
            for toolkit in toolkits
        ]
        _refill(self.toolkit, entries)

    def _fill_levels(self, wanted: str) -> None:
        """All levels of the toolkit; those the platform refuses are shown and cannot be chosen."""
        platform = get_platform(str(self.platform.currentData()))
        self.dtype.clear()
        model = self.dtype.model()
        assert isinstance(model, QStandardItemModel)
        for level in load_levels():
            if level.kind != "rkllm":
                continue
            offered = level.name in platform.dtypes
            reason = platform.refusals.get(level.name) or tr("not offered for this platform")
            self.dtype.addItem(
                level.name if offered else tr("{level}  (refused)", level=level.name), level.name
            )
            entry = model.item(self.dtype.count() - 1)
            entry.setEnabled(offered)
            if not offered:
                entry.setToolTip(tr(reason))
        place = self.dtype.findData(wanted)
        if place < 0 or not model.item(place).isEnabled():
            place = self.dtype.findData("w8a8")
        self.dtype.setCurrentIndex(place)

    def _fill_cores(self, wanted: int | None) -> None:
        most = get_platform(str(self.platform.currentData())).npu_cores_max
        self.cores.clear()
        self.cores.addItem(tr("all {n}", n=most), None)
        for number in range(most - 1, 0, -1):
            self.cores.addItem(str(number), number)
        self.cores.setCurrentIndex(max(0, self.cores.findData(wanted)))

    def _show_paths(self) -> None:
        self.dataset.setText(printable(self._dataset.name, 40) if self._dataset else tr("Choose a file"))
        self.lora.setText(printable(self._lora.name, 40) if self._lora else tr("Choose a folder"))

    @Slot(int)
    def _on_platform(self, _index: int) -> None:
        self.show_recipe(replace(self.recipe(), cores=None))

    @Slot(int)
    @Slot(float)
    def _on_changed(self, _value: object = None) -> None:
        self.changed.emit()

    @Slot(bool)
    def _on_expert(self, shown: bool) -> None:  # Qt's signal
        self._expert.setVisible(shown)
        self.expert_toggle.setArrowType(Qt.ArrowType.DownArrow if shown else Qt.ArrowType.RightArrow)

    @Slot()
    def _on_dataset(self) -> None:
        self._ask("dataset", QFileDialog.FileMode.ExistingFile, tr("Calibration data (JSON)"))

    @Slot()
    def _on_lora(self) -> None:
        self._ask("lora", QFileDialog.FileMode.Directory, tr("LoRA adapter"))

    @Slot()
    def _on_add_toolkit(self) -> None:
        self._ask("toolkit", QFileDialog.FileMode.ExistingFile, tr("The Python of the toolkit's environment"))

    def _ask(self, what: str, mode: QFileDialog.FileMode, title: str) -> None:
        self._asking = what
        self._dialog = QFileDialog(self, title)
        self._dialog.setFileMode(mode)
        self._dialog.fileSelected.connect(self._on_path)
        self._dialog.finished.connect(self._on_dialog_finished)
        self._dialog.open()

    @Slot(str)
    def _on_path(self, path: str) -> None:
        if self._asking == "toolkit":
            self.toolkit_wanted.emit(Path(path))
            return
        if self._asking == "dataset":
            self._dataset = Path(path)
        else:
            self._lora = Path(path)
        self._show_paths()
        self.changed.emit()

    @Slot(int)
    def _on_dialog_finished(self, _result: int) -> None:
        if self._dialog is not None:
            self._dialog.deleteLater()
            self._dialog = None


def _box(name: str, accessible: str) -> QComboBox:
    made = QComboBox()
    made.setObjectName(name)
    made.setAccessibleName(accessible)
    made.setMinimumContentsLength(8)
    made.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    return made


def _caption(text: str) -> QWidget:
    made = label(text, "muted")
    made.setMinimumWidth(96)
    return made


def _form(*rows: tuple[str, QWidget]) -> QFormLayout:
    made = QFormLayout()
    made.setContentsMargins(0, 0, 0, 0)
    made.setHorizontalSpacing(12)
    made.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    for text, widget in rows:
        made.addRow(_caption(text), widget)
    return made


def _refill(box: QComboBox, entries: list[tuple[str, str]]) -> None:
    if [(box.itemText(place), box.itemData(place)) for place in range(box.count())] == entries:
        return
    chosen = box.currentData()
    blocker = QSignalBlocker(box)
    box.clear()
    for text, data in entries:
        box.addItem(text, data)
    box.setCurrentIndex(max(0, box.findData(chosen)) if entries else -1)
    blocker.unblock()
    if box.currentData() != chosen:
        box.currentIndexChanged.emit(box.currentIndex())
