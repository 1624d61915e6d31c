"""What MODEL means when the library holds a model and what was converted of it: both have the same Hub id."""

from pathlib import Path

import pytest

from core.base.errors import UsageError
from core.cli.models import local_source, model_file
from core.library.library import Library
from core.library.records import LibraryItem
from core.services import Services
from core.usecases import library as use
from tests.support.models import write_random_model
from tests.support.tiny_model import write_tiny_model

REPO = "some/tiny"


def enter(library: Library, item: LibraryItem) -> LibraryItem:
    """The same files, entered as what came from the repository."""
    return library.register(
        kind=item.kind, title=item.title, path=item.path, files=item.files, repo=REPO, revision="c" * 40
    )


def test_a_model_is_still_its_source_after_it_was_converted(services: Services, tmp_path: Path) -> None:
    source = enter(services.library, use.add_path(services, write_random_model(tmp_path / "tiny")))
    path = write_tiny_model(tmp_path / "tiny_W8A8_RK3588.rkllm")
    newer = enter(services.library, use.add_path(services, path))
    assert services.library.find(REPO) == newer
    assert services.library.find_source(REPO) == source
    assert services.library.find_file(REPO) == newer
    assert local_source(services, REPO) == (source.path, source)


def test_what_is_only_there_converted_is_named_as_it_is(services: Services, tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "tiny_W8A8_RK3588.rkllm")
    converted = enter(services.library, use.add_path(services, path))
    assert local_source(services, REPO) == (converted.path, converted)
    with pytest.raises(UsageError) as caught:
        local_source(services, "some/other")
    assert caught.value.code == "cli.model_not_local"


def test_a_title_that_is_no_file_for_a_board_is_told_as_what_it_is(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = use.add_path(services, write_random_model(tmp_path / "models" / "tiny"))
    file = write_tiny_model(tmp_path / "tiny_W8A8_RK3588.rkllm")
    assert model_file(services, file.name) == file, "a file of this folder is known without ./"
    wrong = {source.title: "cli.file_is_source", "tyni": "cli.file_unknown", "./tyni": "cli.path_missing"}
    for text, code in wrong.items():
        with pytest.raises(UsageError) as caught:
            model_file(services, text)
        assert caught.value.code == code
