"""`from rkllm.api import RKLLM`: the calls of rkllm-toolkit 1.3.0. Each returns 0 or -1 and never raises."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.demo.container import TOOLKIT_VERSION, Tensor, write_container
from core.demo.toolkit.checks import BuildError, check_build, check_shapes
from core.demo.toolkit.loading import Checkpoint, LoadError, load_checkpoint
from core.demo.toolkit.offers import DTYPES
from core.demo.toolkit.stages import bar, say
from core.quantization.affine import Quantized, dequantize, pack_int4, quantize_linear
from core.quantization.forward import Forward, linear_names, read_shape

OK, FAILED = 0, -1
_FLOAT_BITS = 16
_LOAD_DTYPES = ("float32", "float16", "bfloat16")


class RKLLM:
    """One conversion: load, build, export."""

    def __init__(self) -> None:
        say("INFO", "SIMULATED rkllm-toolkit: RKDeck's stand-in, its files run on simulated boards only")
        say("INFO", f"rkllm-toolkit version: {TOOLKIT_VERSION}")
        self._checkpoint: Checkpoint | None = None
        self._built: dict[str, Quantized] = {}
        self._recipe: dict[str, Any] = {}

    def load_huggingface(
        self,
        model: str,
        model_lora: str | None = None,
        device: str = "cpu",
        dtype: str = "float32",
        custom_config: str | None = None,
        load_weight: bool = True,
    ) -> int:
        """Load a model folder in Hub layout."""

        def load() -> None:
            if device == "cuda":
                say("WARNING", "Cuda device not available! switch to cpu device!")
            if dtype not in _LOAD_DTYPES:
                raise LoadError(f"dtype: {dtype} is not supported!")
            if model_lora is not None or custom_config is not None or not load_weight:
                raise LoadError(
                    "model_lora, custom_config and load_weight=False are beyond the simulated toolkit"
                )
            self._checkpoint = load_checkpoint(Path(model))

        return _guarded("loading model", load)

    def load_gguf(self, model: str) -> int:
        """Refuse: the stand-in reads safetensors only."""
        say("ERROR", f"Not support GGUF in the simulated toolkit: {model}")
        return FAILED

    def build(
        self,
        do_quantization: bool = True,
        optimization_level: int = 1,
        quantized_dtype: str = "w8a8",
        quantized_algorithm: str = "normal",
        target_platform: str = "rk3588",
        num_npu_core: int = 3,
        extra_qparams: str | None = None,
        dataset: str | None = None,
        hybrid_rate: float = 0,
        max_context: int = 4096,
    ) -> int:
        """Quantize the linear weights."""
        dtype, platform = quantized_dtype.lower(), target_platform.lower()

        def build() -> None:
            self._built = {}
            checkpoint = self._loaded()
            if not do_quantization or extra_qparams is not None or hybrid_rate:
                raise BuildError("FP16, extra_qparams, hybrid_rate are beyond the simulated toolkit")
            check_build(
                dtype=dtype, platform=platform, cores=num_npu_core, context=max_context,
                algorithm=quantized_algorithm, optimization=optimization_level, hybrid_rate=hybrid_rate,
            )  # fmt: skip
            if dataset is not None:
                _read_dataset(Path(dataset))
            linear = _linear_weights(checkpoint)
            shapes = {name: (values.shape[0], values.shape[1]) for name, values in linear.items()}
            check_shapes(checkpoint.config, shapes, dtype)
            self._built = self._quantize(linear, dtype)
            self._recipe = {
                "dtype": dtype, "platform": platform, "npu_cores": num_npu_core, "max_context": max_context,
                "optimization_level": optimization_level, "quantized_algorithm": quantized_algorithm,
            }  # fmt: skip

        return _guarded("optimizing model", build)

    def export_rkllm(
        self, export_path: str, export_tokenizer: bool = True, export_embedding: bool = True
    ) -> int:
        """Write the file."""

        def export() -> None:
            if not export_tokenizer or not export_embedding:
                raise BuildError("export without tokenizer or embedding is beyond the simulated toolkit")
            checkpoint = self._loaded()
            if not self._built:
                raise BuildError("please build the model before exporting it")
            tensors = [self._tensor(name) for name in bar("Converting model", self._names(checkpoint))]
            say("INFO", f"Setting max_context_limit to {self._recipe['max_context']}")
            say("INFO", "Exporting the model, please wait ....")
            sections = {"tokenizer": checkpoint.tokenizer_json.encode()}
            write_container(Path(export_path), self._metadata(checkpoint), sections, tensors)
            say("INFO", f"[{'=' * 49}>] {len(tensors)}/{len(tensors)} (100%)")
            say("INFO", f"Model has been saved to {export_path}!")

        return _guarded("converting model", export)

    def get_logits(self, inputs: dict[str, Any]) -> npt.NDArray[np.float32] | None:
        """Logits (tokens, vocabulary) of `inputs["input_ids"]` after `build`; None on failure."""
        found: list[npt.NDArray[np.float32]] = []

        def compute() -> None:
            checkpoint = self._loaded()
            weights = {**checkpoint.weights, **{name: dequantize(item) for name, item in self._built.items()}}
            config = {**checkpoint.config, "tie_word_embeddings": False}
            bits = _rounded_inputs(self._recipe["dtype"])
            tokens = np.asarray(inputs["input_ids"]).reshape(-1)
            found.append(Forward(config, weights, activation_bits=bits).logits(tokens))

        return found[0] if _guarded("running model", compute) == OK else None

    def _loaded(self) -> Checkpoint:
        if self._checkpoint is None:
            raise BuildError("please load a model first")
        return self._checkpoint

    def _quantize(self, linear: dict[str, npt.NDArray[np.float32]], dtype: str) -> dict[str, Quantized]:
        """Quantize under two bars: `Building` counts tensors, `Optimizing` layers, as the real ones do."""
        bits, _inputs, group = DTYPES[dtype]
        for _ in bar("Building model", list(linear)):
            continue
        layers: dict[str, list[str]] = {}
        for name in linear:
            layers.setdefault(".".join(name.split(".")[:3]), []).append(name)
        built = {}
        for names in bar("Optimizing model", list(layers.values())):
            built.update({name: quantize_linear(linear[name], bits, group) for name in names})
        return built

    def _names(self, checkpoint: Checkpoint) -> Sequence[str]:
        return [*sorted(set(checkpoint.weights) - set(self._built)), *sorted(self._built)]

    def _tensor(self, name: str) -> Tensor:
        if name not in self._built:
            return Tensor(name, {"values": self._loaded().weights[name].astype(np.float16)})
        item = self._built[name]
        values = pack_int4(item.values) if item.bits == 4 else item.values
        attributes = {"bits": item.bits, "group_size": item.group_size, "shape": list(item.shape)}
        return Tensor(
            name, {"values": values, "scale": item.scale, "zero_point": item.zero_point}, attributes
        )

    def _metadata(self, checkpoint: Checkpoint) -> dict[str, Any]:
        words = checkpoint.tokenizer_config
        return {
            **self._recipe,
            "simulated": True,
            "toolkit_version": TOOLKIT_VERSION,
            "architecture": checkpoint.architecture,
            # The head is stored of its own, tied or not, as the real toolkit does.
            "config": {**checkpoint.config, "tie_word_embeddings": False},
            "chat_template": checkpoint.chat_template,
            "template_words": {
                key: words[key]
                for key in ("bos_token", "eos_token", "pad_token")
                if isinstance(words.get(key), str)
            },
            "end_tokens": checkpoint.end_tokens,
        }


def _rounded_inputs(dtype: str) -> int | None:
    """Bits the inputs of linear layers are rounded to, None where they stay floats."""
    bits = DTYPES[dtype][1]
    return bits if bits < _FLOAT_BITS else None


def _linear_weights(checkpoint: Checkpoint) -> dict[str, npt.NDArray[np.float32]]:
    shape, weights = read_shape(checkpoint.config), checkpoint.weights
    linear = {name: weights[name] for name in linear_names(shape)}
    if shape.tied:
        linear["lm_head.weight"] = weights["model.embed_tokens.weight"]
    return linear


def _read_dataset(path: Path) -> None:
    samples = json.loads(path.read_text("utf-8"))
    if not isinstance(samples, list) or not all(
        isinstance(sample, dict) and {"input", "target"} <= set(sample) for sample in samples
    ):
        raise BuildError('the dataset must be a list of {"input": ..., "target": ...}')
    say("INFO", f"Generating train split: {len(samples)} examples")


def _guarded(doing: str, work: Callable[[], None]) -> int:
    """The real toolkit logs whatever goes wrong and returns -1; so does this one."""
    try:
        work()
    except (BuildError, LoadError) as error:
        say("ERROR", str(error))
        return FAILED
    except Exception as error:  # noqa: BLE001  # the documented contract: nothing is raised to the caller
        say("ERROR", f"Catch exception when {doing}: {error}")
        return FAILED
    return OK
