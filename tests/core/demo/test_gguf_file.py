"""The demo model as GGUF: beside the official package, and through llama.cpp where it is there."""

import contextlib
import http.client
import json
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from core.demo.gguf_file import packed, write_model, write_projector
from core.model.inspect import inspect_file
from tests.support.gguf_files import NEEDS_GGUF

MODEL = Path(str(resources.files("resources") / "demo" / "wonderland-1m"))


@pytest.mark.parametrize("kind", ["f32", "f16", "q8_0", "q4_0"])
def test_blocks_are_those_of_the_official_package(kind: str) -> None:
    gguf = pytest.importorskip("gguf", reason=NEEDS_GGUF)
    weights = np.random.default_rng(1).standard_normal((64, 128)).astype(np.float32)
    weights[0] = 0
    theirs = gguf.quants.quantize(weights, gguf.GGMLQuantizationType[kind.upper()])
    assert packed(weights, kind) == theirs.tobytes()


def test_the_official_reader_finds_every_key_and_tensor(tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf", reason=NEEDS_GGUF)
    path = tmp_path / "m-Q8_0.gguf"
    write_model(path, MODEL, "q8_0")
    reader = gguf.GGUFReader(path)
    assert reader.get_field("tokenizer.ggml.pre").contents() == "gpt-2"
    assert reader.get_field("tokenizer.ggml.token_type").contents()[:4] == [3, 3, 3, 1]
    shapes = {tensor.name: list(map(int, tensor.shape)) for tensor in reader.tensors}
    assert len(shapes) == 4 * 9 + 3
    assert shapes["blk.0.ffn_down.weight"] == [384, 128]
    found = inspect_file(path)
    assert (found.dtype, found.architecture, found.max_context, found.problems) == ("q8_0", "llama", 512, ())
    originals = [array for shard in MODEL.glob("*.safetensors") for array in load_file(shard).values()]
    assert found.parameters == sum(array.size for array in originals)


def test_parts_hold_each_tensor_once_and_the_first_tells_what_the_model_is(tmp_path: Path) -> None:
    write_model(tmp_path / "m.gguf", MODEL, "q4_0", parts=3)
    found = [inspect_file(tmp_path / f"m-{number:05}-of-00003.gguf") for number in (1, 2, 3)]
    assert [(one.part, one.parts, one.problems) for one in found] == [(n, 3, ()) for n in (1, 2, 3)]
    assert [one.architecture for one in found] == ["llama", None, None]
    names = [tensor.name for one in found if one.gguf is not None for tensor in one.gguf.tensors]
    assert len(names) == len(set(names)) == 4 * 9 + 3


def test_a_part_for_pictures_says_that_it_is_one(tmp_path: Path) -> None:
    write_projector(tmp_path / "mmproj.gguf", 128)
    found = inspect_file(tmp_path / "mmproj.gguf")
    assert (found.role, found.is_model, found.problems) == ("mmproj", False, ())


@pytest.mark.parametrize(("kind", "parts"), [("f16", 1), ("q8_0", 3), ("q4_0", 1)])
def test_llama_cpp_loads_it_and_reads_text_as_its_tokenizer_does(
    tmp_path: Path, kind: str, parts: int
) -> None:
    xllamacpp = pytest.importorskip("xllamacpp", reason="xllamacpp (llama.cpp) is not installed")
    from tokenizers import Tokenizer

    write_model(tmp_path / "m.gguf", MODEL, kind, parts=parts)
    first = tmp_path / ("m.gguf" if parts == 1 else f"m-00001-of-{parts:05}.gguf")
    params = xllamacpp.CommonParams()
    params.model.path, params.n_ctx, params.n_parallel, params.cpuparams.n_threads = str(first), 512, 1, 1
    server = xllamacpp.Server(params)
    sentence = "Alice was beginning to get very tired of sitting by her sister."
    ours = Tokenizer.from_file(str(MODEL / "tokenizer.json")).encode(sentence).ids
    host = server.listening_address.removeprefix("http://")
    assert _asked(host, "/tokenize", {"content": sentence})["tokens"] == ours
    said = _asked(host, "/completion", {"prompt": "Alice was ", "n_predict": 24, "temperature": 0})
    assert len(said["content"].split()) > 3


def _asked(host: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    with contextlib.closing(http.client.HTTPConnection(host, timeout=60)) as connection:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        found: dict[str, Any] = json.loads(connection.getresponse().read())
        return found
