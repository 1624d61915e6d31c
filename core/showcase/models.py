"""What the demo's hub shows besides its one real model: facts of well-known ones, and files that are ready-made."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.base import tomldata
from core.base.errors import RKDeckError
from core.demo.gguf_file import write_model, write_projector
from core.demo.hub.repos import NOTES
from core.estimate.known_models import KnownModel, known_models
from core.model.headers import TensorInfo

READY_REPO = "rkdeck-demo/ready-made-rkllm"
GGUF_REPO, PARTS_REPO = "rkdeck-demo/ready-made-gguf", "rkdeck-demo/ready-made-gguf-parts"
_FILE = "demo/known_models.toml"
_READY = (("w8a8", "rk3588", 3), ("w4a16_g32", "rk3576", 2))
# Rows of 128 exclude the K-quants, whose blocks have 256 elements.
_QUANTIZATIONS = ("f16", "q8_0", "q4_0")
_PARTS = 3
_CARD = """# {repo} (facts only)

RKDeck's built-in hub shows this model's configuration and tensor headers, so that its memory and speed can be
estimated. **There are no weights behind them**: nothing can be downloaded here.

Shapes: {source} (see resources/calibration/models.toml).
"""
_CONVERT = """
import sys
from rkllm.api import RKLLM
model, dtype, platform, cores, target = sys.argv[1:]
toolkit = RKLLM()
steps = (
    lambda: toolkit.load_huggingface(model),
    lambda: toolkit.build(quantized_dtype=dtype, target_platform=platform, num_npu_core=int(cores), max_context=512),
    lambda: toolkit.export_rkllm(target),
)
sys.exit(any(step() != 0 for step in steps))
"""


def write_known_models(folder: Path) -> dict[str, Path]:
    """Write configuration and headers of each known model below `folder`; returns the folders by repository."""
    found = {}
    for table in tomldata.subtables(tomldata.load_toml(_FILE), "model", _FILE):
        model = known_models()[tomldata.text(table, "name", _FILE)]
        repo = str(table.get("repo", model.repo))
        found[repo] = folder / repo.replace("/", "--")
        _write_model(found[repo], repo, model, table)
    return found


def _write_model(folder: Path, repo: str, model: KnownModel, table: Mapping[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    config = {**model.config, **table.get("config", {})}
    (folder / "config.json").write_text(json.dumps(config, indent=1), "utf-8")
    (folder / "README.md").write_text(_CARD.format(repo=repo, source=model.source), "utf-8")
    count = int(table.get("shards", 1))
    names = (
        ["model.safetensors"]
        if count == 1
        else [f"model-{number:05d}-of-{count:05d}.safetensors" for number in range(1, count + 1)]
    )
    sizes: dict[str, int] = {}
    places: dict[str, str] = {}
    for name, tensors in zip(names, _cut(model.tensors, count), strict=True):
        header = _header(tensors)
        (folder / name).write_bytes(header)
        sizes[name] = len(header) + sum(tensor.size_bytes for tensor in tensors)
        places |= {tensor.name: name for tensor in tensors}
    if count > 1:
        total = sum(tensor.size_bytes for tensor in model.tensors)
        index = {"metadata": {"total_size": total}, "weight_map": places}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")
    tags = [f"license:{table['license']}"] if "license" in table else []
    (folder / NOTES).write_text(json.dumps({"tags": tags, "sizes_bytes": sizes}), "utf-8")


def _cut(tensors: Sequence[TensorInfo], count: int) -> list[list[TensorInfo]]:
    """Tensors in their order, in shards of about equal size."""
    each = sum(tensor.size_bytes for tensor in tensors) / count
    shards: list[list[TensorInfo]] = [[] for _ in range(count)]
    done = 0
    for tensor in tensors:
        shards[min(count - 1, int(done / each))].append(tensor)
        done += tensor.size_bytes
    return shards


def _header(tensors: Sequence[TensorInfo]) -> bytes:
    """The first bytes of a safetensors file with these tensors."""
    entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for tensor in tensors:
        begin, end = end, end + tensor.size_bytes
        entries[tensor.name] = {"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [begin, end]}
    data = json.dumps(entries, separators=(",", ":")).encode()
    data += b" " * (-len(data) % 8)
    return len(data).to_bytes(8, "little") + data


def write_gguf_files(folder: Path, model: Path, base: str) -> dict[str, Path]:
    """Write the demo's model as GGUF, which llama.cpp runs, below `folder`; returns the folders by repository.

    One repository has a file a quantization and a part for pictures beside them, the other one model in parts.
    """
    whole, parts = (folder / repo.replace("/", "--") for repo in (GGUF_REPO, PARTS_REPO))
    for place in (whole, parts):
        place.mkdir(parents=True, exist_ok=True)
        told = "made of it by RKDeck, for llama.cpp. The part for pictures (mmproj) is a header with zeros behind it."
        (place / "README.md").write_text(f"# {base} as GGUF\n\n{base}, {told}\n", "utf-8")
        tags = ["license:other", f"base_model:{base}", f"base_model:quantized:{base}"]
        (place / NOTES).write_text(json.dumps({"tags": tags}), "utf-8")
    for quantization in _QUANTIZATIONS:
        write_model(whole / f"{model.name}-{quantization.upper()}.gguf", model, quantization)
    write_projector(whole / f"mmproj-{model.name}-F16.gguf", 128)
    write_model(parts / f"{model.name}-Q8_0.gguf", model, "q8_0", parts=_PARTS)
    return {GGUF_REPO: whole, PARTS_REPO: parts}


def write_ready_files(folder: Path, model: Path, base: str, toolkit_python: Path) -> Path:
    """Convert the demo's model with the stand-in toolkit for two SoCs; files that are there already stay.

    Raises:
        RKDeckError: `demo.part_failed` when a conversion fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    running = []
    for dtype, platform, cores in _READY:
        target = folder / f"{model.name}_{dtype.upper()}_{platform.upper()}.rkllm"
        if not target.exists():
            command = [
                str(toolkit_python),
                "-c",
                _CONVERT,
                str(model),
                dtype,
                platform,
                str(cores),
                str(target),
            ]
            running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    for process in running:
        if (code := process.wait()) != 0:
            raise RKDeckError("demo.part_failed", part="ready-made files", exit_code=code)
    (folder / "README.md").write_text(
        f"# Ready-made files (SIMULATED)\n\nMade of {base} by RKDeck's stand-in toolkit: for simulated boards only.\n"
    )
    tags = ["rkllm", "license:other", f"base_model:{base}", f"base_model:quantized:{base}"]
    (folder / NOTES).write_text(json.dumps({"tags": tags}), "utf-8")
    return folder
