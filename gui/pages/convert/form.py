"""The recipe's fields: the main ones at once, the expert ones when they are asked for."""

from dataclasses import replace

from PySide6.QtCore import QSignalBlocker, Signal, Slot
from PySide6.QtGui import QStandardItemModel
from PySide6.QtWidgets import QFileDialog, QSpinBox, QVBoxLayout, QWidget

from core.base.names import printable
from core.convert.recipe import Recipe
from core.library.records import LibraryItem
from core.vendor.levels import load_levels
from core.vendor.platforms import context_limits, get_platform, load_platforms
from gui.desk import Desk
from gui.feeds.active import Target
from gui.pages.convert.checker import Order
from gui.pages.convert.expert import ExpertOptions
from gui.pages.convert.fields import PathField, QuietWheel, box, form, refill
from gui.pages.convert.toolkits import ToolkitField
from gui.phrases import note_text
from gui.text import tr
from gui.widgets.plain import set_tip
from gui.widgets.scrolled import Column


class RecipeForm(Column):
    """Fields that make a recipe.

    Signals:
        changed: something was chosen.
    """

    changed = Signal()

    def __init__(self, desk: Desk, recipe: Recipe, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._wheel = QuietWheel(self)
        self._platform_was_chosen = False
        self._make_fields()
        self.toolkit = ToolkitField(desk, self._wheel)
        self.expert = ExpertOptions(self._wheel)
        fields = form(
            (tr("Model"), self.source), (tr("Platform"), self.platform), (tr("Level"), self.dtype),
            (tr("Context"), self.context), (tr("NPU cores"), self.cores), (tr("Calibration data"), self.dataset),
            (tr("Toolkit"), self.toolkit),
        )  # fmt: skip
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 6, 0)
        layout.addLayout(fields)
        layout.addWidget(self.expert)
        layout.addStretch(1)
        self.show_recipe(recipe)
        self._connect()

    def _make_fields(self) -> None:
        self.source = box("sourceBox", tr("Model"))
        self.platform = box("platformBox", tr("Platform"))
        for platform in load_platforms().values():
            self.platform.addItem(platform.display_name, platform.name)
        self.dtype = box("dtypeBox", tr("Level"))
        self.context = QSpinBox()
        self.context.setObjectName("contextBox")
        limits = context_limits()
        self.context.setRange(limits.min, limits.max)
        self.context.setSingleStep(limits.multiple)
        self.context.setSuffix(" " + tr("tokens"))
        self.context.setAccessibleName(tr("Context"))
        self.cores = box("coresBox", tr("NPU cores"))
        self.dataset = PathField(
            "datasetButton", tr("Calibration data (JSON)"), QFileDialog.FileMode.ExistingFile, "JSON (*.json)"
        )  # fmt: skip
        for field in (self.source, self.platform, self.dtype, self.context, self.cores):
            self._wheel.calm(field)

    def _connect(self) -> None:
        for made in (self.source, self.dtype, self.cores):
            made.currentIndexChanged.connect(self._on_changed)
        self.platform.currentIndexChanged.connect(self._on_platform)
        self.platform.activated.connect(self._on_platform_chosen)
        self.context.valueChanged.connect(self._on_changed)
        for part in (self.dataset, self.toolkit, self.expert):
            part.changed.connect(self.changed)

    @property
    def order(self) -> Order | None:
        """What the fields say; None while there is no model to convert."""
        item_id = self.source.currentData()
        return Order(item_id, self.recipe(), self.toolkit.python) if isinstance(item_id, str) else None

    def recipe(self) -> Recipe:
        """The recipe the fields make."""
        made = Recipe(
            platform=str(self.platform.currentData()),
            dtype=str(self.dtype.currentData()),
            context=self.context.value(),
            cores=self.cores.currentData(),
            dataset=self.dataset.path,
        )
        return self.expert.fill(made)

    def show_recipe(self, recipe: Recipe) -> None:
        """Set the fields; a recipe that mends a problem comes in here."""
        blocked = [QSignalBlocker(field) for field in (self.platform, self.dtype, self.context, self.cores)]
        self.platform.setCurrentIndex(self.platform.findData(recipe.platform))
        self._fill_levels(recipe.dtype)
        self._fill_cores(recipe.cores)
        self.context.setValue(recipe.context)
        self.dataset.show_path(recipe.dataset)
        self.expert.show_recipe(recipe)
        for blocker in blocked:
            blocker.unblock()
        self.changed.emit()

    def show_sources(self, items: list[LibraryItem]) -> None:
        """Offer these source models; the chosen one stays chosen."""
        entries = [(printable(item.repo or item.title, 80), item.id) for item in items]
        self.source.setEnabled(bool(entries))
        if refill(self.source, entries):
            self.changed.emit()

    def choose_source(self, item_id: str) -> bool:
        """Choose a source model; returns whether it is offered."""
        place = self.source.findData(item_id)
        if place >= 0:
            self.source.setCurrentIndex(place)
        return place >= 0

    def follow(self, target: Target) -> None:
        """Convert for the active board, until another platform was chosen here."""
        for place in range(self.platform.count()):
            platform = get_platform(self.platform.itemData(place))
            mine = target.board is not None and platform.name == target.platform.name
            name = f"{platform.display_name}  ·  {printable(target.board or '', 40)}"
            self.platform.setItemText(place, name if mine else platform.display_name)
        if not self._platform_was_chosen and target.platform.name != self.platform.currentData():
            self.platform.setCurrentIndex(self.platform.findData(target.platform.name))

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
            text = level.name if offered else tr("{level}  (refused)", level=level.name)
            self.dtype.addItem(text, level.name)
            entry = model.item(self.dtype.count() - 1)
            entry.setEnabled(offered)
            if not offered:
                reason = platform.refusals.get(level.name)
                set_tip(entry, tr("not offered for this platform") if reason is None else note_text(reason))
        place = self.dtype.findData(wanted)
        if place < 0 or not model.item(place).isEnabled():
            place = self.dtype.findData(platform.usual_level.name)
        self.dtype.setCurrentIndex(place)

    def _fill_cores(self, wanted: int | None) -> None:
        most = get_platform(str(self.platform.currentData())).npu_cores_max
        self.cores.clear()
        self.cores.addItem(tr("all {n}", n=most), None)
        for number in range(most - 1, 0, -1):
            self.cores.addItem(str(number), number)
        place = next((row for row in range(self.cores.count()) if self.cores.itemData(row) == wanted), 0)
        self.cores.setCurrentIndex(place)

    @Slot(int)
    def _on_platform(self, _place: int) -> None:
        self.show_recipe(replace(self.recipe(), cores=None))

    @Slot(int)
    def _on_platform_chosen(self, _place: int) -> None:
        self._platform_was_chosen = True

    @Slot(int)
    def _on_changed(self, _value: object = None) -> None:
        self.changed.emit()
