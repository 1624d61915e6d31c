"""GGUF models in the library: one file or several are one item, and what is no model by itself is refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.base.errors import RefusedError
from core.base.paths import AppPaths
from core.base.settings import Settings
from core.services import Services
from core.usecases import library as use
from core.usecases.deployment import inspect_for_drop
from core.words import word
from tests.core.deploy.models import real_file
from tests.support.gguf_files import header, keys, value, write_parts


@pytest.fixture
def services(paths: AppPaths) -> Iterator[Services]:
    with Services(paths, Settings()) as services:
        yield services


def refused(services: Services, path: Path) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        use.add_path(services, path)
    assert use.list_items(services) == ()
    assert word(caught.value)[0]
    return caught.value


@pytest.mark.parametrize("named", [0, 1, 2])
def test_any_part_enters_all_of_them_as_one_item(services: Services, tmp_path: Path, named: int) -> None:
    parts = write_parts(tmp_path)
    item = use.add_path(services, parts[named])
    assert (item.kind, item.title, item.path) == ("gguf", "Tiny", parts[0])
    assert [file.name for file in item.files] == [part.name for part in parts]
    assert item.size_bytes == sum(part.stat().st_size for part in parts)
    assert use.verify_item(services, item.id) == ()
    assert use.inspect_item(services, item.id).architecture == "llama"
    for part in parts:
        assert services.library.model_at(part) == item
        assert services.library.find_file(str(part)) == item
        found = inspect_for_drop(services, part)
        assert [file.sha256 for file in found.files] == [file.sha256 for file in item.files]
    assert use.add_path(services, parts[0]).id == item.id


def test_a_part_that_changed_is_told_and_the_model_is_another(services: Services, tmp_path: Path) -> None:
    parts = write_parts(tmp_path)
    item = use.add_path(services, parts[0])
    parts[2].write_bytes(parts[2].read_bytes()[:-1] + b"x")
    assert [error.code for error in use.verify_item(services, item.id)] == ["library.digest_differs"]
    assert services.library.model_at(parts[0]) is None
    parts[1].unlink()
    assert {error.code for error in use.verify_item(services, item.id)} == {
        "library.digest_differs", "library.file_unreadable",
    }  # fmt: skip


def test_all_parts_in_the_librarys_own_folder_are_removed_and_nothing_else(
    services: Services, tmp_path: Path
) -> None:
    folder = services.paths.library / "made"
    folder.mkdir(parents=True)
    parts, beside = write_parts(folder), folder / "notes.txt"
    beside.write_text("mine")
    item = use.add_path(services, parts[1])
    use.remove_item(services, item.id)
    assert list(folder.iterdir()) == [beside]
    outside = write_parts(tmp_path)
    use.remove_item(services, use.add_path(services, outside[0]).id)
    assert all(part.exists() for part in outside)


def test_missing_parts_are_named(services: Services, tmp_path: Path) -> None:
    parts = write_parts(tmp_path)
    parts[0].unlink()
    error = refused(services, parts[1])
    assert error.code == "doctor.model_parts_missing"
    assert parts[0].name in word(error)[0]


def test_a_part_of_another_model_is_named(services: Services, tmp_path: Path) -> None:
    parts, other = write_parts(tmp_path), tmp_path / "other"
    other.mkdir()
    parts[1].write_bytes(write_parts(other, count=5)[1].read_bytes())
    error = refused(services, parts[0])
    assert (error.code, error.facts["said"]) == ("doctor.model_parts_differ", "2/5")


def test_a_part_under_the_name_of_a_whole_file_is_none(services: Services, tmp_path: Path) -> None:
    write_parts(tmp_path)[1].rename(tmp_path / "whole.gguf")
    assert refused(services, tmp_path / "whole.gguf").code == "doctor.model_parts_differ"


@pytest.mark.parametrize(
    ("architecture", "more", "code"),
    [
        ("clip", {}, "doctor.model_role_mmproj"),
        ("llama", {"general.type": "mmproj"}, "doctor.model_role_mmproj"),
        ("llama", {"general.type": "adapter"}, "doctor.model_role_adapter"),
        ("llama", {"general.type": "imatrix"}, "doctor.model_role_other"),
    ],
)
def test_what_goes_with_a_model_is_none_itself(
    services: Services, tmp_path: Path, architecture: str, more: dict[str, str], code: str
) -> None:
    file = tmp_path / "part.gguf"
    file.write_bytes(header(keys(architecture) | {key: value(item) for key, item in more.items()}))
    assert refused(services, file).code == code


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"<!doctype html><html>sign in</html>", "convert.not_a_model"),
        (b"version https://git-lfs.github.com/spec/v1\n", "convert.not_a_model"),
        (b"", "convert.not_a_model"),
        (b"GGUF\3\0\0\0", "deploy.damaged_file"),
        (b"GGUF\1\0\0\0" + bytes(100), "deploy.damaged_file"),
        (b"GGUF\0\0\0\3" + bytes(100), "deploy.damaged_file"),
        (b"GGUF\3\0\0\0" + b"\xff" * 16 + bytes(100), "deploy.damaged_file"),
    ],
)
def test_mislabelled_and_damaged_files_are_refused(
    services: Services, tmp_path: Path, content: bytes, code: str
) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(content)
    assert refused(services, file).code == code


def test_a_file_is_what_its_bytes_say(services: Services, tmp_path: Path) -> None:
    rkllm = real_file(tmp_path / "named_w8a8_rk3588.gguf")
    assert use.add_path(services, rkllm).kind == "rkllm"
    (gguf,) = write_parts(tmp_path, count=1)
    error_file = gguf.rename(tmp_path / "named.rkllm")
    with pytest.raises(RefusedError) as caught:
        use.add_path(services, error_file)
    assert caught.value.code in {"convert.not_a_model", "deploy.damaged_file"}
