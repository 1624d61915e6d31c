"""Load a simulated model file into the stand-in runtime: verify, check, dequantize.

What the runtime needs of a file (`core.demo.container` is the form, this is the content):

    metadata   title, toolkit_version, platform ("rk3588"), dtype ("w8a8"), max_context, npu_cores
    sections   config.json, tokenizer.json, tokenizer_config.json as on the Hub (the chat template is the last
               one's `chat_template` or a section chat_template.jinja); generation_config.json if there is one
    tensors    named as in the checkpoint. Plain: array `values`, float16 or float32. Quantized: `values`,
               `scale`, `zero_point` as `core.quantization.affine` makes them, 4-bit values packed with
               `pack_int4`, and attributes bits, group_size (null: per channel) and shape
"""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.demo.container import Container, ContainerError, Tensor, read_container
from core.demo.runtime import StartError
from core.demo.runtime_engine import Model
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
    config = _object(container, "config.json")
    words = _object(container, "tokenizer_config.json")
    template = container.sections.get("chat_template.jinja")
    given = words.get("chat_template")
    return Model(
        title=str(metadata.get("title") or path.stem)[:200],
        dtype=dtype,
        platform=_text(metadata, "platform"),
        npu_cores=_whole(metadata, "npu_cores", _MAX_CORES),
        max_context=_whole(metadata, "max_context", 1 << 20),
        toolkit_version=_text(metadata, "toolkit_version"),
        sha256=container.sha256,
        config=config,
        weights={tensor.name: _weights(tensor) for tensor in container.tensors},
        activation_bits=8 if match[1] == "8" else None,
        tokenizer_json=container.sections["tokenizer.json"].decode(),
        chat_template=template.decode()
        if template is not None
        else given
        if isinstance(given, str)
        else None,
        template_words={
            name: value
            for name in ("bos_token", "eos_token", "pad_token")
            if isinstance(value := words.get(name), str)
        },
        end_tokens=_end_tokens(container, config),
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


def _end_tokens(container: Container, config: Mapping[str, Any]) -> frozenset[int]:
    """The ids that end an answer: generation_config.json's, else config.json's."""
    source = config
    if "generation_config.json" in container.sections:
        source = {**config, **_object(container, "generation_config.json")}
    ends = source.get("eos_token_id")
    return frozenset(end for end in (ends if isinstance(ends, list) else [ends]) if isinstance(end, int))


def _object(container: Container, name: str) -> dict[str, Any]:
    value = json.loads(container.sections[name])
    if not isinstance(value, dict):
        raise TypeError(f"{name} holds no object")
    return value


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
