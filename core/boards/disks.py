"""Reading a probe's lines about disks: which file systems there are, on what medium, and how full."""

import re

from core.base.names import printable
from core.boards.facts import Mount

_DF = re.compile(r"\s(\d{1,15})\s+(\d{1,15})\s+(-?\d{1,15})\s+(?:\d{1,15}%|-)\s+(/.*)$")
_ESCAPE = re.compile(r"\\([0-7]{3})")
_MMC = {"MMC": "emmc", "SD": "sd"}
_MEMORY = frozenset({"tmpfs", "ramfs"})
_FIELDS = 5


def mounts_of(lines: dict[str, list[str]]) -> tuple[tuple[Mount, ...], str | None]:
    """The file systems in a probe's lines, and on which of them the home folder lies."""
    cards = dict(entry.split(" ", 1) for entry in lines["mmc"] if " " in entry)
    found: dict[str, Mount] = {}
    for line in lines["mount"]:
        mount = _mount(line, cards)
        if mount is not None:
            found[mount.path] = mount  # the later mount on the same folder hides the earlier one
    home = _DF.search(" " + " ".join(lines["homedisk"]).rstrip())
    return tuple(found.values()), home[4] if home else None


def _mount(line: str, cards: dict[str, str]) -> Mount | None:
    words = line.split(" ", _FIELDS)
    if len(words) < _FIELDS:
        return None
    access, device, filesystem, options, path = words[:_FIELDS]
    path = _ESCAPE.sub(lambda match: chr(int(match[1], 8)), path)
    # Nobody may be led to a folder whose name cannot be shown or quoted.
    if not path.isprintable() or not path.startswith("/"):
        return None
    sizes = sizes_of(words[_FIELDS]) if len(words) > _FIELDS else None
    return Mount(
        path=path,
        device=printable(device, limit=100),
        filesystem=printable(filesystem, limit=20),
        medium=_medium(device, filesystem, cards),
        writable=access == "w" and "ro" not in options.split(","),
        total_bytes=sizes[0] if sizes else None,
        free_bytes=sizes[1] if sizes else None,
    )


def sizes_of(line: str) -> tuple[int, int] | None:
    """Total and free bytes in a line of `df -Pk`; None when it is none."""
    match = _DF.search(" " + line.rstrip())
    return (int(match[1]) << 10, max(0, int(match[3])) << 10) if match else None


def _medium(device: str, filesystem: str, cards: dict[str, str]) -> str:
    if filesystem == "overlay":
        return "overlay"
    if filesystem in _MEMORY:
        return "tmpfs"
    name = device.removeprefix("/dev/")
    if name.startswith("nvme"):
        return "nvme"
    if name.startswith("mmcblk"):
        card = re.match(r"mmcblk\d+", name)
        return _MMC.get(cards.get(card[0], "").strip() if card else "", "mmc")
    if re.match(r"(?:sd|vd|hd|xvd)[a-z]", name):
        return "disk"
    return "other"
