"""The library: entries, what removing deletes and what it never may, what verifying finds."""

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.base.database import Database
from core.base.errors import RKDeckError
from core.base.paths import AppPaths
from core.library.library import Library
from core.library.records import LibraryFile, LibraryItem
from tests.support.hub_fixtures import digest, small_repo


@pytest.fixture
def database(paths: AppPaths) -> Iterator[Database]:
    database = Database(paths.database_file)
    yield database
    database.close()


@pytest.fixture
def library(database: Database, paths: AppPaths) -> Library:
    return Library(database, paths.library)


def files_of(folder: Path) -> list[LibraryFile]:
    return [
        LibraryFile(path.relative_to(folder).as_posix(), path.stat().st_size, digest(path))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    ]


def register_folder(library: Library, folder: Path) -> LibraryItem:
    return library.register(
        kind="source", title="tiny", path=folder, files=files_of(folder), repo="a/tiny", revision="c" * 40
    )


def register_file(library: Library, path: Path) -> LibraryItem:
    file = LibraryFile(path.name, path.stat().st_size, digest(path))
    return library.register(kind="rkllm", title=path.stem, path=path, files=[file])


def test_what_was_registered_is_told_again_also_after_a_restart(
    library: Library, paths: AppPaths, tmp_path: Path
) -> None:
    folder = small_repo(tmp_path / "tiny")
    item = library.register(
        kind="source",
        title="ti\u202eny\x1b[2J",
        path=folder,
        files=files_of(folder),
        repo="a/tiny",
        revision="c" * 40,
        provenance={"endpoint": "http://x", "nested": {"numbers": [1, 2.5, None]}},
    )
    again = Database(paths.database_file)
    try:
        assert Library(again, paths.library).get(item.id) == item
    finally:
        again.close()
    document = item.to_json()
    assert document["provenance"] == {"endpoint": "http://x", "nested": {"numbers": [1, 2.5, None]}}
    assert document["size_bytes"] == sum(file.size_bytes or 0 for file in item.files)
    assert document["path"] == str(folder)


@pytest.mark.parametrize("size", [-(1 << 63), -1, (1 << 63) - 1])
def test_numbers_that_cannot_be_are_unknown(
    library: Library, database: Database, tmp_path: Path, size: int
) -> None:
    item = register_folder(library, small_repo(tmp_path / "tiny"))
    with database.transaction() as connection:
        connection.execute("UPDATE library_items SET size_bytes = ?, created_unix_s = ?", (size, 1e300))
        connection.execute("UPDATE library_files SET size_bytes = ?", (size,))
    (found,) = library.list()
    assert (found.id, found.size_bytes, found.created_unix_s) == (item.id, None, None)
    assert {file.size_bytes for file in found.files} == {None}


def test_registering_a_path_again_replaces_its_entry_and_keeps_its_id(
    library: Library, tmp_path: Path
) -> None:
    folder = small_repo(tmp_path / "tiny")
    first = register_folder(library, folder)
    (folder / "config.json").write_text("{}")
    second = register_folder(library, folder)
    assert second.id == first.id
    assert (second.size_bytes or 0) < (first.size_bytes or 0)
    assert [item.id for item in library.list()] == [first.id]


def test_find_knows_ids_repositories_paths_and_titles_and_takes_the_newest(
    library: Library, tmp_path: Path
) -> None:
    older = register_folder(library, small_repo(tmp_path / "older"))
    newer = register_folder(library, small_repo(tmp_path / "newer"))
    assert library.find(older.id) == older
    assert library.find(str(older.path)) == older
    assert library.find("a/tiny") == newer
    assert library.find("tiny") == newer
    assert library.find("tin") is None
    assert library.find("") is None


def test_an_unknown_id_is_a_usage_error(library: Library) -> None:
    for act in (library.get, library.remove, library.verify):
        with pytest.raises(RKDeckError) as caught:
            act("' OR 1=1 --")
        assert caught.value.code == "library.unknown"
        assert caught.value.exit_code == 2


def test_a_model_folder_is_added_where_it_lies(library: Library, tmp_path: Path) -> None:
    folder = small_repo(tmp_path / "tiny")
    (folder / "extra").mkdir()
    (folder / "extra" / "notes.txt").write_text("notes")
    item = library.add_source_folder(folder)
    assert [file.name for file in item.files] == ["config.json", "extra/notes.txt", "model.safetensors"]
    assert item.path == folder
    assert library.verify(item.id) == ()


@pytest.mark.parametrize(
    ("place", "title", "repo"),
    [
        ("models--field--Plain-1.5B/snapshots/" + "a1" * 20, "Plain-1.5B", "field/Plain-1.5B"),
        ("models--gpt2/snapshots/" + "a1" * 20, "gpt2", "gpt2"),
        ("models--field--plain/snapshots/main", "main", None),
        ("snapshots/" + "a1" * 20, "a1" * 20, None),
    ],
)
def test_a_folder_of_the_hubs_own_cache_is_known_by_its_repository(
    library: Library, tmp_path: Path, place: str, title: str, repo: str | None
) -> None:
    item = library.add_source_folder(small_repo(tmp_path / place))
    assert (item.title, item.repo, item.revision) == (title, repo, "a1" * 20 if repo else None)


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_a_folder_that_is_no_model_is_refused(library: Library, tmp_path: Path, missing: str) -> None:
    folder = small_repo(tmp_path / "tiny")
    (folder / missing).unlink()
    with pytest.raises(RKDeckError) as caught:
        library.add_source_folder(folder)
    assert caught.value.code == "library.not_a_model"
    assert str(caught.value.facts["missing"]).rpartition(".")[2] == missing.rpartition(".")[2]
    assert library.list() == []


