"""Words for `core.programs`."""

MESSAGES: dict[str, tuple[str, str]] = {
    "programs.not_executable": (
        "{path} was sent to the board, but cannot be made a program there: {reason}",
        "Check how the store's disk is mounted, or choose another folder for models.",
    ),
    "programs.not_removed": (
        "{path} cannot be removed from the board: {reason}",
        "Check who owns the folder, and whether the disk can be written.",
    ),
}
