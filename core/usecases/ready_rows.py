"""A repository's ready-made files as rows: each model once, whatever its parts, with what is known of it so far."""

import re
from dataclasses import dataclass
from functools import cache

from core.base.errors import RKDeckError
from core.hub.records import ModelDetail, RepoFile
from core.model.inspect import Inspection, fields_of_name
from core.model.need import ServedNeed
from core.model.parts import join_parts
from core.vendor.gguf_types import file_types
from core.vendor.kinds import ModelKind, kind_of_name


@dataclass(frozen=True, slots=True)
class ReadyRow:
    """One model.

    Attributes:
        name: to show: the path without what numbers the parts.
        kind: of its files, as their names say.
        files: its parts that are there, in order.
        missing: names of parts that are not there.
        inspection: what the header says, of all parts together; None where it was not read.
        need: on a board, as far as that is known.
        problem: why the header could not be read.
    """

    name: str
    kind: ModelKind
    files: tuple[RepoFile, ...]
    missing: tuple[str, ...] = ()
    inspection: Inspection | None = None
    need: ServedNeed | None = None
    problem: RKDeckError | None = None

    @property
    def first(self) -> RepoFile:
        """The file that tells what the model is."""
        return self.files[0]

    @property
    def size_bytes(self) -> int:
        """All parts that are there."""
        return sum(file.size_bytes for file in self.files)

    @property
    def is_model(self) -> bool:
        """Whether a runtime could load it, as its header says."""
        return self.inspection is not None and self.inspection.is_model and not self.missing

    @property
    def role(self) -> str | None:
        """What it is for, where the header says: `model`, `mmproj`, ..."""
        return self.inspection.role if self.inspection is not None else None

    @property
    def is_beside(self) -> bool:
        """Whether it is a part for a model, and none: for pictures, say; by its name until its header was read."""
        return self.role not in {None, "model"} or (
            self.inspection is None and self.name.rpartition("/")[2].lower().startswith("mmproj")
        )

    @property
    def is_bound(self) -> bool:
        """Whether it is for one SoC only."""
        return "platform" in self.kind.rules

    @property
    def level(self) -> str | None:
        """How its weights are quantized: by the header, else as its name claims (`level_claimed`)."""
        read = self.inspection.dtype if self.inspection is not None else None
        return read if read is not None else _claimed_level(self.name)

    @property
    def level_claimed(self) -> bool:
        """Whether only the name says it."""
        return self.inspection is None or self.inspection.dtype is None

    @property
    def platform(self) -> str | None:
        """The SoC it is for; None for any, and where neither header nor name says."""
        read = self.inspection.platform if self.inspection is not None else None
        claimed = fields_of_name(self.name).get("platform")
        return read or (str(claimed) if claimed else None)


def ready_rows(detail: ModelDetail) -> tuple[ReadyRow, ...]:
    """The ready-made models of a repository, as their names tell: nothing is read."""
    files = {file.path: file for file in detail.files if kind_of_name(file.path) is not None}
    rows = []
    for model in join_parts(files):
        kind = kind_of_name(model.first)
        if kind is not None:
            parts = tuple(files[path] for path in model.paths)
            rows.append(ReadyRow(model.name, kind, parts, model.missing))
    return tuple(rows)


def _claimed_level(name: str) -> str | None:
    claimed = fields_of_name(name).get("dtype")
    if claimed is not None:
        return str(claimed)
    found = _file_type_in_name().search(name)
    return found[1].lower() if found else None


@cache
def _file_type_in_name() -> re.Pattern[str]:
    # The longest first, so that q4_k does not hide q4_k_m.
    names = sorted(file_types().values(), key=len, reverse=True)
    return re.compile(rf"(?<![A-Za-z0-9])({'|'.join(map(re.escape, names))})(?![A-Za-z0-9])", re.IGNORECASE)
