"""Our shell scripts for boards (`resources/board`): they travel as text and leave nothing there."""

from importlib import resources

from core.base.foreign import lines


def board_script(*names: str) -> str:
    """Scripts one behind the other, without their comment lines, which nobody reads over there."""
    folder = resources.files("resources") / "board"
    kept = (line for name in names for line in lines((folder / name).read_text("utf-8")))
    return "".join(f"{line}\n" for line in kept if not line.startswith("#"))
