"""Which runtime library a board gets: a release, from this computer or Rockchip's repository, or the user's file."""

from pathlib import Path

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QProgressBar,
    QVBoxLayout,
    QWidget,
)

from core.base.errors import CancelledError, RKDeckError
from core.base.names import printable
from core.base.tasks import CancelToken
from core.base.units import format_bytes
from core.boards.doctor.examination import Examination
from core.boards.doctor.records import LibraryFile
from core.boards.doctor.remedies import Remedy
from core.usecases import doctor as use
from core.usecases.doctor import LibraryOffer
from gui.bridge import Task
from gui.desk import Desk
from gui.dialogs.remedy import tell_broken_off
from gui.text import tr, word_error
from gui.widgets.basic import button, label, row
from gui.widgets.elided import breakable
from gui.widgets.plain import PlainButton, set_title


class LibraryDialog(QDialog):
    """Chooses, fetches where that is needed, and sends.

    Args:
        wanted: the toolkit version of the file that is to run; None: any.

    Signals:
        done_well: the Fix that was carried out.
    """

    done_well = Signal(object)

    def __init__(
        self, desk: Desk, board: str, seen: Examination, wanted: str | None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("libraryDialog")
        set_title(self, tr("A runtime library for {board}", board=printable(board, 60)))
        self._desk, self._board, self._seen = desk, board, seen
        self._offers: tuple[LibraryOffer, ...] = ()
        self._own: Path | None = None
        self._task: Task | None = None
        self._sending = False
        self._files: QFileDialog | None = None
        self.about = label(
            tr(
                "librkllmrt.so is Rockchip's program library that runs models; it must be as new as the toolkit that"
                " made them. RKDeck puts it beside the models, where nothing else on the board is touched."
            ),
            wrap=True,
        )
        self.releases = QComboBox()
        self.releases.setObjectName("libraryReleases")
        self.releases.setAccessibleName(tr("Release"))
        self.releases.currentIndexChanged.connect(self._on_chosen)
        self.choose = button(tr("Choose a file ..."), icon_name="folder")
        self.choose.setObjectName("chooseLibrary")
        self.choose.clicked.connect(self._on_choose)
        self.source = label(role="muted", wrap=True, selectable=True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(tr("Progress"))
        self.bar.hide()
        self.problem = label(role="problem", wrap=True, selectable=True)
        self.problem.hide()
        buttons = QDialogButtonBox()
        self.send = PlainButton(tr("Copy it to the board"))
        self.send.setObjectName("sendLibrary")
        self.send.setEnabled(False)
        self.leave = PlainButton(tr("Leave it"))
        buttons.addButton(self.send, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.addButton(self.leave, QDialogButtonBox.ButtonRole.RejectRole)
        self.leave.setDefault(True)
        self.send.clicked.connect(self._on_send)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setSpacing(10)
        layout.addWidget(self.about)
        chooser = row(self.releases, self.choose)
        chooser.setStretch(0, 1)
        layout.addLayout(chooser)
        for widget in (self.source, self.bar, self.problem, buttons):
            layout.addWidget(widget)
        self.setMinimumWidth(600)
        desk.bridge.run(
            use.offer_libraries, desk.services, seen, wanted, done=self._on_offers, failed=self._on_failed
        )

    def _on_offers(self, offers: tuple[LibraryOffer, ...]) -> None:
        own = self._own
        self._offers = offers
        self.releases.clear()
        for offer in offers:
            text = f"{offer.release.version}  ({offer.release.released})"
            marks = [tr("on this computer")] if offer.kept else []
            if offer.proposed:
                marks.append(tr("matches"))
            self.releases.addItem(" · ".join([text, *marks]), offer.release.version)
        chosen = next((place for place, offer in enumerate(offers) if offer.proposed), -1)
        self.releases.setCurrentIndex(chosen)
        self.releases.setEnabled(bool(offers))
        self._on_chosen(chosen)
        if own is not None:  # chosen while the list was made
            self._on_file(str(own))

    @Slot(int)
    def _on_chosen(self, place: int) -> None:
        self._own = None
        if 0 <= place < len(self._offers):
            offer = self._offers[place]
            where = (
                tr("It is on this computer already.")
                if offer.kept
                else tr("It is fetched from {url} first, and taken only when it is exactly Rockchip's file.",
                        url=offer.release.url)
            )  # fmt: skip
            self.source.setText(breakable(f"{where} {tr('Licence: {url}', url=offer.release.licence_url)}"))
        elif self._offers:
            self.source.setText(tr("No release RKDeck knows is new enough: choose the file of a newer one."))
        else:
            self.source.setText(tr("Rockchip publishes none for this board's processor; choose a file."))
        self.send.setEnabled(0 <= place < len(self._offers))

    @Slot()
    def _on_choose(self) -> None:
        self._files = QFileDialog(self, tr("A runtime library"))
        self._files.setFileMode(QFileDialog.FileMode.ExistingFile)
        self._files.setNameFilter("librkllmrt.so (*.so)")
        self._files.fileSelected.connect(self._on_file)
        self._files.finished.connect(self._on_files_finished)
        self._files.open()

    @Slot(str)
    def _on_file(self, path: str) -> None:
        self._own = Path(path)
        self.problem.hide()
        self.source.setText(breakable(printable(path, limit=300)))
        self.send.setEnabled(True)

    @Slot(int)
    def _on_files_finished(self, _result: int) -> None:
        if self._files is not None:
            self._files.deleteLater()
            self._files = None

    @Slot()
    def _on_send(self) -> None:
        self._work()
        services = self._desk.services
        if self._own is not None:
            self._task = self._desk.bridge.run(
                use.take_library, services, self._own, self._seen, done=self._on_ready, failed=self._on_failed
            )
        else:
            release = self._offers[self.releases.currentIndex()].release
            self._task = self._desk.bridge.run(
                use.get_library, services, release, cancel=CancelToken(),
                on_progress=_Progress(self._desk, self), done=self._on_ready, failed=self._on_failed,
            )  # fmt: skip

    def _work(self) -> None:
        self.problem.hide()
        self.bar.setRange(0, 0)
        self.bar.show()
        for widget in (self.send, self.choose, self.releases):
            widget.setEnabled(False)

    def show_progress(self, moved: tuple[int, int | None]) -> None:
        """How much of the library has come."""
        done, total = moved
        if total:
            self.bar.setRange(0, 1000)
            self.bar.setValue(round(1000 * done / total))
        self.source.setText(tr("{size} fetched", size=format_bytes(done)))

    def _on_ready(self, library: LibraryFile) -> None:
        self._sending = True
        self.source.setText(tr("Sending it to the board ..."))
        self.bar.setRange(0, 0)
        self._task = self._desk.bridge.run(
            use.send_library, self._desk.services, self._board, library, cancel=CancelToken(),
            done=self._on_sent, failed=self._on_failed,
        )  # fmt: skip

    def _on_sent(self, remedy: Remedy) -> None:
        self.done_well.emit(remedy)
        self.accept()

    def _on_failed(self, error: RKDeckError) -> None:
        self._task = None
        if isinstance(error, CancelledError):
            tell_broken_off(self._desk, self._board)
            super().reject()
            return
        self._sending = False
        self.bar.hide()
        self.send.setEnabled(self._own is not None or self.releases.currentIndex() >= 0)
        self.choose.setEnabled(True)
        self.releases.setEnabled(bool(self._offers))
        self.problem.setText(breakable(" ".join(word_error(error))))
        self.problem.show()

    def reject(self) -> None:
        """Leaving ends what is under way; of what is being sent it waits for how that ended."""
        if self._task is not None and self._sending:
            self.leave.setEnabled(False)
            self._task.cancel()
            return
        if self._task is not None:
            self._task.drop()
        super().reject()


class _Progress:
    """Hears of bytes on another thread and tells the dialog on its own."""

    def __init__(self, desk: Desk, dialog: LibraryDialog) -> None:
        self._sink = desk.bridge.sink(dialog.show_progress, key=_one)

    def __call__(self, done: int, total: int | None) -> None:
        self._sink((done, total))


def _one(_moved: tuple[int, int | None]) -> str:
    return "progress"
