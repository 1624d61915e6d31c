"""One model of the library: where it came from, how it was made, and what can be done with it."""

from PySide6.QtCore import QUrl, Signal, Slot
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QFormLayout, QFrame, QHBoxLayout, QMenu, QScrollArea, QVBoxLayout, QWidget

from core.base.errors import JsonValue, RKDeckError
from core.base.names import printable
from core.base.units import format_bytes
from core.library.library import LibraryItem
from core.usecases import library as use
from gui.bridge import Task
from gui.desk import Desk
from gui.pages.library.columns import kind_text, level_text, platform_text, title_text
from gui.text import language, tr, trn
from gui.widgets.basic import button, clear_layout, label, line, row
from gui.wording import word_error
from gui.words import ago_text

_MOST_FILES = 40


class LibraryDetail(QWidget):
    """Shows the selected item.

    Signals:
        removal_wanted: the LibraryItem to remove.
        deployment_wanted: a tuple (LibraryItem, name of a board).
    """

    removal_wanted = Signal(object)
    deployment_wanted = Signal(object)

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._item: LibraryItem | None = None
        self._task: Task | None = None
        self.title = label(role="heading", wrap=True, selectable=True)
        self.convert = button(tr("Convert"), "primary", "convert")
        self.convert.setObjectName("convertItemButton")
        self.convert.clicked.connect(self._on_convert)
        self.deploy = button(tr("Deploy"), "primary", "upload")
        self.deploy.setObjectName("deployItemButton")
        self._boards = QMenu(self)
        self._boards.aboutToShow.connect(self._fill_boards)
        self._boards.triggered.connect(self._on_board)
        self.deploy.setMenu(self._boards)
        self.verify = button(
            tr("Verify"), icon_name="check", tip=tr("Compare sizes and checksums with what was stored")
        )
        self.verify.clicked.connect(self._on_verify)
        self.folder = button(tr("Open the folder"), icon_name="folder")
        self.folder.clicked.connect(self._on_folder)
        self.remove = button(tr("Remove"), "danger", "trash")
        self.remove.setObjectName("removeItemButton")
        self.remove.clicked.connect(self._on_remove)
        self.message = label(wrap=True, selectable=True)
        self._facts = QFormLayout()
        self._facts.setHorizontalSpacing(16)
        content = QWidget()
        inner = QVBoxLayout(content)
        inner.setContentsMargins(0, 0, 6, 0)
        inner.addLayout(self._facts)
        inner.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setWidget(content)
        second = QHBoxLayout()
        for made in (self.verify, self.folder, self.remove):
            second.addWidget(made)
        second.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.title)
        layout.addLayout(row(self.convert, self.deploy, None))
        layout.addLayout(second)
        layout.addWidget(self.message)
        layout.addWidget(line())
        layout.addWidget(area, 1)
        self.show_item(None)

    @property
    def item(self) -> LibraryItem | None:
        """The item that is shown."""
        return self._item

    def show_item(self, item: LibraryItem | None) -> None:
        """Show an item; None asks to select one."""
        if self._task is not None:
            self._task.drop()
            self._task = None
        changed = item is None or self._item is None or item.id != self._item.id
        self._item = item
        for made in (self.convert, self.deploy, self.verify, self.folder, self.remove):
            made.setVisible(item is not None)
        if changed:
            self.message.setText("")
        self.message.setVisible(bool(self.message.text()))
        clear_layout(self._facts)
        if item is None:
            self.title.setText(tr("Select a model to see where it came from and what can be done with it."))
            return
        self.title.setText(title_text(item))
        self.convert.setVisible(item.kind == "source")
        self.deploy.setVisible(item.kind == "rkllm")
        self.verify.setEnabled(True)
        for caption, text in _facts(item):
            value = label(text, wrap=True, selectable=True)
            self._facts.addRow(label(caption, "muted"), value)

    @Slot()
    def _on_convert(self) -> None:
        if self._item is not None:
            self._desk.go("convert", self._item.id)

    @Slot()
    def _fill_boards(self) -> None:
        self._boards.clear()
        for view in self._desk.boards.views:
            self._boards.addAction(view.name)
        if not len(self._desk.boards.views):
            self._boards.addAction(tr("Add a board first")).setData("")

    @Slot(object)
    def _on_board(self, action: object) -> None:
        data, text = action.data(), action.text()  # type: ignore[attr-defined]  # a QAction
        if data == "":
            self._desk.go("boards")
        elif self._item is not None:
            self.deployment_wanted.emit((self._item, text))

    @Slot()
    def _on_verify(self) -> None:
        if self._item is None:
            return
        self.verify.setEnabled(False)
        self._say(tr("Comparing checksums ..."))
        self._task = self._desk.bridge.run(
            use.verify_item,
            self._desk.services,
            self._item.id,
            done=self._on_verified,
            failed=self._on_failed,
        )

    def _on_verified(self, wrong: tuple[RKDeckError, ...]) -> None:
        self.verify.setEnabled(True)
        if wrong:
            self._say("\n".join(" ".join(word_error(error, language())) for error in wrong[:10]))
        else:
            unknown = self._item is not None and any(file.sha256 is None for file in self._item.files)
            self._say(
                tr("Sizes are right; no checksums are known.")
                if unknown
                else tr("Everything is as it was stored.")
            )

    def _on_failed(self, error: RKDeckError) -> None:
        self.verify.setEnabled(True)
        self._say(" ".join(word_error(error, language())))

    def _say(self, text: str) -> None:
        self.message.setText(text)
        self.message.setVisible(bool(text))

    @Slot()
    def _on_folder(self) -> None:
        if self._item is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._item.folder)))

    @Slot()
    def _on_remove(self) -> None:
        if self._item is not None:
            self.removal_wanted.emit(self._item)

    def copy_path(self) -> None:
        """Put the item's path on the clipboard."""
        if self._item is not None:
            QGuiApplication.clipboard().setText(str(self._item.path))


