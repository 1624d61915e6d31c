"""The pictures of the documents, made small: `python -m gui.walk.pictures SHOTS TARGET` (`make pictures`).

They are taken from what `rkdeck demo --headless --shots SHOTS` drew.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage

from core.base.errors import RKDeckError

# Name in the documents -> name of the drawn page.
CHOSEN = {
    "discover": "1-discover-en-dark",
    "lab": "4-lab-en-light",
    "boards": "5-boards-en-light",
    "monitor": "6-monitor-en-dark",
}
_COLOURS = 256
# What Qt calls the quality of a PNG says how little zlib tries.
_SMALLEST = 0


def shrink(source: Path, target: Path) -> int:
    """Save a picture with its 256 commonest colours; the rest (edges of rare letters) take the nearest of them.

    A third of the bytes of the lossless file. Qt's own choice of 256 colours is a fixed cube, which turns a
    pale blue into cyan, so the table is counted here.

    Returns:
        The bytes of the file.

    Raises:
        RKDeckError: `demo.not_drawn` when there is no such picture or it cannot be saved.
    """
    picture = QImage(str(source)).convertToFormat(QImage.Format.Format_RGB32)
    if picture.isNull():
        raise RKDeckError("demo.not_drawn", file=str(source))
    colours, counts = np.unique(np.frombuffer(picture.constBits(), dtype=np.uint32), return_counts=True)
    table = [int(colour) for colour in colours[np.argsort(-counts, kind="stable")][:_COLOURS]]
    plain = Qt.ImageConversionFlag.ThresholdDither | Qt.ImageConversionFlag.AvoidDither
    few = picture.convertToFormat(QImage.Format.Format_Indexed8, table, plain)
    if not few.save(str(target), quality=_SMALLEST):
        raise RKDeckError("demo.not_drawn", file=str(target))
    return target.stat().st_size


def main(arguments: Sequence[str]) -> int:
    """Make every chosen picture anew."""
    shots, target = Path(arguments[0]), Path(arguments[1])
    target.mkdir(parents=True, exist_ok=True)
    for name, drawn in CHOSEN.items():
        size_bytes = shrink(shots / f"{drawn}.png", target / f"{name}.png")
        sys.stdout.write(f"{target / name}.png: {size_bytes} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
