"""The dialog behind a remedy: what it would do to the letter, or which runtime library it would copy."""

from PySide6.QtWidgets import QWidget

from core.boards.doctor.examination import Examination
from core.boards.doctor.remedies import Remedy, way_of
from gui.desk import Desk
from gui.dialogs.remedy import RemedyDialog
from gui.dialogs.runtime_library import LibraryDialog
from gui.text import tr


def button_words(remedy: Remedy) -> str:
    """What the button of a remedy says: short, the dialog behind it tells the rest."""
    return {
        "groups": tr("Add to the group ..."), "open_files": tr("Raise the limit ..."),
        "performance": tr("Full speed ..."), "library": tr("Copy a library ..."),
    }[remedy.id]  # fmt: skip


def remedy_dialog(
    desk: Desk, board: str, seen: Examination, remedy: Remedy, parent: QWidget
) -> RemedyDialog | LibraryDialog:
    """The dialog that carries a remedy out when the user says so; it is deleted when it is closed."""
    dialog: RemedyDialog | LibraryDialog
    if remedy.needs_file:
        wanted = remedy.facts.get("version")
        dialog = LibraryDialog(desk, board, seen, wanted if isinstance(wanted, str) else None, parent)
    else:
        dialog = RemedyDialog(desk, board, remedy, way_of(seen, as_root=remedy.as_root), parent)
    dialog.finished.connect(dialog.deleteLater)
    return dialog
