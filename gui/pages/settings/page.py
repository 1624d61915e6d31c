"""The Settings page: language, theme, Hub, defaults, toolkits, folders."""

from PySide6.QtCore import QUrl, Slot
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QApplication,
    QComboBox,
    QFormLayout,
    QFrame,
    QLineEdit,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from core.base.errors import RKDeckError
from core.base.units import MIB
from core.usecases.environment import EnvironmentFacts, check_hub, describe_environment
from core.vendor.platforms import context_limits, load_platforms
from core.words import languages
from gui.crash import about_text
from gui.desk import Desk
from gui.pages.page import Page
from gui.pages.settings.toolkits import ToolkitsPanel
from gui.text import tr, word_error
from gui.theme import DARK, LIGHT, SYSTEM
from gui.widgets.basic import button, card, label, row

_FIELD_PX = 320


class SettingsPage(Page):
    """What exists to be set; every change is in use at once."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(desk, parent)
        self._facts: EnvironmentFacts | None = None
        self.toolkits = ToolkitsPanel(desk)
        column = QVBoxLayout()
        column.setSpacing(14)
        for title, part in (
            (tr("Window"), self._window_part()),
            (tr("Hub"), self._hub_part()),
            (tr("Where nothing else is said"), self._defaults_part()),
            (tr("rkllm-toolkit"), self.toolkits),
            (tr("This installation"), self._about_part()),
        ):
            frame = card()
            inner = QVBoxLayout(frame)
            inner.setContentsMargins(16, 12, 16, 14)
            inner.addWidget(label(title, "heading"))
            inner.addWidget(part)
            column.addWidget(frame)
        column.addStretch(1)
        content = QWidget()
        content.setLayout(column)
        content.setMaximumWidth(820)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setWidget(content)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(area)

    def enter(self, payload: object) -> None:
        """Look at the installation and the toolkits again."""
        self.desk.bridge.run(describe_environment, self.desk.services, done=self._on_described)
        self.toolkits.refresh()

    def focus_first(self) -> None:
        """The language."""
        self.language.setFocus()

    def _window_part(self) -> QWidget:
        settings = self.desk.settings.value
        self.language = QComboBox()
        self.language.setObjectName("languageBox")
        self.language.addItem(tr("As the system"), "")
        for code, entry in languages().items():
            self.language.addItem(entry.name, code)
        self.language.setCurrentIndex(self.language.findData(settings.language))
        self.language.currentIndexChanged.connect(self._on_language)
        self.theme = QComboBox()
        self.theme.setObjectName("themeBox")
        for text, data in ((tr("As the system"), SYSTEM), (tr("Light"), LIGHT), (tr("Dark"), DARK)):
            self.theme.addItem(text, data)
        self.theme.setCurrentIndex(self.theme.findData(settings.theme))
        self.theme.currentIndexChanged.connect(self._on_theme)
        return _form((tr("Language"), self.language), (tr("Theme"), self.theme))

    def _hub_part(self) -> QWidget:
        self.endpoint = QLineEdit(self.desk.settings.value.hub_endpoint)
        self.endpoint.setObjectName("endpointField")
        self.endpoint.editingFinished.connect(self._on_endpoint)
        self.endpoint_problem = label(role="bad", wrap=True)
        self.endpoint_problem.hide()
        self.endpoint_note = label(tr("Used from the next start on."), "muted", wrap=True)
        self.token = label(wrap=True)
        return _form((tr("Address"), self.endpoint), ("", self._endpoint_words()), (tr("Token"), self.token))

    def _endpoint_words(self) -> QWidget:
        words = QWidget()
        layout = QVBoxLayout(words)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.endpoint_problem)
        layout.addWidget(self.endpoint_note)
        return words

    def _defaults_part(self) -> QWidget:
        settings, limits = self.desk.settings.value, context_limits()
        self.platform = QComboBox()
        self.platform.setObjectName("defaultPlatformBox")
        for platform in load_platforms().values():
            self.platform.addItem(platform.display_name, platform.name)
        self.platform.setCurrentIndex(self.platform.findData(settings.default_platform))
        self.platform.currentIndexChanged.connect(self._on_platform)
        self.context = QSpinBox()
        self.context.setObjectName("defaultContextBox")
        self.context.setRange(limits.min, limits.max)
        self.context.setSingleStep(limits.multiple)
        self.context.setSuffix(" " + tr("tokens"))
        self.context.setValue(settings.default_context)
        self.context.editingFinished.connect(self._on_context)
        self.keep = _spin("keepVersionsBox", 0, 99, settings.keep_deployments)
        self.keep.setSpecialValueText(tr("all"))
        self.keep.editingFinished.connect(self._on_keep)
        self.limit = _spin("uploadLimitBox", 0, 10_000, settings.upload_limit_bytes_per_s // MIB)
        self.limit.setSpecialValueText(tr("as fast as the line"))
        self.limit.setSuffix(" MiB/s")
        self.limit.editingFinished.connect(self._on_limit)
        return _form(
            (tr("Platform"), self.platform), (tr("Context"), self.context),
            (tr("Versions kept on a board"), self.keep), (tr("Sending to boards"), self.limit),
        )  # fmt: skip

    def _about_part(self) -> QWidget:
        self.home = label(selectable=True, wrap=True)
        self.keyring, self.versions = label(wrap=True), label(about_text(), selectable=True, wrap=True)
        open_home = button(tr("Open the folder"), icon_name="folder")
        open_home.clicked.connect(self._on_open_home)
        open_logs = button(tr("Open the logs"), icon_name="file")
        open_logs.clicked.connect(self._on_open_logs)
        copy = button(tr("Copy for a report"), icon_name="copy")
        copy.clicked.connect(self._on_copy)
        form = _form(
            (tr("Home folder"), self.home), (tr("Passwords"), self.keyring), (tr("Versions"), self.versions)
        )
        layout = form.layout()
        assert isinstance(layout, QFormLayout)
        layout.addRow("", row(open_home, open_logs, copy, None))
        return form

    def _on_described(self, facts: EnvironmentFacts) -> None:
        self._facts = facts
        self.home.setText(str(facts.home))
        self.endpoint.setPlaceholderText(facts.usual_hub)
        variable = facts.token_variable
        self.token.setText(
            {
                "none": tr(
                    "None found. Gated models need one in {variable} or in the file of the Hub's own tools.",
                    variable=variable,
                ),
                "environment": tr("Found in {variable}.", variable=variable),
                "file": tr("Found in the file of the Hub's own tools."),
            }[facts.token]
        )
        self.keyring.setText(
            tr("Kept in the system's keyring ({name}).", name=facts.keyring)
            if facts.keyring
            else tr("This computer has no keyring: passwords are kept until RKDeck is closed.")
        )

    @Slot(int)
    def _on_language(self, _index: int) -> None:
        self.desk.settings.change(language=self.language.currentData())

    @Slot(int)
    def _on_theme(self, _index: int) -> None:
        self.desk.settings.change(theme=self.theme.currentData())

    @Slot()
    def _on_endpoint(self) -> None:
        text = self.endpoint.text().strip()
        try:
            check_hub(text)
        except RKDeckError as error:
            self.endpoint_problem.setText(" ".join(word_error(error)))
            self.endpoint_problem.show()
            return
        self.endpoint_problem.hide()
        self.desk.settings.change(hub_endpoint=text)

    @Slot(int)
    def _on_platform(self, _index: int) -> None:
        self.desk.settings.change(default_platform=self.platform.currentData())

    @Slot()
    def _on_context(self) -> None:
        step = context_limits().multiple
        self.context.setValue(max(context_limits().min, self.context.value() // step * step))
        self.desk.settings.change(default_context=self.context.value())

    @Slot()
    def _on_keep(self) -> None:
        self.desk.settings.change(keep_deployments=self.keep.value())

    @Slot()
    def _on_limit(self) -> None:
        self.desk.settings.change(upload_limit_bytes_per_s=self.limit.value() * MIB)

    @Slot()
    def _on_open_home(self) -> None:
        if self._facts is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._facts.home)))

    @Slot()
    def _on_open_logs(self) -> None:
        if self._facts is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._facts.logs)))

    @Slot()
    def _on_copy(self) -> None:
        lines = [about_text()]
        if self._facts is not None:
            lines += [self._facts.system, f"home {self._facts.home}", f"hub {self._facts.hub}"]
        QApplication.clipboard().setText("\n".join(lines))


def _spin(name: str, low: int, high: int, value: int) -> QSpinBox:
    made = QSpinBox()
    made.setObjectName(name)
    made.setRange(low, high)
    made.setValue(value)
    made.setKeyboardTracking(False)
    return made


def _form(*rows: tuple[str, QWidget]) -> QWidget:
    made = QWidget()
    layout = QFormLayout(made)
    layout.setContentsMargins(0, 4, 0, 0)
    layout.setHorizontalSpacing(18)
    layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    for text, widget in rows:
        if isinstance(widget, QComboBox | QLineEdit | QSpinBox):
            widget.setMaximumWidth(_FIELD_PX)
            widget.setAccessibleName(text)
        caption = label(text, "muted")
        caption.setMinimumWidth(120)
        layout.addRow(caption, widget)
    return made
