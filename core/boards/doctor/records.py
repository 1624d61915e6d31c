"""A runtime library the user chose, as far as its bytes tell."""

from dataclasses import dataclass
from pathlib import Path

from core.base.errors import RefusedError
from core.base.names import printable

# e_machine of the ELF specification, and what `uname -m` says of boards with such a processor.
MACHINES = {183: frozenset({"aarch64"}), 40: frozenset({"armv7l", "armv8l"})}
MACHINE_NAMES = {183: "aarch64", 40: "armhf"}


@dataclass(frozen=True, slots=True)
class LibraryFile:
    """A librkllmrt.so the user chose.

    Attributes:
        machine: e_machine of its ELF header.
        release: the vendor's release with exactly these bytes, None when it is none RKDeck knows.
        text_version: the version its text names.
        sha256, blob: hexadecimal; blob is git's id.
    """

    path: Path
    size_bytes: int
    machine: int
    sha256: str
    blob: str
    release: str | None
    text_version: str | None

    @property
    def version(self) -> str | None:
        """The exact release, else what its text says."""
        return self.release or self.text_version

    @property
    def folder_name(self) -> str:
        """A folder's name that tells it from every other library."""
        if self.release is not None:
            return self.release
        return f"{self.text_version or 'unknown'}-{self.blob[:8]}"

    def check_machine(self, machine: str | None) -> None:
        """Whether a board's processor runs it.

        Args:
            machine: `uname -m` of the board; None is not known and not in the way.

        Raises:
            RefusedError: `doctor.library_for_other_cpu`.
        """
        if machine is not None and machine not in MACHINES[self.machine]:
            raise RefusedError(
                "doctor.library_for_other_cpu",
                file=printable(self.path.name),
                built=MACHINE_NAMES[self.machine],
                machine=machine,
            )
