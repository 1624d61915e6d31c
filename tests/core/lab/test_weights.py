"""What is read from model folders: sorted, in every stored type, and refused in clear words."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core.base.errors import RefusedError, RKDeckError
from core.lab.analysis import analyse
from core.lab.errors import Measurer
from core.lab.scheme import analysed_levels
from core.lab.weights import MAX_INPUTS, open_folder, read_rows
from core.quantization.approximate import approximate, measure
from core.quantization.storage import widen_into
from core.vendor.levels import get_level
from core.words import word
from tests.support.checkpoints import (
    EMBEDDING,
    NORM,
    Q_PROJ,
    normal,
    write_model,
    write_safetensors,
    write_sparse_model,
)
from tests.support.models import LAYERS, write_random_model

ROOT = Path(__file__).parents[3]
DEMO = ROOT / "resources" / "demo" / "wonderland-1m"
PEAK_LIMIT_MIB = 600


def test_linear_weights_embeddings_and_norms_are_told_apart(tmp_path: Path) -> None:
    folder = open_folder(write_random_model(tmp_path / "m"))
    roles: dict[str, list[str]] = {}
    for tensor in folder.tensors:
        roles.setdefault(tensor.role, []).append(tensor.kind)
    assert len(roles["linear"]) == LAYERS * 7 + 1
    assert roles["linear"][-1] == "lm_head"
    assert roles["embedding"] == ["embed_tokens"]
    assert len(roles["norm"]) == LAYERS * 2 + 1
    assert [tensor.layer for tensor in folder.linear] == [0] * 7 + [1] * 7 + [None]


def test_a_tied_head_is_the_embedding_once_more(tmp_path: Path) -> None:
    folder = open_folder(write_model(tmp_path / "m", {Q_PROJ: ("F32", (64, 64), None)}))
    assert [(tensor.name, tensor.kind) for tensor in folder.linear] == [
        (Q_PROJ, "q_proj"),
        (EMBEDDING, "lm_head"),
    ]
    assert folder.find(EMBEDDING).role == "linear"
    assert sum(tensor.name == EMBEDDING for tensor in folder.tensors) == 2


def test_layers_come_in_their_order_whatever_the_file_says(tmp_path: Path) -> None:
    tensors = {f"model.layers.{n}.mlp.up_proj.weight": ("F32", (4, 64), None) for n in (10, 2, 0, 1)}
    folder = open_folder(write_model(tmp_path / "m", tensors, num_hidden_layers=11))
    assert [tensor.layer for tensor in folder.linear] == [0, 1, 2, 10, None]


@pytest.mark.parametrize("dtype", ["F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"])
def test_every_stored_type_is_measured(tmp_path: Path, dtype: str) -> None:
    weights = normal(64, 64)
    stored = {
        "F64": weights.astype("<f8").tobytes(),
        "F32": weights.tobytes(),
        "F16": weights.astype("<f2").tobytes(),
        "BF16": (weights.view("<u4") >> 16).astype("<u2").tobytes(),
        "F8_E5M2": (weights.astype("<f2").view("<u2") >> 8).astype("u1").tobytes(),
        "F8_E4M3": np.random.default_rng(1).integers(0, 0x7F, weights.size).astype("u1").tobytes(),
    }[dtype]
    folder = open_folder(write_model(tmp_path / "m", {Q_PROJ: (dtype, (64, 64), stored)}))
    tensor = folder.find(Q_PROJ)
    rows = read_rows(folder.places[Q_PROJ], tensor, 0, 64)
    wide = np.empty((64, 64), np.float32)
    widen_into(rows, dtype, wide)
    with Measurer() as measurer:
        found = measurer.measure(folder.places[Q_PROJ], tensor, analysed_levels())
    assert found.problem is None
    error = found.level("w4a16_g32")
    assert error is not None
    assert error.mse == pytest.approx(measure(wide, approximate(wide, get_level("w4a16_g32"))).mse, rel=1e-4)


def test_experts_of_one_tensor_are_measured_along_their_inputs(tmp_path: Path) -> None:
    name, experts, inputs, outputs = "model.layers.0.mlp.experts.gate_up_proj", 3, 96, 40
    stored = normal(experts, inputs, outputs)
    model = write_model(
        tmp_path / "m", {name: ("F32", stored.shape, stored.tobytes()), Q_PROJ: ("F32", (64, 64), None)},
        architectures=["GptOssForCausalLM"], num_local_experts=3,
    )  # fmt: skip
    folder = open_folder(model)
    tensor = folder.find(name)
    assert (tensor.outputs, tensor.inputs, tensor.modules, tensor.turned) == (outputs, inputs, experts, True)
    with Measurer() as measurer:
        found = measurer.measure(folder.places[name], tensor, [get_level("w4a16_g32")])
    flat = np.ascontiguousarray(stored.transpose(0, 2, 1)).reshape(-1, inputs)
    plain = measure(flat, approximate(flat, get_level("w4a16_g32")))
    assert found.levels[0].mse == pytest.approx(plain.mse, rel=1e-4)
    assert found.weights == stored.size


@pytest.mark.parametrize(
    ("dtype", "shape", "data", "code"),
    [
        ("F32", (2, 32), np.array([np.nan] * 3 + [1.0] * 61, "<f4").tobytes(), "lab.not_finite"),
        ("F16", (2, 32), np.array([np.inf] + [1.0] * 63, "<f2").tobytes(), "lab.not_finite"),
        ("F32", (0, 64), b"", "lab.empty"),
        ("F32", (1, MAX_INPUTS + 32), None, "lab.row_too_long"),
    ],
)
def test_a_bad_tensor_is_named_and_the_others_go_on(
    tmp_path: Path, dtype: str, shape: tuple[int, int], data: bytes | None, code: str
) -> None:
    other = "model.layers.0.self_attn.k_proj.weight"
    tensors = {Q_PROJ: (dtype, shape, data), other: ("F32", (64, 64), normal(64, 64).tobytes())}
    found = analyse(open_folder(write_model(tmp_path / "m", tensors)))
    bad = next(tensor for tensor in found.tensors if tensor.name == Q_PROJ)
    assert bad.problem is not None
    assert (bad.problem.code, bad.levels, bad.rms) == (code, (), None)
    assert Q_PROJ in word(bad.problem)[0]
    assert [problem.code for problem in found.problems] == [code]
    good = next(tensor for tensor in found.tensors if tensor.name == other)
    assert good.level("w4a16") is not None
    # The whole is of what could be measured.
    assert found.level("w4a16") is not None


def test_a_norm_is_no_matrix_and_an_unknown_name_gets_examples(tmp_path: Path) -> None:
    folder = open_folder(write_model(tmp_path / "m", {Q_PROJ: ("F32", (64, 64), None)}))
    with Measurer() as measurer:
        found = measurer.measure(folder.places[NORM], folder.find(NORM), analysed_levels())
    assert found.problem is not None
    assert found.problem.code == "lab.not_linear"
    with pytest.raises(RKDeckError) as caught:
        folder.find("q_proj\x1b[2J")
    assert caught.value.code == "lab.no_tensor"
    assert Q_PROJ in word(caught.value)[1]


def test_a_matrix_of_integers_is_not_measured(tmp_path: Path) -> None:
    folder = open_folder(write_model(tmp_path / "m", {Q_PROJ: ("I8", (2, 32), bytes(64))}))
    with Measurer() as measurer:
        found = measurer.measure(folder.places[Q_PROJ], folder.find(Q_PROJ), analysed_levels())
    assert found.problem is not None
    assert found.problem.code == "lab.dtype"
    assert Q_PROJ in word(found.problem)[0]
    # One matrix is enough to know the whole for somebody's packing, though the configuration is silent.
    with pytest.raises(RefusedError) as caught:
        analyse(folder)
    assert caught.value.code == "model.already_quantized"


def test_files_that_vanish_or_shrink_are_told(tmp_path: Path) -> None:
    model = write_model(tmp_path / "m", {Q_PROJ: ("F32", (64, 64), None)})
    folder = open_folder(model)
    file = model / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-5000])
    with pytest.raises(RKDeckError) as caught:
        analyse(folder)
    assert caught.value.code == "lab.unreadable"
    file.unlink()
    with pytest.raises(RKDeckError) as caught:
        analyse(folder)
    assert caught.value.code == "lab.unreadable"


def test_folders_without_weights_and_damaged_ones_are_refused(tmp_path: Path) -> None:
    empty = write_model(tmp_path / "empty", {})
    (empty / "model.safetensors").unlink()
    with pytest.raises(RKDeckError) as caught:
        open_folder(empty)
    assert caught.value.code == "model.no_weights"
    quantized = write_model(
        tmp_path / "gptq", {Q_PROJ: ("F32", (64, 64), None)}, quantization_config={"quant_method": "gptq"}
    )
    with pytest.raises(RKDeckError) as caught:
        analyse(open_folder(quantized))
    assert caught.value.code == "model.already_quantized"
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "config.json").write_text(json.dumps({"architectures": ["X"], "model_type": "x"}))
    write_safetensors(bare / "model.safetensors", {"weight": ("F32", (4, 4), None)})
    with pytest.raises(RKDeckError) as caught:
        analyse(open_folder(bare))
    assert caught.value.code == "lab.no_linear"


def test_shards_are_read_where_the_index_says() -> None:
    folder = open_folder(DEMO)
    assert len({place.file for place in folder.places.values()}) == 2
    assert len(folder.linear) == 29


def test_memory_stays_bounded_on_a_file_larger_than_the_limit(tmp_path: Path) -> None:
    model = write_sparse_model(tmp_path / "m", layers=2, rows=38_400)
    assert (model / "model.safetensors").stat().st_size > 1.2e9
    code = (
        "import sys; from pathlib import Path; from core.lab.analysis import analyse;"
        "from core.lab.weights import open_folder; from core.vendor.levels import get_level;"
        "found = analyse(open_folder(Path(sys.argv[1])), levels=[get_level('w8a8')]);"
        "assert found.bytes_read > 1.2e9; print(Path('/proc/self/status').read_text())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(model)], capture_output=True, text=True, cwd=ROOT, timeout=120
    )
    assert done.returncode == 0, done.stderr
    # Not getrusage: its peak begins with that of the process that started this one.
    peak = next(line for line in done.stdout.splitlines() if line.startswith("VmHWM"))
    assert int(peak.split()[1]) / 1024 < PEAK_LIMIT_MIB
