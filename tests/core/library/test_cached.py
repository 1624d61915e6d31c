"""Folders of huggingface_hub's own cache in the library."""

from pathlib import Path

import pytest

from core.base.errors import RKDeckError
from core.cli.models import existing_path
from core.library.library import Library
from tests.support.hub_fixtures import small_repo

OLD, NEW = "a1" * 20, "b2" * 20


def cache(root: Path, *commits: str) -> Path:
    """A cache folder as huggingface_hub makes it: snapshots of links into blobs."""
    folder = root / "models--field--Plain-1.5B"
    (folder / "blobs").mkdir(parents=True)
    for number, commit in enumerate(commits):
        made = small_repo(root / f"made-{number}", number)
        snapshot = folder / "snapshots" / commit
        snapshot.mkdir(parents=True)
        for name in ("config.json", "model.safetensors"):
            (made / name).rename(folder / "blobs" / f"{number}-{name}")
            (snapshot / name).symlink_to(f"../../blobs/{number}-{name}")
    return folder


def main_is(folder: Path, commit: str) -> None:
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(commit)


def test_a_repositorys_cache_folder_is_its_newest_revision(library: Library, tmp_path: Path) -> None:
    folder = cache(tmp_path, OLD, NEW)
    main_is(folder, OLD)
    item = library.add_source_folder(folder)
    assert (item.title, item.repo, item.revision) == ("Plain-1.5B", "field/Plain-1.5B", OLD)
    assert item.path == folder / "snapshots" / OLD
    assert library.verify(item.id) == ()
    assert library.add_source_folder(item.path).id == item.id, "the same by either path"


def test_the_only_revision_needs_no_ref(library: Library, tmp_path: Path) -> None:
    assert library.add_source_folder(cache(tmp_path, NEW)).revision == NEW


@pytest.mark.parametrize("ref", [None, "../../.."])
def test_of_several_revisions_somebody_has_to_choose(
    library: Library, tmp_path: Path, ref: str | None
) -> None:
    folder = cache(tmp_path, OLD, NEW)
    if ref is not None:
        main_is(folder, ref)
    with pytest.raises(RKDeckError) as caught:
        library.add_source_folder(folder)
    assert caught.value.code == "library.which_snapshot"
    assert caught.value.facts["snapshots"] == f"{OLD}, {NEW}"


@pytest.mark.parametrize("there", [(NEW,), (OLD, NEW)])
def test_a_revision_that_is_gone_is_not_replaced_by_another(
    library: Library, tmp_path: Path, there: tuple[str, ...]
) -> None:
    folder = cache(tmp_path, *there)
    main_is(folder, "c3" * 20)
    with pytest.raises(RKDeckError) as caught:
        library.add_source_folder(folder)
    assert caught.value.code == "library.snapshot_gone"
    assert caught.value.facts["snapshots"] == ", ".join(there)
    with pytest.raises(RKDeckError) as caught:
        existing_path(str(folder))
    assert caught.value.code == "library.snapshot_gone"


def test_a_path_on_the_command_line_means_the_snapshot_the_library_takes(
    library: Library, tmp_path: Path
) -> None:
    folder = cache(tmp_path, OLD, NEW)
    main_is(folder, OLD)
    assert existing_path(str(folder)) == library.add_source_folder(folder).path


def test_a_link_that_leaves_the_cache_is_refused(library: Library, tmp_path: Path) -> None:
    folder = cache(tmp_path, NEW)
    (tmp_path / "secret").write_text("secret")
    (folder / "snapshots" / NEW / "README.md").symlink_to(tmp_path / "secret")
    with pytest.raises(RKDeckError) as caught:
        library.add_source_folder(folder)
    assert (caught.value.code, caught.value.facts["file"]) == ("library.link_leaves", "README.md")
    assert library.list() == []


def test_weights_whose_blob_is_gone_are_no_model(library: Library, tmp_path: Path) -> None:
    folder = cache(tmp_path, NEW)
    (folder / "blobs" / "0-model.safetensors").unlink()
    with pytest.raises(RKDeckError) as caught:
        library.add_source_folder(folder)
    assert caught.value.code == "library.not_a_model"


def test_a_cache_reached_over_a_link_is_inside_itself(library: Library, tmp_path: Path) -> None:
    folder = cache(tmp_path / "disk", NEW)
    (tmp_path / "hub").symlink_to(folder.parent)
    assert library.add_source_folder(tmp_path / "hub" / folder.name).repo == "field/Plain-1.5B"
