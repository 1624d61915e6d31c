"""`rkdeck inspect` on what is no file."""

import json
from pathlib import Path

import pytest

from core.cli.main import run as rkdeck
from core.library.cached import folder_title
from core.model.inspect import inspect_bytes
from core.vendor.releases import magics


def test_a_folder_is_told_as_one_with_an_advice_that_works(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rkdeck(["inspect", str(tmp_path), "--home", str(tmp_path / "home")]) == 3
    told = capsys.readouterr().err
    assert "is a folder" in told
    assert "rkdeck estimate" in told
    assert "permissions" not in told


def test_a_model_of_a_cache_is_called_as_its_repository_not_as_a_commit(tmp_path: Path) -> None:
    snapshot = tmp_path / "models--Qwen--Qwen3-0.6B" / "snapshots" / ("0a" * 20)
    snapshot.mkdir(parents=True)
    assert folder_title(snapshot) == "Qwen3-0.6B"
    assert folder_title(tmp_path) == tmp_path.name


@pytest.mark.parametrize("odd", [None, [], {}, 7, True, "", -1, 1e300])
def test_what_a_header_tells_in_another_type_is_unknown_and_not_read(odd: object) -> None:
    names = ("platform", "dtype", "architecture", "max_context", "npu_cores")
    metadata = dict.fromkeys(names, odd)
    header = json.dumps({"metadata": metadata}, separators=(",", ":")).encode()
    magic = next(magic.first_bytes for magic in magics() if magic.kind == "rkllm-simulated")
    head = magic + len(header).to_bytes(8, "little") + header
    found = inspect_bytes(head, b"", len(head)).to_json()
    assert isinstance(found["fields"], dict)
    assert set(found["fields"]) == {name for name in names if found[name] is not None}
    assert all(found[name] is None for name in ("platform", "dtype", "architecture"))
