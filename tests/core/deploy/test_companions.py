"""A deployment is a set of files."""

import json
import os
from pathlib import Path

from core.base.errors import JsonValue
from core.deploy.companions import find_companions, origin_of
from core.deploy.layout import Deployment, read_manifest
from core.vendor.kinds import model_kinds

CARD = "---\nlanguage: en\nlicense: apache-2.0\n---\n# A model\n"


def folder(path: Path) -> Path:
    path.mkdir()
    model = path / "m.rkllm"
    model.write_bytes(b"model")
    (path / "m.rkllm.json").write_text(
        json.dumps({"recipe": {"dtype": "w8a8"}, "repo": "a/b", "revision": "main"})
    )
    (path / "README.md").write_text(CARD)
    (path / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ messages }}"}))
    (path / "notes.txt").write_text("private")
    return model


def test_a_download_brings_its_files_and_a_lone_file_only_its_recipe(tmp_path: Path) -> None:
    model = folder(tmp_path / "download")
    alone = find_companions(model, of_a_repository=False)
    assert [companion.file.name for companion in alone] == ["recipe.json"]
    found = find_companions(model, of_a_repository=True)
    assert [companion.file.name for companion in found] == [
        "README.md",
        "recipe.json",
        "tokenizer_config.json",
    ]
    origin = origin_of(found)
    assert (origin.repo, origin.revision, origin.licence) == ("a/b", "main", "apache-2.0")
    assert origin.recipe == {"dtype": "w8a8"}
    assert origin.chat_template_sha256 is not None
    assert len(origin.chat_template_sha256) == 64
    assert origin_of(found, "library/repo", "abc").repo == "library/repo"


def test_odd_files_stay_out(tmp_path: Path) -> None:
    model = folder(tmp_path / "download")
    (model.parent / "README.md").write_text("license: mit\n")  # no front matter
    (model.parent / "m.rkllm.json").write_text("[" * 100_000)
    (model.parent / "tokenizer_config.json").unlink()
    os.mkfifo(model.parent / "tokenizer_config.json")
    (model.parent / "LICENSE").mkdir()
    found = find_companions(model, of_a_repository=True)
    assert [companion.file.name for companion in found] == ["README.md", "recipe.json"]
    origin = origin_of(found)
    assert (origin.licence, origin.recipe, origin.chat_template_sha256) == (None, None, None)


def test_manifest_keeps_the_set_and_a_hostile_one_is_only_text(tmp_path: Path) -> None:
    origin = origin_of(find_companions(folder(tmp_path / "download"), of_a_repository=True))
    version, sha256 = "20260101T000000Z-" + "a" * 12, "a" * 64
    path = f"/s/blobs/{sha256}.rkllm"
    sent = Deployment(
        "m", version, model_kinds()["rkllm"], path, sha256, 1, None, None, False, "m", origin=origin
    )
    assert read_manifest(json.dumps(sent.manifest()), "/s", "m", version, current=True) == sent
    value = sent.manifest()
    hostile: dict[str, JsonValue] = {"name": "../x", "sha256": sha256, "size_bytes": 1}
    value["files"] = [
        hostile,
        {**hostile, "name": "ok", "sha256": "../../etc"},
        5,
        {"name": "ok", "sha256": sha256},
    ]
    value["licence"], value["recipe"], value["chat_template_sha256"] = "\x1b[2J", "text", "; reboot"
    found = read_manifest(json.dumps(value), "/s", "m", version, current=True)
    assert found is not None
    assert found.origin.files == ()
    assert (found.origin.recipe, found.origin.chat_template_sha256) == (None, None)
    assert "\x1b" not in str(found.origin.licence)


def test_long_recipe_does_not_burst_the_manifest(tmp_path: Path) -> None:
    model = folder(tmp_path / "download")
    (model.parent / "m.rkllm.json").write_text(json.dumps({"recipe": {"x": "y" * 20_000}}))
    origin = origin_of(find_companions(model, of_a_repository=True))
    assert origin.to_json()["recipe"] is None
    assert len(json.dumps(origin.to_json())) < 8192
