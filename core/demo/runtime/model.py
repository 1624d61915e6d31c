"""Load a simulated model file into the stand-in runtime: verify, check, dequantize.

`core.demo.container` is the form; the content is what `core.demo.toolkit` writes: config, chat template and
end tokens as metadata, the tokenizer as a section, weights named as in the checkpoint.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.demo.container import Container, ContainerError, Tensor, read_container
from core.demo.runtime.engine import Model
from core.demo.runtime.refusals import StartError
from core.quantization.affine import QuantizationError, Quantized, dequantize, unpack_int4

_DTYPE = re.compile(r"(?:fp16_rkllm|w(?:4|8)a(8|16)(?:_g\d+)?)\Z")
_MAX_CORES = 16
_INVALID = "invalid rkllm model!"


def load_model(path: Path) -> Model:
    """Return the model of a file.

    Raises:
        StartError: with the reason; a changed byte anywhere is one.
    """
    try:
        container = read_container(path)
    except ContainerError as error:
        raise StartError(error.code, _container_words(error)) from error
    except OSError as error:
        raise StartError("unreadable", f"load model file error! {error.strerror}") from error
    try:
        return _model(path, container)
    except (KeyError, ValueError, TypeError, QuantizationError) as error:
        raise StartError("content", f"{_INVALID} {type(error).__name__}: {error}"[:400]) from error


def check_fit(model: Model, platform: str | None, max_context: int | None) -> Model:
    """Refuse what the board cannot run; return the model with the context it will be run with.

    Args:
        model: as loaded.
        platform: the board's SoC, `RK3588`.
        max_context: what the caller wants; None takes what the file was built for.

    Raises:
        StartError: in the vendor's words (strings of librkllmrt).
    """
    if platform is None:
        raise StartError("platform_unknown", "Query platform error!")
    if model.platform.upper() != platform.upper():
        raise StartError(
            "platform",
            f"the model's target_platform does not match the real platform: "
            f"{model.platform.upper()} and {platform.upper()}",
        )
    if max_context is not None and not 0 < max_context <= model.max_context:
        raise StartError(
            "max_context",
            f"max_context[{max_context}] must be less than "
            f"the model's max_context_limit[{model.max_context}]",
        )
    return model if max_context is None else replace(model, max_context=max_context)


def _container_words(error: ContainerError) -> str:
    words = {
        "container.not_simulated": f"{_INVALID} invalid magic characters",
        "container.truncated": f"{_INVALID} the file ends too early",
        "container.digest": f"{_INVALID} its content does not match its digest: the file is damaged",
    }
    return words.get(error.code, f"{_INVALID} {error.facts.get('reason', error.code)}")


def _model(path: Path, container: Container) -> Model:
    metadata = container.metadata
    dtype = _text(metadata, "dtype")
    match = _DTYPE.match(dtype)
    if match is None:
        raise ValueError(f"unknown dtype {dtype[:50]}")
    template, words = metadata.get("chat_template"), metadata.get("template_words") or {}
    return Model(
        title=path.stem[:200],
        dtype=dtype,
        platform=_text(metadata, "platform"),
        npu_cores=_whole(metadata, "npu_cores", _MAX_CORES),
        max_context=_whole(metadata, "max_context", 1 << 20),
        toolkit_version=_text(metadata, "toolkit_version"),
        sha256=container.sha256,
        config=dict(metadata["config"]),
        weights={tensor.name: _weights(tensor) for tensor in container.tensors},
        activation_bits=8 if match[1] == "8" else None,
        tokenizer_json=container.sections["tokenizer"].decode(),
        chat_template=template if isinstance(template, str) else None,
        template_words={str(key): str(value) for key, value in dict(words).items()},
        end_tokens=frozenset(int(token) for token in metadata["end_tokens"]),
    )


def _weights(tensor: Tensor) -> npt.NDArray[Any]:
    """Float weights; quantized ones are computed back from their integers."""
    values, attributes = tensor.arrays["values"], tensor.attributes
    if not attributes:
        return values
    bits, (outputs, inputs) = int(attributes["bits"]), (int(number) for number in attributes["shape"])
    if bits == 4:
        values = unpack_int4(values.reshape(-1), outputs * inputs, signed=values.dtype == np.int8)
    scale = tensor.arrays["scale"]
    zero = tensor.arrays.get("zero_point", np.zeros(scale.shape, values.dtype))
    group = attributes.get("group_size")
    return dequantize(
        Quantized(
            values=values.reshape(outputs, inputs),
            scale=scale,
            zero_point=zero,
            bits=bits,
            group_size=None if group is None else int(group),
            shape=(outputs, inputs),
        )
    )


def _text(metadata: Mapping[str, Any], name: str) -> str:
    value = metadata[name]
    if not isinstance(value, str) or not value:
        raise ValueError(f"metadata {name} is no text")
    return value


def _whole(metadata: Mapping[str, Any], name: str, most: int) -> int:
    value = metadata[name]
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= most:
        raise ValueError(f"metadata {name} is out of range")
    return value
