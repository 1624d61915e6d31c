"""Folders that hold a model, another thing, or a model in another form: each made of a sound one, and its answer."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
INDEX = "model.safetensors.index.json"


def _pickle(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _stale_index(folder: Path) -> None:
    (folder / INDEX).write_text(json.dumps({"weight_map": {"x": SHARDS[0], "y": SHARDS[1]}}))


def _adapter(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "some/plain"}')


def _gguf(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "tiny.Q4_0.gguf").write_bytes(b"GGUF" + bytes(100))


def _gguf_stub(folder: Path) -> None:
    _gguf(folder)
    (folder / "config.json").write_text('{"model_type": "llama"}')


def _onnx(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.onnx").write_bytes(bytes(100))


def _plain(_folder: Path) -> None:
    """As it is."""


def _gguf_below(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "Q4").mkdir()
    (folder / "Q4" / "tiny.gguf").write_bytes(b"GGUF" + bytes(100))


def _variant(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model.fp16.safetensors")


def _layout(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "consolidated.safetensors")


def _pipeline(folder: Path) -> None:
    (folder / "unet").mkdir()
    for name in ("config.json", "model.safetensors"):
        (folder / name).rename(folder / "unet" / name)
    (folder / "model_index.json").write_text("{}")


def _below(folder: Path) -> None:
    (folder / "fp16").mkdir()
    for name in ("config.json", "model.safetensors"):
        (folder / name).rename(folder / "fp16" / name)


def _packed(folder: Path) -> None:
    """Four bits in words of 32, and not a word of it in config.json."""
    path = folder / "model.safetensors"
    packed = {
        name: array.view(np.uint32) if array.ndim == 2 else array for name, array in load_file(path).items()
    }
    save_file(packed, path)


def _mlx(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"quantization": {"bits": 4, "group_size": 64}}))


def _unmerged(folder: Path) -> None:
    path = folder / "model.safetensors"
    wired = {name.replace("q_proj.", "q_proj.base_layer."): array for name, array in load_file(path).items()}
    save_file(wired, path)


def _renamed(change: Callable[[str], str]) -> Callable[[Path], None]:
    """The weights under other names, each by `change`."""

    def rename(folder: Path) -> None:
        path = folder / "model.safetensors"
        save_file({change(name): array for name, array in load_file(path).items()}, path)

    return rename


def _with_tensor(name: str) -> Callable[[Path], None]:
    """The weights and one tensor more."""

    def add(folder: Path) -> None:
        path = folder / "model.safetensors"
        save_file({**load_file(path), name: np.zeros((2, 2), np.float32)}, path)

    return add


def _stated(name: str, **members: object) -> Callable[[Path], None]:
    """A JSON file that says so much more."""

    def write(folder: Path) -> None:
        path = folder / name
        before = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps(before | members))

    return write


def _moved_to(name: str) -> Callable[[Path], None]:
    """The weights under another name, in another folder."""

    def move(folder: Path) -> None:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / "model.safetensors").rename(folder / name)

    return move


def config_in(encoding: str) -> Callable[[Path], None]:
    """config.json in another encoding."""

    def write(folder: Path) -> None:
        path = folder / "config.json"
        path.write_bytes(path.read_text().encode(encoding))

    return write


def _unindexed(folder: Path) -> None:
    arrays = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(arrays)
    for shard, part in zip(SHARDS, (names[::2], names[1::2]), strict=True):
        save_file({name: arrays[name] for name in part}, folder / shard)


def lfs_pointer(folder: Path) -> None:
    """What git leaves in place of weights it did not fetch."""
    (folder / "model.safetensors").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n"
    )


def _in_shards(folder: Path, places: dict[str, str], shards: dict[str, dict[str, np.ndarray]]) -> None:
    (folder / "model.safetensors").unlink()
    for name, arrays in shards.items():
        (folder / name).parent.mkdir(exist_ok=True)
        save_file(arrays, folder / name)
    (folder / INDEX).write_text(json.dumps({"weight_map": places}))


def _halves(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    arrays = load_file(folder / "model.safetensors")
    first = sorted(arrays)[: len(arrays) // 2]
    return {name: arrays[name] for name in first}, {
        name: array for name, array in arrays.items() if name not in first
    }


def _shard_below(folder: Path) -> None:
    """The index names a shard in a folder below."""
    one, two = _halves(folder)
    below = f"more/{SHARDS[1]}"
    places = dict.fromkeys(one, SHARDS[0]) | dict.fromkeys(two, below)
    _in_shards(folder, places, {SHARDS[0]: one, below: two})


def _shards_share(folder: Path) -> None:
    """One tensor lies in both shards, and the index names the first of them."""
    one, two = _halves(folder)
    places = dict.fromkeys(two, SHARDS[1]) | dict.fromkeys(one, SHARDS[0])
    _in_shards(folder, places, {SHARDS[0]: one, SHARDS[1]: two | dict(list(one.items())[:1])})


def _shard_unnamed(folder: Path) -> None:
    """A shard is there that the index does not name."""
    one, two = _halves(folder)
    _in_shards(folder, dict.fromkeys(one, SHARDS[0]), {SHARDS[0]: one, SHARDS[1]: two})


# What is done to a sound model, and the error every door then gives; None for a model to convert.
CASES: dict[str, tuple[Callable[[Path], None], str | None]] = {
    "plain": (_plain, None), "stale-index": (_stale_index, None), "bin-only": (_pickle, "model.pickle_only"),
    "adapter": (_adapter, "model.adapter_only"), "gguf": (_gguf, "model.gguf_only"),
    "gguf-stub": (_gguf_stub, "model.gguf_only"), "onnx": (_onnx, "model.onnx_only"),
    "packed": (_packed, "model.already_quantized"), "mlx": (_mlx, "model.already_quantized"),
    "unmerged": (_unmerged, "model.adapter_unmerged"), "gguf-below": (_gguf_below, "model.gguf_only"),
    "variant": (_variant, "model.variant_only"), "layout": (_layout, "model.layout_only"),
    "data-parallel": (_renamed("module.{}".format), "model.wrapped"),
    "compiled": (_renamed("_orig_mod.{}".format), "model.wrapped"),
    "compiled-blocks": (_renamed(lambda name: name.replace(".mlp.", "._orig_mod.mlp.")), "model.wrapped"),
    **{
        f"wrapped-{number}": (_renamed(change), "model.wrapped")
        for number, change in enumerate((
            "pretrained_model.{}".format, "actor.{}".format, "student.model.{}".format, "state_dict.{}".format,
            "llm.{}".format, "model.{}".format, lambda name: name.replace("model.", "model.module.", 1),
        ))
    },
    **{
        f"misnamed-{number}": (_renamed(change), "model.misnamed")
        for number, change in enumerate((
            lambda name: name.replace("proj.weight", "proj.parametrizations.weight.original"),
            lambda name: name.replace("q_proj.weight", "q_proj.linear.weight"),
            lambda name: name.replace("self_attn", "attention"),
        ))
    },
    "incomplete": (_renamed(lambda name: name.replace("layers.1.", "layers.7.")), "model.incomplete"),
    "architectures-text": (
        _stated("config.json", architectures="LlamaForCausalLM"), "model.odd_architectures",
    ),
    "architectures-null-in-list": (_stated("config.json", architectures=[None]), "model.odd_architectures"),
    "shard-below": (_shard_below, None), "shards-share": (_shards_share, None),
    "shard-unnamed": (_shard_unnamed, "model.incomplete"),
    "inner-model": (_renamed(lambda name: name.removeprefix("model.")), None),
    "peft-wrapped": (_renamed("base_model.model.{}".format), "model.wrapped"),
    **{
        f"form-{ending}": (_moved_to(f"rkllm-no.{ending}"), "model.other_form")
        for ending in (
            "rknn", "pt", "pth", "ckpt", "h5", "msgpack", "tflite", "engine", "mlmodel",
        )
    },
    **{
        f"form-{name}": (_moved_to(name), "model.other_form")
        for name in ("openvino_model.bin", "params_shard_0.bin", "model.bin", "ggml-model-q4_0.bin")
    },
    "config-utf-16": (config_in("utf-16"), "model.config_encoding"),
    "config-mark": (config_in("utf-8-sig"), "model.config_encoding"),
    "checkpoint": (_moved_to("checkpoint-500/model.safetensors"), "model.in_folder"),
    "unindexed": (_unindexed, "model.unindexed"),
    "quantization-empty": (_stated("config.json", quantization_config={}), None),
    "quantization-null": (_stated("config.json", quantization_config=None), None),
    "quantization-nulls": (_stated("config.json", quantization_config={"quant_method": None}), None),
    "quantization-unnamed": (
        _stated("config.json", quantization_config={"quant_method": None, "bits": 4}), "model.already_quantized",
    ),
    "compression": (
        _stated("config.json", compression_config={"format": "pack-quantized"}), "model.already_quantized",
    ),
    **{
        f"beside-{name}": (_stated(name, bits=4), "model.already_quantized")
        for name in ("quantize_config.json", "quant_config.json", "hf_quant_config.json", "quanto_qmap.json")
    },
    "pipeline": (_pipeline, "model.pipeline"), "below": (_below, "model.in_folder"),
    **{
        f"adapter-{part.partition('_')[0]}": (
            _with_tensor(f"model.layers.0.self_attn.q_proj.{part}"), "model.adapter_unmerged",
        )
        for part in (
            "lora_magnitude_vector", "ia3_l", "hada_w1_a", "lokr_w1", "vera_lambda_b", "bone_block",
            "miss_block", "road_theta", "gralora_A", "delora_lambda", "original_module",
        )
    },
    "adapter-xlora": (_with_tensor("internal_xlora_classifier.layers.0.weight"), "model.adapter_unmerged"),
    "adapter-prompt": (_with_tensor("prompt_embeddings"), "model.adapter_unmerged"),
}  # fmt: skip