def _facts(item: LibraryItem) -> list[tuple[str, str]]:
    found = [
        (tr("Kind"), kind_text(item)),
        (tr("Size"), format_bytes(item.size_bytes)),
        (tr("Added"), ago_text(item.created_unix_s)),
    ]
    if item.kind == "rkllm":
        found += [(tr("Level"), level_text(item)), (tr("Platform"), platform_text(item))]
    if item.repo:
        found.append((tr("From"), printable(item.repo, 120)))
    if item.revision:
        found.append((tr("Revision"), printable(item.revision, 60)))
    found += _made(item.provenance)
    found.append((tr("Path"), printable(str(item.path), 500)))
    digests = [file.sha256 for file in item.files if file.sha256]
    if item.kind == "rkllm" and digests:
        found.append(("sha256", digests[0]))
    if item.kind == "source":
        names = [
            f"{printable(file.name, 80)}  {format_bytes(file.size_bytes)}"
            for file in item.files[:_MOST_FILES]
        ]
        if len(item.files) > _MOST_FILES:
            names.append(tr("… and {n} more", n=len(item.files) - _MOST_FILES))
        found.append((trn("{n} file", "{n} files", len(item.files)), "\n".join(names)))
    return found


def _made(provenance: dict[str, JsonValue]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    toolkit, recipe = provenance.get("toolkit"), provenance.get("recipe")
    if isinstance(toolkit, dict):
        text = f"rkllm-toolkit {toolkit.get('version')}"
        found.append(
            (tr("Made by"), f"{text} ({tr('SIMULATED')})" if toolkit.get("simulated") is True else text)
        )
    if isinstance(recipe, dict):
        shown = [f"{key} {value}" for key, value in recipe.items() if value not in (None, "", 0.0)]
        found.append((tr("Recipe"), printable(", ".join(shown), 500)))
    ram = provenance.get("ram_bytes")
    if isinstance(ram, int) and not isinstance(ram, bool):
        found.append((tr("Memory on a board"), tr("{size} (estimate)", size=format_bytes(ram))))
    return found
