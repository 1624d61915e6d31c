"""What the stand-in toolkit makes of the demo model, as the stand-in runtime loads it: fewer bits, more loss."""

from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from core.demo.corpus import load_corpus
from core.demo.runtime.model import load_model
from core.demo.toolkit.api import RKLLM
from core.quantization.forward import Forward, perplexity

WINDOW, TOKENS = 128, 1024
DTYPES = ("w8a8", "w4a16_g32", "w4a16")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("levels")
    made = {}
    with resources.as_file(resources.files("resources") / "demo" / "wonderland-1m") as model:
        for dtype in DTYPES:
            toolkit = RKLLM()
            assert toolkit.load_huggingface(str(model)) == 0
            assert (
                toolkit.build(
                    quantized_dtype=dtype, target_platform="rk3576", num_npu_core=2, max_context=512
                )
                == 0
            )
            made[dtype] = folder / f"{dtype}.rkllm"
            assert toolkit.export_rkllm(str(made[dtype])) == 0
    return made


def test_size_logits_and_perplexity_are_in_the_right_order(files: dict[str, Path]) -> None:
    models = {dtype: load_model(path) for dtype, path in files.items()}
    tokenizer = Tokenizer.from_str(models["w8a8"].tokenizer_json)
    tokens = tokenizer.encode(load_corpus().held_out, add_special_tokens=False).ids[:TOKENS]
    passes = {
        dtype: Forward(model.config, model.weights, activation_bits=model.activation_bits)
        for dtype, model in models.items()
    }
    losses = {dtype: perplexity(forward, tokens, WINDOW) for dtype, forward in passes.items()}
    assert losses["w8a8"] < losses["w4a16_g32"] < losses["w4a16"]
    sizes = {dtype: path.stat().st_size for dtype, path in files.items()}
    assert sizes["w8a8"] > sizes["w4a16_g32"] > sizes["w4a16"]
    logits = {dtype: forward.logits(tokens[:64]) for dtype, forward in passes.items()}
    assert np.abs(logits["w8a8"] - logits["w4a16"]).max() > 0.01
    assert models["w8a8"].activation_bits == 8
    assert models["w4a16"].activation_bits is None