def test_weights_that_link_to_nothing_are_no_model(library: Library, tmp_path: Path) -> None:
    folder = small_repo(tmp_path / "tiny")
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to(tmp_path / "blobs" / "gone")
    with pytest.raises(RKDeckError) as caught:
        library.add_source_folder(folder)
    assert caught.value.code == "library.not_a_model"


def test_verify_tells_each_kind_of_damage(library: Library, tmp_path: Path) -> None:
    folder = small_repo(tmp_path / "tiny")
    (folder / "third.txt").write_text("x")
    item = register_folder(library, folder)
    assert library.verify(item.id) == ()
    weights = folder / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    (folder / "config.json").write_text("{}")
    (folder / "third.txt").unlink()
    problems = {str(problem.facts["file"]): problem.code for problem in library.verify(item.id)}
    assert problems == {
        "model.safetensors": "library.digest_differs",
        "config.json": "library.size_differs",
        "third.txt": "library.file_unreadable",
    }
    assert all(problem.code in str(problem) for problem in library.verify(item.id))


def test_removing_deletes_our_own_files_and_only_forgets_the_users(
    library: Library, paths: AppPaths, tmp_path: Path
) -> None:
    ours = register_folder(library, small_repo(paths.library / "hub" / "a--tiny" / "c"))
    theirs = register_folder(library, small_repo(tmp_path / "theirs"))
    assert library.remove(ours.id) == ours
    assert library.remove(theirs.id) == theirs
    assert not ours.path.exists()
    assert (theirs.path / "model.safetensors").exists()
    assert library.list() == []
    assert paths.library.is_dir()


def test_removing_a_converted_file_takes_its_description_along(library: Library, paths: AppPaths) -> None:
    path = paths.library / "converted" / "m.rkllm"
    path.parent.mkdir()
    path.write_bytes(b"model")
    path.with_name("m.rkllm.json").write_text("{}")
    other = path.with_name("n.rkllm")
    other.write_bytes(b"another")
    library.remove(register_file(library, path).id)
    assert os.listdir(path.parent) == ["n.rkllm"]


def test_removing_files_that_are_gone_already_forgets_the_entry(library: Library, paths: AppPaths) -> None:
    folder = small_repo(paths.library / "gone")
    item = register_folder(library, folder)
    shutil.rmtree(folder)
    library.remove(item.id)
    assert library.list() == []


@pytest.mark.parametrize("detour", ["link", "dots"])
def test_a_detour_out_of_the_library_deletes_nothing(
    library: Library, paths: AppPaths, tmp_path: Path, detour: str
) -> None:
    outside = small_repo(tmp_path / "outside" / "tiny")
    if detour == "link":
        (paths.library / "way").symlink_to(outside.parent)
        path = paths.library / "way" / "tiny"
    else:
        path = paths.library / ".." / ".." / "outside" / "tiny"
    library.remove(register_folder(library, path).id)
    assert (outside / "model.safetensors").exists()


def test_a_linked_folder_loses_the_link_only(library: Library, paths: AppPaths, tmp_path: Path) -> None:
    outside = small_repo(tmp_path / "outside")
    link = paths.library / "tiny"
    link.symlink_to(outside)
    library.remove(register_folder(library, link).id)
    assert (outside / "model.safetensors").exists()
    assert not link.is_symlink()


def test_the_librarys_own_folder_is_never_deleted(library: Library, paths: AppPaths) -> None:
    (paths.library / "keep").write_text("x")
    library.remove(register_folder(library, paths.library).id)
    assert (paths.library / "keep").exists()


def test_removing_a_source_leaves_the_files_of_other_items(library: Library, paths: AppPaths) -> None:
    folder = small_repo(paths.library / "hub" / "both")
    (folder / "model.rkllm").write_bytes(b"converted")
    source = register_folder(library, folder)
    converted = register_file(library, folder / "model.rkllm")
    library.remove(source.id)
    assert library.verify(converted.id) == ()
    assert os.listdir(folder) == ["model.rkllm"]


def test_a_file_that_cannot_be_deleted_stays_listed(library: Library, paths: AppPaths) -> None:
    folder = paths.library / "odd"
    # A folder in the place of the description: not even root can unlink that.
    (folder / "n.rkllm.json").mkdir(parents=True)
    (folder / "n.rkllm").write_bytes(b"n")
    item = register_file(library, folder / "n.rkllm")
    with pytest.raises(RKDeckError) as caught:
        library.remove(item.id)
    assert caught.value.code == "library.cannot_delete"
    assert library.get(item.id) == item


def test_names_that_leave_the_folder_are_a_problem_and_are_not_read(
    library: Library, paths: AppPaths, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    folder = small_repo(tmp_path / "tiny")
    file = LibraryFile("../secret", secret.stat().st_size, digest(secret))
    item = library.register(kind="source", title="x", path=folder, files=[file])
    assert [problem.code for problem in library.verify(item.id)] == ["names.unsafe_path"]


def test_many_registrations_at_once_all_arrive(library: Library, tmp_path: Path) -> None:
    folders = [small_repo(tmp_path / str(number), number) for number in range(8)]
    threads = [
        threading.Thread(target=register_folder, args=(library, folder))
        for folder in folders
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(item.path for item in library.list()) == sorted(folders)
    assert all(library.verify(item.id) == () for item in library.list())


def test_an_item_without_rows_of_files_whose_path_is_gone_is_no_good_one(
    library: Library, tmp_path: Path
) -> None:
    item = library.register(kind="source", title="bare", path=tmp_path / "gone", files=())
    assert [problem.code for problem in library.verify(item.id)] == ["library.file_unreadable"]
    (tmp_path / "gone").mkdir()
    assert library.verify(item.id) == ()
