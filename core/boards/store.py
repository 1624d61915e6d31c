"""Where models live on a board: which disk to propose, and which folder names are safe."""

from core.base.errors import UsageError
from core.base.names import printable
from core.base.notes import because
from core.boards.facts import Mount

FOLDER = "rkdeck-store"
_MAX_BYTES = 512
# Special even inside quotes in some login shells (csh, fish), or in no shell at all but a trap for people.
_UNSAFE = frozenset("'\"\\`!$")
_VOLATILE = frozenset({"tmpfs", "ramfs"})
# FAT ends files at 4 GiB and knows no owners.
_UNFIT = _VOLATILE | {"vfat"}
_SYSTEM_FOLDERS = ("/boot", "/efi", "/media/efi", "/etc", "/proc", "/sys", "/dev", "/run")


def check_store_path(path: str) -> str:
    """Return a folder that may be the store of a board.

    Raises:
        UsageError: `boards.bad_store` for relative paths, `..`, the root folder, and characters that are
            special in some shell.
    """
    why = None
    if not path.startswith("/"):
        why = "not_absolute"
    elif path.strip("/") == "" or ".." in path.split("/"):
        why = "no_folder_of_its_own"
    elif not path.isprintable() or _UNSAFE & set(path):
        why = "odd_characters"
    elif len(path.encode("utf-8", "replace")) > _MAX_BYTES:
        why = "path_too_long"
    if why is not None:
        raise UsageError("boards.bad_store", store=printable(path), reason=because(why))
    return path.rstrip("/")


def propose_store(
    mounts: tuple[Mount, ...], home: str | None, home_mount: str | None, home_writable: bool
) -> str | None:
    """The folder on the writable disk with most free space; inside the home folder when that is the disk.

    Never on tmpfs, which is memory and forgets. None when the account can write nowhere.
    """
    best: tuple[int, bool, str] | None = None
    for mount in mounts:
        at_home = home is not None and home_writable and mount.path == home_mount
        if mount.filesystem in _UNFIT or _is_system(mount.path) or mount.free_bytes is None:
            continue
        if not mount.writable and not at_home:
            continue
        folder = home if at_home and home is not None else mount.path
        candidate = (mount.free_bytes, at_home, f"{folder.rstrip('/')}/{FOLDER}")
        if best is None or candidate > best:
            best = candidate
    if best is None:
        return None
    try:
        return check_store_path(best[2])
    except UsageError:
        return None


def _is_system(path: str) -> bool:
    return any(path == folder or path.startswith(folder + "/") for folder in _SYSTEM_FOLDERS)
