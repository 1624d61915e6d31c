"""What a front end asks of the library: reports of local models, also of broken ones, and checks of files."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.base.errors import RKDeckError, UsageError
from core.base.paths import AppPaths
from core.base.settings import Settings
from core.estimate.table import estimate_model
from core.library.records import LibraryItem
from core.services import Services
from core.usecases import library as use
from core.vendor.platforms import get_platform
from core.words import word
from tests.support.models import write_random_model
from tests.support.tiny_model import write_tiny_model


@pytest.fixture
def services(paths: AppPaths) -> Iterator[Services]:
    with Services(paths, Settings()) as services:
        yield services


@pytest.fixture
def source(services: Services, tmp_path: Path) -> LibraryItem:
    return use.add_path(services, write_random_model(tmp_path / "tiny"))


def test_what_was_added_is_listed_the_newest_first(
    services: Services, source: LibraryItem, tmp_path: Path
) -> None:
    assert use.list_items(services) == (source,)
    made = use.add_path(services, write_tiny_model(tmp_path / "tiny_W8A8_RK3588.rkllm"))
    assert use.list_items(services) == (made, source)
    assert made.files[0].sha256 is not None
    assert use.verify_item(services, made.id) == ()


def test_a_relative_path_is_added_as_it_is_from_here(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_random_model(tmp_path / "tiny")
    monkeypatch.chdir(tmp_path)
    assert use.add_path(services, Path("tiny")).path == tmp_path / "tiny"


@pytest.mark.parametrize(
    ("name", "code"),
    [("empty", "library.not_a_model"), ("text.rkllm", "convert.not_a_model"), ("none", "convert.unreadable")],
)
def test_what_is_no_model_is_not_added(services: Services, tmp_path: Path, name: str, code: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.rkllm").write_text("text")
    with pytest.raises(RKDeckError) as caught:
        use.add_path(services, tmp_path / name)
    assert caught.value.code == code
    assert use.list_items(services) == ()


def test_a_report_of_a_local_model_feeds_the_estimate(services: Services, source: LibraryItem) -> None:
    report = use.item_report(services, source.id)
    assert (report.item, report.repo, report.detail, report.download_bytes) == (source, None, None, None)
    assert report.problem is None
    assert report.facts is not None
    assert report.facts.bytes_fetched == 0
    assert estimate_model(report.facts, get_platform("rk3588"), context=256).row("w8a8") is not None


def break_nothing_there(folder: Path) -> None:
    shutil.rmtree(folder)


def break_config(folder: Path) -> None:
    (folder / "config.json").write_bytes(b"\xff{")


def break_weights(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{}")


def break_index(folder: Path) -> None:
    # Beside model.safetensors it would not be read, as transformers does not.
    (folder / "model.safetensors").rename(folder / "model-00001-of-00001.safetensors")
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "../../etc/passwd"}}')


def break_into_a_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("now a file")


@pytest.mark.parametrize(
    ("harm", "code"),
    [
        (break_nothing_there, "estimate.no_config"),
        (break_config, "estimate.bad_config"),
        (break_weights, "estimate.bad_file"),
        (break_index, "names.unsafe_path"),
        (break_into_a_file, "estimate.no_config"),
    ],
)
def test_what_is_wrong_with_a_local_model_is_its_reports_problem(
    services: Services, source: LibraryItem, harm: object, code: str
) -> None:
    assert callable(harm)
    harm(source.path)
    report = use.item_report(services, source.id)
    assert report.facts is None
    assert report.problem is not None
    assert report.problem.code == code
    assert all(word(report.problem))
    assert report.item == source


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("mode", [0o000, 0o100])
def test_a_folder_that_cannot_be_read_is_a_problem_too(
    services: Services, source: LibraryItem, mode: int
) -> None:
    source.path.chmod(mode)
    try:
        report = use.item_report(services, source.id)
    finally:
        source.path.chmod(0o700)
    assert report.problem is not None
    # Pathlib of Python 3.14 calls a file nobody may look at no file.
    assert report.problem.code in {"estimate.unreadable"} | ({"estimate.no_config"} if mode == 0 else set())


def test_a_converted_file_has_no_facts_but_is_inspected(services: Services, tmp_path: Path) -> None:
    item = use.add_path(services, write_tiny_model(tmp_path / "tiny.rkllm", "w8a8", context=512))
    report = use.item_report(services, item.id)
    assert report.facts is None
    assert report.problem is not None
    inspection = use.inspect_item(services, item.id)
    assert (inspection.is_model, inspection.dtype, inspection.max_context) == (True, "w8a8", 512)
    item.path.unlink()
    with pytest.raises(RKDeckError) as caught:
        use.inspect_item(services, item.id)
    assert caught.value.code == "convert.unreadable"


def test_verifying_finds_what_changed(services: Services, tmp_path: Path) -> None:
    item = use.add_path(services, write_tiny_model(tmp_path / "tiny.rkllm"))
    data = bytearray(item.path.read_bytes())
    data[-100] ^= 1
    item.path.write_bytes(data)
    assert [error.code for error in use.verify_item(services, item.id)] == ["library.digest_differs"]


def test_removing_forgets_but_leaves_the_users_files(services: Services, source: LibraryItem) -> None:
    assert use.remove_item(services, source.id) == source
    assert use.list_items(services) == ()
    assert (source.path / "config.json").is_file()
    for ask in (use.remove_item, use.verify_item, use.item_report, use.inspect_item):
        with pytest.raises(UsageError) as caught:
            ask(services, source.id)
        assert caught.value.code == "library.unknown"
