"""Names of versions: in the order in which they were deployed, whatever the clocks say; the page that draws a store."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.deploy.layout import DIGEST, VERSION, next_version, read_manifest

NOW = datetime(2026, 5, 4, 3, 2, 1, 999_999, tzinfo=UTC)
PAGE = (Path(__file__).parents[3] / "docs/board-store.md").read_text("utf-8")
A, B = "aa" * 32, "00" * 32


def test_a_version_is_its_time_and_its_file() -> None:
    assert next_version(NOW, A, ()) == "20260504T030201Z-aaaaaaaaaaaa"
    assert VERSION.fullmatch(next_version(NOW, A, ()))


def test_two_in_one_second_keep_their_order() -> None:
    first = next_version(NOW, A, ())
    second = next_version(NOW, B, [first])
    third = next_version(NOW, A, [second, first])
    assert first < second < third


def test_a_clock_that_was_ahead_does_not_hide_the_newest() -> None:
    ahead = "20380119T031407Z-ffffffffffff"
    assert next_version(NOW, B, ["20200101T000000Z-ffffffffffff", ahead]) == "20380119T031408Z-000000000000"


@pytest.mark.parametrize("odd", ["99999999T999999Z-ffffffffffff", "20260230T000000Z-ffffffffffff", "", "x"])
def test_what_is_no_time_is_left_out(odd: str) -> None:
    assert next_version(NOW, A, [odd]) == next_version(NOW, A, ())


def test_the_end_of_time_is_no_fault() -> None:
    assert VERSION.fullmatch(next_version(NOW, A, ["99991231T235959Z-ffffffffffff"]))


def test_the_page_of_the_store_shows_a_manifest_that_is_read_whole() -> None:
    (example,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    written = json.loads(example)
    read = read_manifest(example, "/store", written["name"], written["version"], current=True)
    assert read is not None
    assert read.manifest() == written
    assert VERSION.fullmatch(written["version"])
    assert all(DIGEST.fullmatch(file["sha256"]) for file in [written, *written["files"]])
    assert written["version"].endswith(written["sha256"][:12])
