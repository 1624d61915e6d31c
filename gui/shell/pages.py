"""The window's pages, each built on its first visit without holding the event loop up."""

import importlib
from collections import deque
from collections.abc import Sequence

from PySide6.QtCore import QObject, QTimer, Signal, Slot
from PySide6.QtWidgets import QStackedWidget

from core.base.errors import RKDeckError
from gui.desk import Desk
from gui.pages.page import Page
from gui.shell.rail import PageEntry


class Pages(QObject):
    """Loads, builds and keeps the pages.

    A page's module (with pyqtgraph, numpy and what it needs of the core) takes up to half a second to load: that is
    another thread's work, and none of these modules makes an object of Qt while it is loaded. Building the page and
    styling it, which Qt does when it is put into the window, are each a turn of the event loop.

    Signals:
        built: the name (str) of a page that was begun and can be shown now.
        failed: RKDeckError of a page that was begun and cannot be loaded.
    """

    built = Signal(str)
    failed = Signal(object)

    def __init__(self, desk: Desk, stack: QStackedWidget, entries: Sequence[PageEntry]) -> None:
        super().__init__(stack)
        self._desk = desk
        self._stack = stack
        self._entries = {entry.name: entry for entry in entries}
        self._made: dict[str, Page] = {}
        self._begun: set[str] = set()
        self._loaded: deque[str] = deque()
        # A timer, not a queued signal: Qt delivers all of those in one turn, and input would wait for the last one.
        self._turn = QTimer(self)
        self._turn.setSingleShot(True)
        self._turn.setInterval(0)
        self._turn.timeout.connect(self._on_turn)

    def load(self) -> None:
        """Load all modules while nobody waits for them."""
        self._desk.bridge.run(_load, *(entry.module for entry in self._entries.values()))

    def all(self) -> list[Page]:
        """The pages in the window."""
        return [page for page in self._made.values() if self._is_placed(page)]

    def has(self, name: str) -> bool:
        """Whether a page is in the window already."""
        return name in self._made and self._is_placed(self._made[name])

    def name_of(self, page: Page | None) -> str | None:
        """What a page is called; None for none of these."""
        return next((name for name, made in self._made.items() if made is page), None)

    def get(self, name: str) -> Page:
        """A page, built now if need be: the loop stands still meanwhile."""
        if name not in self._made:
            self._make(name)
        made = self._made[name]
        if not self._is_placed(made):
            self._stack.addWidget(made)
        return made

    def begin(self, name: str) -> None:
        """Load and build a page; `built` or `failed` tells when that is done."""
        if name not in self._begun:
            self._begun.add(name)
            self._desk.bridge.run(
                _load, self._entries[name].module, done=self._on_loaded, failed=self._on_failed
            )

    def _on_loaded(self, module: str) -> None:
        self._loaded.extend(name for name in self._begun if self._entries[name].module == module)
        self._turn.start()

    def _on_failed(self, error: RKDeckError) -> None:
        self._begun.clear()
        self.failed.emit(error)

    @Slot()
    def _on_turn(self) -> None:
        """One step of the oldest page that is loaded: make it, put it into the window, tell of it."""
        name = self._loaded[0]
        if name not in self._made:
            self._make(name)
        elif not self.has(name):
            self.get(name)
        else:
            self._loaded.popleft()
            self._begun.discard(name)
            self.built.emit(name)
        if self._loaded:
            self._turn.start()

    def _make(self, name: str) -> None:
        # Without a parent: Qt would style each part of it anew whenever it is put into a layout.
        entry = self._entries[name]
        self._made[name] = getattr(importlib.import_module(entry.module), entry.cls)(self._desk)

    def _is_placed(self, page: Page) -> bool:
        return self._stack.indexOf(page) >= 0


def _load(*modules: str) -> str:
    """On a thread of the pool; returns the last one's name."""
    for name in modules:
        importlib.import_module(name)
    return modules[-1]
