"""The settings in use, and how they are changed."""

from dataclasses import replace
from typing import Any

from PySide6.QtCore import QObject, Signal

from core.base.settings import Settings
from core.services import Services
from core.usecases import preferences as use
from gui.bridge import Bridge


class SettingsKeeper(QObject):
    """Holds the settings; a change is in use at once and saved beside.

    Signals:
        changed: the new Settings.
    """

    changed = Signal(object)

    def __init__(self, services: Services, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self._bridge = bridge
        self.value: Settings = services.settings

    def change(self, **values: Any) -> None:  # noqa: ANN401  # members of Settings, checked by `replace`
        """Change some members."""
        new = replace(self.value, **values)
        if new != self.value:
            self.value = new
            self._services.settings = new
            self._bridge.run(use.keep_settings, self._services)
            self.changed.emit(new)
