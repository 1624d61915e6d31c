"""Which files hold a model's weights: one rule, and every door of the house answers by it."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base.errors import RKDeckError
from core.base.paths import AppPaths
from core.base.settings import Settings
from core.convert.recipe import Recipe
from core.demo.hub.server import DemoHub
from core.demo.toolkit.loading import LoadError, weight_names
from core.demo.toolkit.loading import load_checkpoint as load_in_stand_in
from core.estimate.table import estimate_model
from core.lab.weights import open_folder
from core.model.facts import MAX_NAMES, load_local_facts, local_names, local_weight_files, why_no_source
from core.model.files import (
    WeightFiles,
    WeightsKind,
    read_weight_files,
    refusal_of,
    tokenizer_files,
    weight_files,
)
from core.model.leftovers import form_of
from core.model.shape import build_shape
from core.services import Services
from core.usecases import hub as hub_use
from core.usecases import lab as lab_use
from core.usecases.conversion import check_recipe
from core.usecases.library import item_report
from core.usecases.perplexity import PerplexityOptions, measure
from core.vendor.platforms import get_platform
from core.words import word
from tests.support.model_cases import CASES, INDEX, SHARDS, config_in, lfs_pointer
from tests.support.models import write_random_model


@pytest.mark.parametrize(
    ("names", "kind", "files"),
    [
        (["model.safetensors", "config.json"], "safetensors", ["model.safetensors"]),
        (["model.safetensors", INDEX], "safetensors", ["model.safetensors"]),
        (["model.safetensors", INDEX, *SHARDS], "safetensors", ["model.safetensors"]),
        ([*SHARDS, INDEX], "sharded", SHARDS),
        (SHARDS, "unindexed", SHARDS),
        (["b.safetensors", "a.safetensors", "x.bin"], "unindexed", ["a.safetensors", "b.safetensors"]),
        (["model.safetensors", "pytorch_model.bin"], "safetensors", ["model.safetensors"]),
        ([INDEX, *SHARDS, "pytorch_model.bin"], "sharded", SHARDS),
        (["pytorch_model.bin", "training_args.bin"], "pickle", ["pytorch_model.bin"]),
        (
            ["pytorch_model.bin.index.json", "pytorch_model-00001-of-00001.bin", "optimizer.bin"],
            "pickle", ["pytorch_model-00001-of-00001.bin"],
        ),
        (["pytorch_model-00001-of-00001.bin"], "pickle", ["pytorch_model-00001-of-00001.bin"]),
        (["adapter_config.json"], "adapter", []),
        (["adapters.safetensors", "adapter_config.json"], "adapter", ["adapters.safetensors"]),
        (["config.json", "0000100_adapters.safetensors"], "adapter", ["0000100_adapters.safetensors"]),
        (["checkpoint-5/adapter_model.safetensors"], "adapter", ["checkpoint-5/adapter_model.safetensors"]),
        (
            ["config.json", "adapter_config.json", "adapter_model.safetensors"],
            "adapter", ["adapter_model.safetensors"],
        ),
        (
            ["model.safetensors", "adapter_config.json", "adapter_model.safetensors"],
            "safetensors", ["model.safetensors"],
        ),
        (["Q4/m.gguf", "config.json"], "gguf", ["Q4/m.gguf"]),
        (["a.RKLLM", "m.gguf"], "rkllm", ["a.RKLLM"]),
        (["onnx/model.onnx"], "onnx", ["onnx/model.onnx"]),
        (["model.fp16.safetensors", "config.json"], "variant", ["model.fp16.safetensors"]),
        (["model.fp16.safetensors", "pytorch_model.bin"], "pickle", ["pytorch_model.bin"]),
        (["consolidated.safetensors", "params.json"], "layout", ["consolidated.safetensors"]),
        (["config.json", "original/consolidated.00.pth"], "layout", ["original/consolidated.00.pth"]),
        (["model_index.json", "unet/config.json", "unet/model.safetensors"], "pipeline", []),
        (["fp16/config.json", "fp16/model.safetensors"], "folder", ["fp16/model.safetensors"]),
        (["config.json", "fp16/config.json", "fp16/model.safetensors"], "folder", ["fp16/model.safetensors"]),
        (["old/m.safetensors"], "folder", ["old/m.safetensors"]),
        (
            ["config.json", *(f"checkpoint-{step}/model.safetensors" for step in (500, 1500, 90)), "x.pt"],
            "folder", ["checkpoint-1500/model.safetensors"],
        ),
        (
            ["checkpoint-500/config.json", "checkpoint-500/model.safetensors", "checkpoint-900/model.safetensors"],
            "folder", ["checkpoint-500/model.safetensors"],
        ),
        (["checkpoint-5/optimizer.pt", "checkpoint-5/rng_state.pth", "training_args.bin"], "none", []),
        (["config.json", "weights/Model.PT", "optimizer.pt"], "other", ["weights/Model.PT"]),
        (["m.mlpackage/Data/weights"], "other", ["m.mlpackage/Data/weights"]),
        (["a/config.json", "a/model.safetensors", "b/m.gguf"], "folder", ["a/model.safetensors"]),
        (["m.gguf", "mlx/config.json", "mlx/model.safetensors"], "gguf", ["m.gguf"]),
        (["Q4/m.gguf", "m.rkllm"], "rkllm", ["m.rkllm"]),
        (["README.md", "config.json"], "none", []),
        ([], "none", []),
    ],
)  # fmt: skip
def test_it_looks_where_transformers_looks_in_its_order(
    names: list[str], kind: WeightsKind, files: list[str]
) -> None:
    found = weight_files(names)
    assert (found.kind, found.files) == (kind, tuple(files))


def test_what_is_not_read_is_told_with_the_reason() -> None:
    found = weight_files(
        [
            "model.safetensors", "model.fp16.safetensors", "consolidated.safetensors", *SHARDS, INDEX,
            "projector.safetensors", "adapter_model.safetensors", "pytorch_model.bin", "onnx/model.onnx",
            "tokenizer.json", "fp16/model.safetensors",
        ]
    )  # fmt: skip
    duplicates = ("consolidated.safetensors", *SHARDS, "model.fp16.safetensors")
    assert dict(found.ignored) == {
        **dict.fromkeys(duplicates, "duplicate"), INDEX: "stale_index", "adapter_model.safetensors": "not_the_model",
        "projector.safetensors": "not_the_model", "pytorch_model.bin": "other_form", "onnx/model.onnx": "other_form",
    }  # fmt: skip
    assert found.superfluous == {*duplicates, INDEX, "pytorch_model.bin", "onnx/model.onnx"}


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("openvino_model.bin", "OpenVINO"), ("int4/openvino_language_model.bin", "OpenVINO"),
        ("params_shard_12.bin", "MLC LLM"), ("model.bin", "CTranslate2"),
        ("ggml-model-q4_0.bin", "GGML, the older form of GGUF"),
        ("llama-2-7b-chat.ggmlv3.q4_K_M.bin", "GGML, the older form of GGUF"),
        ("llama-2-7b.q4_0.bin", "GGML, the older form of GGUF"), ("old/pytorch_model.bin", "PyTorch (pickle)"),
        ("weights.bin", ".bin"), ("a.onnx_data", "ONNX"), ("Tiny.Q4.GGUF", "GGUF"), ("x.mlpackage/w.bin", "Core ML"),
        ("config.json", None), ("model.safetensors", None),
    ],
)  # fmt: skip
def test_a_form_is_called_by_the_program_that_wrote_it(name: str, form: str | None) -> None:
    assert form_of(name) == form


def test_whatever_form_lies_beside_the_weights_is_not_brought() -> None:
    beside = (
        "model.tflite",
        "coreml/model.mlpackage/data",
        "model.pte",
        "openvino_model.xml",
        "tf_model.h5",
        "x.rknn",
    )
    assert weight_files(["model.safetensors", *beside, "README.md"]).superfluous == {*beside}


def test_an_index_names_the_shards_and_what_is_missing_of_them() -> None:
    index = json.dumps({"weight_map": {"a": SHARDS[0], "b": "other.safetensors"}}).encode()
    found = read_weight_files([*SHARDS, INDEX], lambda _name, _limit: index)
    assert found.files == (SHARDS[0], "other.safetensors")
    assert found.missing == ("other.safetensors",)


def test_an_index_may_say_of_a_shard_that_it_lies_here() -> None:
    index = json.dumps({"weight_map": {"a": f"./{SHARDS[0]}"}}).encode()
    assert read_weight_files([SHARDS[0], INDEX], lambda _name, _limit: index).missing == ()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_an_index_that_transformers_cannot_read_is_none(encoding: str) -> None:
    index = json.dumps({"weight_map": {"a": SHARDS[0]}}).encode(encoding)
    with pytest.raises(RKDeckError, match="bad_index"):
        read_weight_files([SHARDS[0], INDEX], lambda _name, _limit: index)


def test_an_index_beside_the_one_file_is_not_even_opened() -> None:
    def read(name: str, _limit: int) -> bytes:
        raise AssertionError(name)

    assert read_weight_files(["model.safetensors", INDEX], read).missing == ()


@pytest.mark.parametrize(
    ("config", "base"),
    [
        (b'{"base_model_name_or_path": "some/base"}', "some/base"), (b'{"model": "some/base"}', "some/base"),
        (b"[[[", None), (b"{}", None), (b"[]", None),
        (b'{"base_model_name_or_path": 3}', None), (b"[" * 100_000, None),
    ],
)  # fmt: skip
def test_an_adapter_names_its_base_where_it_can(config: bytes, base: str | None) -> None:
    found = read_weight_files(["adapter_config.json"], lambda _name, _limit: config)
    assert found.base == base
    refusal = refusal_of(found, "some/adapter")
    assert refusal is not None
    assert refusal.code == ("model.adapter_only" if base else "model.adapter_without_base")


@given(
    st.lists(st.text(max_size=30) | st.sampled_from([*SHARDS, INDEX, "model.safetensors", "x.gguf", "a.bin"]))
)
def test_whatever_the_names_are_the_answer_is_made_of_them(names: list[str]) -> None:
    found = weight_files(names)
    told = {*found.files, *(name for name, _ in found.ignored), *([found.index] if found.index else [])}
    assert told <= set(names)
    assert not {*found.files} & {name for name, _ in found.ignored}


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("cases")
    made = {name: write_random_model(root / name) for name in CASES}
    for name, (change, _) in CASES.items():
        change(made[name])
    return made


@pytest.fixture(scope="module")
def hub(folders: dict[str, Path]) -> Iterator[DemoHub]:
    with DemoHub({f"some/{name}": folder for name, folder in folders.items()}) as hub:
        yield hub


@pytest.fixture
def services(paths: AppPaths, hub: DemoHub) -> Iterator[Services]:
    with Services(paths, Settings(hub_endpoint=hub.url)) as services:
        yield services


@pytest.mark.parametrize("case", CASES)
def test_every_door_gives_the_same_answer(services: Services, folders: dict[str, Path], case: str) -> None:
    folder, code = folders[case], CASES[case][1]
    report = hub_use.hub_report(services, f"some/{case}")
    assert (report.problem.code if report.problem else None) == code, "the Hub"
    assert report.can_convert is (code is None)
    assert report.detail is not None
    assert weight_files(file.path for file in report.detail.files) == weight_files(local_names(folder))
    if report.facts is not None and report.shape is not None:
        rows = estimate_model(report.facts, get_platform("rk3588"), context=256, shape=report.shape).rows
        assert any(row.supported for row in rows) is (code is None), "the estimate's levels"
    if code is not None:
        with pytest.raises(RKDeckError) as caught:
            services.library.add_source_folder(folder)
        assert caught.value.code == code, "the library"
        # As a download of all its files enters it: what is listed is no promise.
        item = services.library.register(kind="source", title=case, path=folder, files=())
        check = check_recipe(services, item.id, Recipe("rk3588", "w8a8", 256))
        assert code in {problem.error.code for problem in check.problems}, "the preflight"
        assert not {problem.error.code for problem in check.problems} & {"convert.unsupported"}
        problem = item_report(services, item.id).problem
        assert problem is not None
        assert problem.code == code, "the library's page"
        with pytest.raises(RKDeckError) as caught:
            lab_use.analyse_model(services, folder)
        assert caught.value.code == code, "the laboratory"
        with pytest.raises(RKDeckError) as caught:
            measure(services, folder, PerplexityOptions())
        assert caught.value.code == code, "perplexity"
        return
    load_in_stand_in(folder)
    facts, item = load_local_facts(folder), services.library.add_source_folder(folder)
    assert report.facts is not None
    assert (facts.tensors, facts.weights) == (report.facts.tensors, report.facts.weights), "the estimate"
    check = check_recipe(services, item.id, Recipe("rk3588", "w8a8", 256))
    codes = {problem.error.code for problem in check.problems if problem.severity == "error"}
    assert codes == {"convert.no_toolkit"}, "the preflight"


@pytest.mark.parametrize("change", [lfs_pointer, lambda folder: (folder / "model.safetensors").unlink()])
def test_a_pointer_or_a_config_without_weights_is_no_model_to_add(
    services: Services, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    folder = write_random_model(tmp_path / "model")
    change(folder)
    with pytest.raises(RKDeckError) as caught:
        services.library.add_source_folder(folder)
    assert caught.value.code in {"estimate.lfs_pointer", "library.not_a_model"}
    assert services.library.list() == []


def test_a_shard_that_links_to_nothing_is_no_model_to_add(services: Services, tmp_path: Path) -> None:
    folder = write_random_model(tmp_path / "model")
    (folder / "model.safetensors").rename(folder / SHARDS[0])
    (folder / SHARDS[1]).symlink_to(tmp_path / "blobs" / "gone")
    (folder / INDEX).write_text(json.dumps({"weight_map": {"x": SHARDS[0], "y": SHARDS[1]}}))
    with pytest.raises(RKDeckError) as caught:
        services.library.add_source_folder(folder)
    assert (caught.value.code, caught.value.facts["file"]) == ("estimate.missing_shard", SHARDS[1])


@pytest.mark.parametrize(
    ("names", "there"),
    [
        (["tokenizer.json"], True), (["tokenizer.model"], True), (["vocab.json", "merges.txt"], True),
        (["qwen.tiktoken"], True), (["rwkv_vocab_v20230424.txt"], True), (["tokenization_own.py"], True),
        (["spiece.model"], True), (["tekken.json"], True),
        (["tokenizer_config.json", "special_tokens_map.json", "model.safetensors", "config.json"], False),
        (["old/tokenizer_config.json"], False), (["original/tokenizer.model"], False), ([], False),
    ],
)  # fmt: skip
def test_a_tokenizer_is_known_by_its_files(names: list[str], there: bool) -> None:
    assert bool(tokenizer_files(names)) is there


def test_without_a_tokenizer_a_model_is_estimated_but_neither_converted_nor_measured(
    services: Services, tmp_path: Path
) -> None:
    folder = write_random_model(tmp_path / "model")
    (folder / "tokenizer.json").unlink()
    assert "no_tokenizer" in {note.code for note in build_shape(load_local_facts(folder)).notes}
    item = services.library.add_source_folder(folder)
    check = check_recipe(services, item.id, Recipe("rk3588", "w8a8", 256))
    assert "model.no_tokenizer" in {problem.error.code for problem in check.problems}
    with pytest.raises(RKDeckError) as caught:
        measure(services, folder, PerplexityOptions())
    assert caught.value.code == "model.no_tokenizer"


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("tokenizer.json", POINTER, "estimate.lfs_pointer"), ("tokenizer.json", b"", "model.empty_file"),
        ("tokenizer.model", POINTER, "estimate.lfs_pointer"),
    ],
)  # fmt: skip
def test_a_tokenizer_nobody_fetched_is_estimated_but_neither_converted_nor_measured(
    services: Services, tmp_path: Path, name: str, data: bytes, code: str
) -> None:
    folder = write_random_model(tmp_path / "model")
    (folder / "tokenizer.json").unlink()
    (folder / name).write_bytes(data)
    assert "hollow_tokenizer" in {note.code for note in build_shape(load_local_facts(folder)).notes}
    item = services.library.add_source_folder(folder)
    found = {
        problem.error.code: problem
        for problem in check_recipe(services, item.id, Recipe("rk3588", "w8a8", 256)).problems
    }
    assert found[code].error.facts["file"] == name
    with pytest.raises(RKDeckError) as caught:
        measure(services, folder, PerplexityOptions())
    assert (caught.value.code, caught.value.facts["file"]) == (code, name)


def test_an_empty_tokenizer_on_the_hub_is_told(paths: AppPaths, tmp_path: Path) -> None:
    folder = write_random_model(tmp_path / "model")
    (folder / "tokenizer.json").write_bytes(b"")
    with DemoHub({"some/empty": folder}) as hub, Services(paths, Settings(hub_endpoint=hub.url)) as services:
        facts = hub_use.hub_report(services, "some/empty").facts
    assert facts is not None
    assert (facts.tokenizer, facts.hollow, facts.hollow_file) == (False, "empty", "tokenizer.json")


@pytest.mark.parametrize("name", ["config.json", INDEX])
def test_a_small_file_nobody_fetched_is_called_a_pointer(tmp_path: Path, name: str) -> None:
    folder = write_random_model(tmp_path / "model")
    _two_shards(folder, b"")
    (folder / name).write_bytes(POINTER)
    with pytest.raises(RKDeckError) as caught:
        load_local_facts(folder)
    assert (caught.value.code, caught.value.facts["file"]) == ("estimate.lfs_pointer", name)


@pytest.mark.parametrize("case", ["plain", "adapter", "gguf", "bin-only", "packed", "unmerged"])
def test_a_download_says_of_what_it_brought_what_every_door_says(services: Services, case: str) -> None:
    handle, _plan = hub_use.download(services, f"some/{case}", revision=None, include=(), exclude=(), to=None)
    problem = handle.result(120.0)["problem"]
    # What a board runs as it lies is what somebody came for, whether it can be converted or not.
    expected = None if case == "gguf" else CASES[case][1]
    assert (problem["code"] if isinstance(problem, dict) else problem) == expected


def _two_shards(folder: Path, second: bytes) -> None:
    """The weights in two files, and the index that names them."""
    (folder / "model.safetensors").rename(folder / SHARDS[0])
    (folder / SHARDS[1]).write_bytes(second)
    (folder / INDEX).write_text(json.dumps({"weight_map": {"x": SHARDS[0], "y": SHARDS[1]}}))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lfs_pointer, "estimate.lfs_pointer"),
        (lambda folder: _two_shards(folder, POINTER), "estimate.lfs_pointer"),
        (lambda folder: _two_shards(folder, b"0123456789"), "estimate.bad_file"),
        (lambda folder: (folder / "config.json").write_text("{"), "estimate.bad_config"),
    ],
    ids=["pointer", "a shard that is a pointer", "a shard that is none", "config"],
)
def test_a_download_says_that_what_came_cannot_be_read(
    paths: AppPaths, tmp_path: Path, change: Callable[[Path], None], code: str
) -> None:
    folder = write_random_model(tmp_path / "model")
    change(folder)
    with (
        DemoHub({"some/unsound": folder}) as hub,
        Services(paths, Settings(hub_endpoint=hub.url)) as services,
    ):

        def brings(*include: str) -> object:
            handle, _ = hub_use.download(
                services, "some/unsound", revision=None, include=include, exclude=(), to=None
            )
            return handle.result(120.0)["problem"]

        assert brings("tokenizer*") is None, "nobody asked for the model"
        problem = brings()
        assert isinstance(problem, dict)
        assert problem["code"] == code


def test_shards_without_an_index_are_measured_but_not_given_to_the_toolkit(tmp_path: Path) -> None:
    folder = write_random_model(tmp_path / "model")
    (folder / "model.safetensors").rename(folder / SHARDS[0])
    shape = build_shape(load_local_facts(folder))
    assert shape.from_headers
    assert "unindexed" in {note.code for note in shape.notes}
    with pytest.raises(LoadError):
        load_in_stand_in(folder)


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-32-be"])
def test_the_advice_on_an_encoding_makes_the_model_one_to_convert(
    tmp_path: Path, encoding: str, language: str
) -> None:
    folder = write_random_model(tmp_path / "model")
    before = load_local_facts(folder).config
    config_in(encoding)(folder)
    facts = load_local_facts(folder)
    assert facts.config == before, "measured it can be"
    refusal = why_no_source(facts)
    assert refusal is not None
    with pytest.raises(LoadError):
        load_in_stand_in(folder)
    command = word(refusal, language)[1].split("`")[1]
    subprocess.run(["sh", "-c", command], cwd=folder, check=True, timeout=60)
    assert why_no_source(load_local_facts(folder)) is None
    load_in_stand_in(folder)


def test_files_that_nobody_may_look_at_are_no_fault() -> None:
    # Links to a process' folders are not followed for everybody, not even for root in a container.
    assert "status" in local_names(Path("/proc/1"))


def test_a_folder_of_more_files_than_any_model_has_is_looked_at_in_part(tmp_path: Path) -> None:
    folder = write_random_model(tmp_path / "model")
    deep = folder / "a" / "b" / "c" / "d"
    deep.mkdir(parents=True)
    (deep / "too-deep.gguf").write_text("x")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "m.gguf").write_text("x")
    many = folder / "many"
    many.mkdir()
    for number in range(MAX_NAMES + 10):
        (many / str(number)).touch()
    names = local_names(folder)
    assert len(names) == MAX_NAMES
    assert {"config.json", "model.safetensors"} <= set(names)
    assert not any("gguf" in name for name in names)


def test_a_stale_index_keeps_nobody_from_the_weights(folders: dict[str, Path]) -> None:
    plain, stale = open_folder(folders["plain"]), open_folder(folders["stale-index"])
    assert [tensor.name for tensor in stale.tensors] == [tensor.name for tensor in plain.tensors]
    assert weight_names(folders["stale-index"]) == ["model.safetensors"], "the stand-in toolkit"


@pytest.mark.parametrize("case", ["gguf", "onnx"])
def test_no_level_is_promised_of_weights_the_toolkit_is_not_given(
    services: Services, folders: dict[str, Path], case: str
) -> None:
    facts = load_local_facts(folders[case])
    estimate = estimate_model(facts, get_platform("rk3588"), context=256)
    assert not any(row.supported for row in estimate.rows)
    offered = [
        row for row in estimate.rows if row.kind == "rkllm" and row.dtype in get_platform("rk3588").dtypes
    ]
    assert {row.reason.code for row in offered if row.reason} == {f"weights_{case}"}


@pytest.mark.parametrize("shards", [1, 2])
def test_the_stand_in_toolkit_reads_the_files_of_the_rule(tmp_path: Path, shards: int) -> None:
    folder = write_random_model(tmp_path / "model")
    if shards == 2:
        data = (folder / "model.safetensors").read_bytes()
        (folder / "model.safetensors").unlink()
        (folder / "one.safetensors").write_bytes(data)
        (folder / INDEX).write_text(json.dumps({"weight_map": {"x": "one.safetensors"}}))
    found: WeightFiles = local_weight_files(folder)
    assert list(found.files) == weight_names(folder)
