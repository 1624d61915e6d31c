"""Names of files and folders that are bytes, but no text."""

import os
from pathlib import Path

import pytest

from core.base.errors import RKDeckError
from core.base.left_out import LeftOut
from core.library.library import Library
from core.library.records import LibraryFile
from tests.support.hub_fixtures import small_repo


def test_a_file_whose_name_is_no_text_is_left_out_and_told(library: Library, tmp_path: Path) -> None:
    folder = small_repo(tmp_path / "tiny")
    Path(os.fsdecode(b"%s/\xff.txt" % os.fsencode(folder))).write_text("x")
    item = library.add_source_folder(folder)
    assert {file.name for file in item.files} == {"config.json", "model.safetensors"}
    assert item.left_out == (LeftOut("\\udcff.txt", "odd_character"),)
    assert library.verify(item.id) == ()


def test_what_was_entered_before_the_rule_is_judged_by_its_bytes(library: Library, tmp_path: Path) -> None:
    folder = small_repo(tmp_path / "tiny")
    (folder / "two\nlines\u202e").write_text("x")
    item = library.register(
        kind="source", title="x", path=folder, files=[LibraryFile("two\nlines\u202e", 1, None)]
    )
    assert library.verify(item.id) == ()
    (folder / "two\nlines\u202e").write_text("xx")
    (problem,) = library.verify(item.id)
    assert (problem.code, problem.facts["file"]) == ("library.size_differs", "two\\nlines\\u202e")


def test_a_path_that_is_no_text_is_refused(library: Library, tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xfe"))
    small_repo(folder)
    with pytest.raises(RKDeckError) as caught:
        library.add_source_folder(folder)
    assert caught.value.code == "names.unsafe_path"
    with pytest.raises(RKDeckError) as caught:
        library.register(
            kind="rkllm", title="x", path=folder / "x.rkllm", files=[LibraryFile("x.rkllm", 1, None)]
        )
    assert caught.value.code == "names.unsafe_path"
    assert library.list() == []
