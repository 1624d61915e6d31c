"""The picker of the active board in the title area: what every "fits" speaks about."""

from PySide6.QtCore import QSize, Qt, Slot
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu, QToolButton, QWidget

from core.base.units import GIB
from gui.desk import Desk
from gui.feeds.active import Target
from gui.icons import icon
from gui.text import tr
from gui.widgets.plain import literal, menu_entry, set_tip


class BoardPicker(QToolButton):
    """Shows the active board with its memory; its menu has the user's boards and the catalogue."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._menu = QMenu(self)
        self._menu.aboutToShow.connect(self._fill_menu)
        self._group: QActionGroup | None = None
        self.setObjectName("boardPicker")
        self.setMenu(self._menu)
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setIconSize(QSize(18, 18))
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        set_tip(self, tr("The board that “fits” speaks about (Ctrl+B)"))
        self.setShortcut("Ctrl+B")
        desk.active.changed.connect(self._on_changed)
        self.retint()
        self._show(desk.active.target)

    def retint(self) -> None:
        """Tint the icon for the theme."""
        self.setIcon(icon("boards", "accent"))

    @Slot(object)
    def _on_changed(self, target: Target) -> None:
        self._show(target)

    def _show(self, target: Target) -> None:
        self.setText(f"{literal(target_text(target))}  ▾")
        self.setAccessibleName(tr("Active board: {board}", board=target_text(target)))

    @Slot()
    def _fill_menu(self) -> None:
        self._menu.clear()
        self._group = QActionGroup(self._menu)
        self._group.triggered.connect(self._on_triggered)
        choices = self._desk.active.choices()
        own = [target for target in choices if target.board is not None]
        for target in own:
            self._add(target)
        if own:
            self._menu.addSeparator()
        for target in choices:
            if target.board is None:
                self._add(target)

    def _add(self, target: Target) -> None:
        action = menu_entry(self._menu, target_text(target), target.key)
        action.setCheckable(True)
        action.setChecked(target.key == self._desk.active.target.key)
        assert self._group is not None
        self._group.addAction(action)

    @Slot(QAction)
    def _on_triggered(self, action: QAction) -> None:
        self._desk.active.choose(str(action.data()))


def target_text(target: Target) -> str:
    """A target in one line, such as `desk-board · RK3588, 15.6 GiB, 9.8 free`."""
    soc = target.platform.vendor_name
    if target.board is None:
        return tr("{soc}, {size} GiB (not connected)", soc=soc, size=target.nominal_gib)
    parts = [soc]
    if target.simulated:
        parts.append(tr("SIMULATED"))
    if target.ram_bytes is not None:
        parts.append(f"{target.ram_bytes / GIB:.1f} GiB")
    if target.now is not None:
        parts.append(tr("{size} free", size=f"{target.now.free_bytes / GIB:.1f}"))
    return f"{target.board} · {', '.join(parts)}"
