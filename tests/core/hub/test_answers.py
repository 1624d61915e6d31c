"""What a search result tells of the weights before any header is read."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.base.errors import RKDeckError
from core.base.paths import AppPaths
from core.base.settings import Settings
from core.demo.hub.server import DemoHub
from core.fitness.target import FitTarget
from core.hub.download import plan_download
from core.hub.huggingface.answers import parse_detail, parse_summaries, parse_summary
from core.hub.records import SearchQuery
from core.services import Services
from core.usecases import fitting
from core.usecases import hub as hub_use
from core.vendor.platforms import get_platform
from tests.support.models import write_random_model

TARGET = FitTarget(get_platform("rk3588"), 256, 8 << 30)


@pytest.mark.parametrize(
    ("told", "weights", "quantization"),
    [
        ({"tags": ["safetensors"], "safetensors": {"parameters": {"BF16": 9}, "total": 9}}, None, None),
        ({"tags": ["gguf"]}, "gguf", None),
        ({"tags": ["gguf", "safetensors"]}, None, None),
        ({"tags": ["gguf", "rkllm"]}, None, None),
        ({"tags": ["pytorch", "onnx"]}, "pickle", None),
        ({"tags": ["onnx"]}, "onnx", None),
        ({"tags": ["safetensors", "base_model:adapter:some/base"]}, "adapter", None),
        ({"tags": ["base_model:quantized:some/base"]}, None, None),
        ({"config": {"quantization_config": {"quant_method": "awq"}}}, None, "awq"),
        ({"config": {"quantization_config": {}}}, None, None),
        ({"config": {"quantization": {"bits": 4}}}, None, "mlx"),
        ({"safetensors": {"parameters": {"U32": 8, "BF16": 2}, "total": 10}}, None, "packed in U32"),
        ({"safetensors": {"parameters": {"F8_E4M3": 8, "F32": 2}, "total": 10}}, None, "fp8"),
        ({"safetensors": {"parameters": {"I64": 1, "F16": 9}, "total": 10}}, None, None),
        ({"safetensors": {"parameters": ["U32"], "total": 10}}, None, None),
        ({"config": [], "tags": []}, None, None),
        # Of half a billion weights in words of eight codes, most elements are the embedding's.
        ({"safetensors": {"parameters": {"I32": 45, "F16": 136}, "total": 181}}, None, "packed in I32"),
        ({"safetensors": {"parameters": {"F8_E4M3": 100, "BF16": 168}, "total": 268}}, None, "fp8"),
        ({"safetensors": {"parameters": {"BOOL": 9, "F16": 1}, "total": 10}}, None, None),
        ({"tags": ["pytorch"], "siblings": [{"rfilename": "model.safetensors"}]}, None, None),
        ({"tags": ["safetensors"], "siblings": [{"rfilename": "model.fp16.safetensors"}]}, "variant", None),
        ({"tags": [], "siblings": [{"rfilename": "openvino_model.bin"}]}, "other", None),
        ({"tags": ["gguf"], "siblings": [{"rfilename": "README.md"}]}, "gguf", None),
    ],
)
def test_a_search_result_tells_the_form_of_the_weights(
    told: dict[str, object], weights: str | None, quantization: str | None
) -> None:
    summary = parse_summary({"id": "a/b", **told})
    assert (summary.weights, summary.quantization) == (weights, quantization)


SOUND = {"rfilename": "config.json", "size": 5}
WEIGHTS = {"rfilename": "model.safetensors", "size": 9}
ODD: dict[str, dict[str, object]] = {
    "negative": {"size": -1}, "text": {"size": "12"}, "none": {}, "more than any disk": {"size": 1e30},
    "no blob": {"size": 4, "blobId": "nonsense"}, "no digest": {"size": 4, "lfs": {}}, "no lfs": {"size": 4, "lfs": []},
}  # fmt: skip


def listed(*files: dict[str, object]) -> dict[str, object]:
    return {"id": "a/b", "sha": "c" * 40, "siblings": list(files)}


@pytest.mark.parametrize(
    "entry", [None, "x", {"rfilename": ""}, {"rfilename": None}, {"size": 4}, {"rfilename": 5}]
)
def test_an_entry_without_a_name_is_no_file(entry: object) -> None:
    found = parse_detail("a/b", {**listed(SOUND, WEIGHTS), "siblings": [SOUND, entry, WEIGHTS]})
    assert [file.path for file in found.files] == ["config.json", "model.safetensors"]


@pytest.mark.parametrize(
    "odd",
    [
        {"lastModified": "yesterday"}, {"lastModified": 5}, {"downloads": 1.5}, {"likes": "7"}, {"tags": ["a", None]},
        {"safetensors": []}, {"safetensors": 5}, {"safetensors": {"total": "many"}},
    ],
)  # fmt: skip
def test_what_only_adorns_a_model_stops_nothing(odd: dict[str, object]) -> None:
    assert len(parse_detail("a/b", {**listed(SOUND, WEIGHTS), **odd}).files) == 2


@pytest.mark.parametrize(
    "entry", [None, {}, {"id": 5}, {"id": "a/c", "sha": "short"}, {"id": "a/c", "tags": "text"}]
)
def test_an_odd_entry_of_a_search_costs_that_entry_only(entry: object) -> None:
    assert [model.repo for model in parse_summaries([{"id": "a/b"}, entry, {"id": "c/d"}], 9)] == [
        "a/b",
        "c/d",
    ]
    with pytest.raises(RKDeckError, match=r"hub\.strange_answer"):
        parse_summaries([entry], 9)


def test_a_file_that_is_told_twice_and_soundly_once_is_there() -> None:
    found = parse_detail("a/b", listed(SOUND, WEIGHTS, {**SOUND, "size": -1}))
    assert (len(found.files), found.left_out) == (2, ())


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", ["picture.png", "training_args.bin", "README.md", "onnx/model.onnx"])
def test_what_cannot_be_of_a_file_nobody_needs_costs_that_file_only(odd: str, name: str) -> None:
    found = parse_detail("a/b", listed(SOUND, WEIGHTS, {"rfilename": name, **ODD[odd]}))
    assert [file.path for file in found.files] == ["config.json", "model.safetensors"]
    plan = plan_download(found)
    assert len(plan.files) == 2
    assert [left.why for left in found.left_out] == ["strange"]
    assert plan.left_out == found.left_out or name == "onnx/model.onnx"  # superfluous anyway


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.model", "vocab.txt"])
def test_what_cannot_be_of_a_file_the_model_needs_is_told(odd: str, name: str) -> None:
    sound = [file for file in (SOUND, WEIGHTS) if file["rfilename"] != name]
    with pytest.raises(RKDeckError) as caught:
        parse_detail("a/b", listed(*sound, {"rfilename": name, **ODD[odd]}))
    assert caught.value.code in {"hub.strange_answer", "hub.impossible_size"}


@pytest.mark.parametrize(
    ("tags", "base"),
    [
        (("base_model:Qwen/Qwen3-0.6B",), "Qwen/Qwen3-0.6B"),
        (("base_model:Qwen/Qwen3-0.6B", "base_model:quantized:Qwen/Qwen3-0.6B"), "Qwen/Qwen3-0.6B"),
        (("rkllm", "base_model:some/made"), None),
        (("base_model:../../etc",), None),
        (("base_model:$(reboot)/x",), None),
        ((), None),
    ],
)
def test_the_base_is_what_the_tags_say_when_that_can_be_one(tags: tuple[str, ...], base: str | None) -> None:
    told = {"id": "some/made", "sha": "c" * 40, "tags": list(tags), "siblings": []}
    assert parse_detail("some/made", told).base == base


def _pack(folder: Path) -> Path:
    write_random_model(folder, quantization_config={"quant_method": "gptq"})
    return folder


def _gguf(folder: Path) -> Path:
    write_random_model(folder)
    (folder / "model.safetensors").unlink()
    (folder / "m.Q4_0.gguf").write_bytes(b"GGUF" + bytes(100))
    return folder


def _adapter(folder: Path) -> Path:
    write_random_model(folder)
    (folder / "model.safetensors").rename(folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "some/plain"}')
    return folder


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoHub]:
    root = tmp_path_factory.mktemp("repos")
    repos = {
        "some/plain": write_random_model(root / "plain"),
        "some/unnamed": write_random_model(root / "unnamed", architectures=None),
        "some/packed": _pack(root / "packed"),
        "some/gguf": _gguf(root / "gguf"),
        "some/adapter": _adapter(root / "adapter"),
    }
    with DemoHub(repos) as hub:
        yield hub


@pytest.mark.parametrize(
    ("repo", "verdict", "reason"),
    [
        ("some/plain", "ok", None), ("some/unnamed", "ok", None), ("some/packed", "failed", "quantized"),
        ("some/gguf", "failed", "weights_gguf"), ("some/adapter", "failed", "weights_adapter"),
    ],
)  # fmt: skip
def test_the_badge_says_the_same_before_and_after_the_headers(
    paths: AppPaths, hub: DemoHub, repo: str, verdict: str, reason: str | None
) -> None:
    with Services(paths, Settings(hub_endpoint=hub.url)) as services:
        page = hub_use.search(services, SearchQuery("some"))
        summary = next(model for model in page.models if model.repo == repo)
        for badge in (fitting.guess(summary, TARGET), fitting.exact_badge(services, summary, TARGET)):
            assert badge.verdict == verdict
            if reason is not None:
                assert badge.reason is not None
                assert badge.reason.code == reason
