"""The dialog behind a remedy: what it would do to the letter, or which runtime library it would copy."""

from PySide6.QtWidgets import QWidget

from core.boards.doctor.applying import way_of
from core.boards.doctor.examination import Examination
from core.boards.doctor.fixes import Fix
from gui.desk import Desk
from gui.dialogs.remedy import RemedyDialog
from gui.dialogs.runtime_library import LibraryDialog
from gui.text import tr


def cure_words(fix: Fix) -> str:
    """What the button of a remedy says: short, the dialog behind it tells the rest."""
    return {
        "groups": tr("Add to the group ..."), "open_files": tr("Raise the limit ..."),
        "performance": tr("Full speed ..."), "library": tr("Copy a library ..."),
    }[fix.id]  # fmt: skip


def cure_dialog(
    desk: Desk, board: str, seen: Examination, fix: Fix, parent: QWidget
) -> RemedyDialog | LibraryDialog:
    """The dialog that carries a remedy out when the user says so; it is deleted when it is closed."""
    dialog: RemedyDialog | LibraryDialog
    if fix.needs_file:
        wanted = fix.facts.get("version")
        dialog = LibraryDialog(desk, board, seen, wanted if isinstance(wanted, str) else None, parent)
    else:
        dialog = RemedyDialog(desk, board, fix, way_of(seen, as_root=fix.as_root), parent)
    dialog.finished.connect(dialog.deleteLater)
    return dialog
