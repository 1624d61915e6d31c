"""The recipe's expert options: folded away until they are asked for, or in use."""

from dataclasses import replace

from PySide6.QtCore import QSignalBlocker, Qt, Signal, Slot
from PySide6.QtWidgets import QComboBox, QDoubleSpinBox, QFileDialog, QToolButton, QVBoxLayout, QWidget

from core.convert.recipe import Recipe
from core.vendor.levels import algorithms
from gui.pages.convert.fields import PathField, QuietWheel, box, form
from gui.text import tr

_LOAD_DTYPES = ("float32", "bfloat16", "float16")


class ExpertOptions(QWidget):
    """A button that unfolds the fields.

    Signals:
        changed: something was chosen.
    """

    changed = Signal()

    def __init__(self, wheel: QuietWheel) -> None:
        super().__init__()
        self._make_fields(wheel)
        self.toggle = QToolButton()
        self.toggle.setObjectName("expertToggle")
        self.toggle.setText(tr("Expert options"))
        self.toggle.setCheckable(True)
        self.toggle.setArrowType(Qt.ArrowType.RightArrow)
        self.toggle.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.toggle.toggled.connect(self._on_toggled)
        self._fields = QWidget()
        self._fields.setLayout(
            form(
                (tr("Algorithm"), self.algorithm), (tr("Optimization"), self.optimization),
                (tr("Hybrid rate"), self.hybrid), (tr("Device"), self.device),
                (tr("Load weights as"), self.load_dtype), (tr("LoRA adapter"), self.lora),
            )
        )  # fmt: skip
        self._fields.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.toggle)
        layout.addWidget(self._fields)

    def _make_fields(self, wheel: QuietWheel) -> None:
        self.algorithm = box("algorithmBox", tr("Algorithm"))
        for name in algorithms():
            self.algorithm.addItem(name, name)
        self.optimization = box("optimizationBox", tr("Optimization"))
        self.optimization.addItem(tr("1: better accuracy"), 1)
        self.optimization.addItem(tr("0: faster on the board"), 0)
        self.hybrid = QDoubleSpinBox()
        self.hybrid.setObjectName("hybridBox")
        self.hybrid.setRange(0.0, 0.99)
        self.hybrid.setSingleStep(0.05)
        self.hybrid.setAccessibleName(tr("Hybrid rate"))
        self.device = box("deviceBox", tr("Device"))
        self.device.addItem(tr("CPU"), "cpu")
        self.device.addItem(tr("NVIDIA GPU (CUDA)"), "cuda")
        self.load_dtype = box("loadDtypeBox", tr("Load weights as"))
        for name in _LOAD_DTYPES:
            self.load_dtype.addItem(name, name)
        self.lora = PathField("loraButton", tr("LoRA adapter"), QFileDialog.FileMode.Directory)
        for field in (*self._boxes(), self.hybrid):
            wheel.calm(field)
        for made in self._boxes():
            made.currentIndexChanged.connect(self._on_changed)
        self.hybrid.valueChanged.connect(self._on_changed)
        self.lora.changed.connect(self.changed)

    def _boxes(self) -> tuple[QComboBox, ...]:
        return self.algorithm, self.optimization, self.device, self.load_dtype

    def fill(self, recipe: Recipe) -> Recipe:
        """The recipe with these options."""
        return replace(
            recipe,
            algorithm=str(self.algorithm.currentData()),
            optimization=int(self.optimization.currentData()),
            hybrid_rate=round(self.hybrid.value(), 2),
            device=str(self.device.currentData()),
            load_dtype=str(self.load_dtype.currentData()),
            lora=self.lora.path,
        )

    def show_recipe(self, recipe: Recipe) -> None:
        """Set the fields without telling of it."""
        blocked = [QSignalBlocker(field) for field in (*self._boxes(), self.hybrid)]
        values = recipe.algorithm, recipe.optimization, recipe.device, recipe.load_dtype
        for made, value in zip(self._boxes(), values, strict=True):
            made.setCurrentIndex(max(0, made.findData(value)))
        self.hybrid.setValue(recipe.hybrid_rate)
        self.lora.show_path(recipe.lora)
        for blocker in blocked:
            blocker.unblock()

    @Slot(int)
    @Slot(float)
    def _on_changed(self, _value: object = None) -> None:
        self.changed.emit()

    @Slot(bool)
    def _on_toggled(self, shown: bool) -> None:  # Qt's signal
        self._fields.setVisible(shown)
        self.toggle.setArrowType(Qt.ArrowType.DownArrow if shown else Qt.ArrowType.RightArrow)
