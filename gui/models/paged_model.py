"""Search results that arrive page by page, fetched when the view comes to their end."""

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, Signal

from core.base.observable import ObservableList
from core.hub.records import ModelSummary
from gui.models.list_model import Column, RecordModel

Index = QModelIndex | QPersistentModelIndex


class ResultsModel(RecordModel[ModelSummary]):
    """Models found so far.

    Signals:
        more_wanted: the view has come to the end, and there is more.
    """

    more_wanted = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(ObservableList[ModelSummary](), (Column[ModelSummary]("", _repo),), parent)
        self.has_more = False

    def canFetchMore(self, parent: Index) -> bool:  # Qt's name
        """Whether there is another page."""
        return not parent.isValid() and self.has_more

    def fetchMore(self, parent: Index) -> None:  # Qt's name
        """Ask for it; its rows are inserted when they arrive."""
        if not parent.isValid() and self.has_more:
            self.has_more = False  # until the answer says so again
            self.more_wanted.emit()


def _repo(model: ModelSummary) -> str:
    return model.repo
