"""The pictures of the documents: small, and in the window's own colours."""

from pathlib import Path

import pytest
from PySide6.QtGui import QColor, QImage

from core.base.errors import RKDeckError
from gui.walk.pictures import shrink


def test_what_fills_the_picture_keeps_its_colour_to_the_bit_and_rare_colours_stay_near(
    tmp_path: Path,
) -> None:
    picture = QImage(400, 300, QImage.Format.Format_RGB32)
    picture.fill(QColor("#e0e7fb"))
    for number in range(300):  # a run of reds, more of them than a table of colours holds
        picture.setPixelColor(number, 5, QColor(255 - number % 100, number // 4, 20))
    picture.save(str(tmp_path / "shot.png"))
    size_bytes = shrink(tmp_path / "shot.png", tmp_path / "small.png")
    small = QImage(str(tmp_path / "small.png"))
    assert size_bytes == (tmp_path / "small.png").stat().st_size
    assert small.size() == picture.size()
    assert small.pixelColor(0, 100) == QColor("#e0e7fb")
    for number in range(300):
        was, now = picture.pixelColor(number, 5), small.pixelColor(number, 5)
        assert abs(was.red() - now.red()) + abs(was.green() - now.green()) < 30, number


def test_a_picture_that_was_not_drawn_is_named(tmp_path: Path) -> None:
    with pytest.raises(RKDeckError) as caught:
        shrink(tmp_path / "none.png", tmp_path / "small.png")
    assert caught.value.facts["file"] == str(tmp_path / "none.png")
