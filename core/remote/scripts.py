"""Our shell scripts for boards (`resources/board`): they travel as text and leave nothing there."""

from importlib import resources


def board_script(*names: str) -> str:
    """Scripts one behind the other, without their comment lines, which nobody reads over there."""
    folder = resources.files("resources") / "board"
    lines = (line for name in names for line in (folder / name).read_text("utf-8").splitlines())
    return "".join(f"{line}\n" for line in lines if not line.startswith("#"))
