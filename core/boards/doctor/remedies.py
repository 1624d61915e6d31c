"""What RKDeck can change on a board when the user says so: the exact commands, and those that take them back.

Nothing here runs anything: the commands are shown first (`core.boards.doctor.applying` runs them).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from core.base.errors import JsonValue, RKDeckError
from core.boards.doctor.examination import Clock, Examination
from core.programs.table import RUNTIME_LIBRARY
from core.remote.quoting import remote_command, write_line
from core.vendor.board_limits import board_limits

RemedyId = Literal["groups", "open_files", "performance", "library"]
Way = Literal["direct", "sudo", "sudo_password", "impossible"]
LIMITS_FILE = "/etc/security/limits.d/90-rkdeck.conf"
FULL_SPEED = "performance"


@dataclass(frozen=True, slots=True)
class Remedy:
    """One remedy.

    Attributes:
        id: which one.
        commands: lines of sh, run in this order, up to the first that fails.
        undo: lines that take them back.
        as_root: whether the account cannot do it itself.
        needs_file: the user chooses a file first (a runtime library); the commands are made from it.
        facts: what fills its title.
    """

    id: RemedyId
    commands: tuple[str, ...]
    undo: tuple[str, ...]
    as_root: bool
    needs_file: bool = False
    facts: dict[str, JsonValue] = field(default_factory=dict)

    @property
    def statement(self) -> RKDeckError:
        """What the wording of errors takes: its title is the message, what it does in detail the hint."""
        return RKDeckError(f"doctor.fix_{self.id}", hint=None, **self.facts)

    def to_json(self) -> dict[str, JsonValue]:
        """The document of `rkdeck doctor --json`."""
        return {
            "id": self.id,
            "commands": list(self.commands),
            "undo": list(self.undo),
            "as_root": self.as_root,
            "needs_file": self.needs_file,
        }


def join_groups(seen: Examination, groups: Iterable[str]) -> Remedy | None:
    """Add the account to groups; it counts from the next login on."""
    user = seen.facts.user
    wanted = sorted(set(groups) & seen.groups)
    if user is None or not wanted:
        return None
    return Remedy(
        id="groups",
        commands=(remote_command(["usermod", "-a", "-G", ",".join(wanted), user]),),
        undo=tuple(remote_command(["gpasswd", "-d", user, group]) for group in wanted),
        as_root=not seen.is_root,
        facts={"user": user, "groups": ", ".join(wanted)},
    )


def raise_open_files(seen: Examination) -> Remedy | None:
    """Let the account open more files, for good; it counts from the next login on (pam_limits)."""
    user = seen.facts.user
    if user is None or not user.isprintable() or any(character.isspace() for character in user):
        return None
    wanted = board_limits().open_files
    path = seen.sysroot + LIMITS_FILE
    return Remedy(
        id="open_files",
        commands=(write_line(f"{user} - nofile {wanted}", path),),
        undo=(remote_command(["rm", "-f", path]),),
        as_root=not seen.is_root,
        facts={"user": user, "wanted": wanted},
    )


def full_speed(seen: Examination) -> Remedy | None:
    """Let the clocks of NPU, CPU and memory stand at their highest until the board restarts."""
    clocks = [clock for clock in seen.clocks if clock.kind != "gpu" and _can_be_raised(clock)]
    if not clocks:
        return None
    return Remedy(
        id="performance",
        commands=tuple(write_line(FULL_SPEED, seen.sysroot + clock.governor_path) for clock in clocks),
        undo=tuple(
            write_line(clock.governor, seen.sysroot + clock.governor_path)
            for clock in clocks
            if clock.governor is not None
        ),
        as_root=not seen.is_root and not all(clock.writable for clock in clocks),
        facts={"clocks": ", ".join(clock.label for clock in clocks)},
    )


def _can_be_raised(clock: Clock) -> bool:
    return clock.governor is not None and clock.governor != FULL_SPEED and FULL_SPEED in clock.governors


def copy_library(version: str | None) -> Remedy:
    """Put a librkllmrt.so beside the models; which file is the user's choice."""
    return Remedy(
        id="library", commands=(), undo=(), as_root=False, needs_file=True, facts={"version": version}
    )


def library_remedy(store: str, version: str, size_bytes: int) -> Remedy:
    """Sending a library into the store: no command runs but those that receive a file (`core.programs.placing`).

    Args:
        store: the board's folder for models.
        version: of the library, a word that is safe as a folder's name.
        size_bytes: of the file.
    """
    return Remedy(
        id="library",
        commands=(),
        undo=RUNTIME_LIBRARY.removal(store, version),
        as_root=False,
        facts={
            "version": version, "size_bytes": size_bytes, "path": RUNTIME_LIBRARY.path(store, version),
        },
    )  # fmt: skip


def way_of(seen: Examination, *, as_root: bool) -> Way:
    """How commands can be run by what the examination found: without asking, with a password, or not at all."""
    if not as_root or seen.is_root:
        return "direct"
    ways: dict[str, Way] = {"passwordless": "sudo", "password": "sudo_password"}
    return ways.get(seen.facts.sudo, "impossible")
