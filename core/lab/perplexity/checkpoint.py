"""A small checkpoint in memory: tensors of every shard, the tokenizer, the words of its chat template."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.base.errors import RefusedError, RKDeckError
from core.base.foreign import parse_json, whole
from core.base.names import printable
from core.base.opening import open_regular, read_regular
from core.base.rendering._render import TemplateError, render
from core.base.templates import folder_template
from core.base.trouble import reason_of
from core.model.facts import ModelFacts, local_weight_files, parse_config
from core.model.headers import LENGTH_BYTES, needed_header_bytes, parse_safetensors_header
from core.model.tokenizing import TOKENIZER_NAME, ModelTokenizer
from core.quantization.approximate import bfloat16_to_float32
from core.quantization.forward import ForwardError, read_shape

# Above this the numpy forward pass takes minutes a window, and torch does not.
MAX_NUMPY_PARAMETERS = 30_000_000
_KINDS: Mapping[str, type[np.generic]] = {"F32": np.float32, "F16": np.float16, "BF16": np.uint16}
_MAX_SMALL_JSON_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model ready for `core.quantization.forward`.

    Attributes:
        weights: name -> float32 array, every one finite.
        prefix: tokens the tokenizer puts before any text by itself.
        end_tokens: tokens that end an answer.
        template: of chats, None where the model has none; words: what it may name (`bos_token`, ...).
    """

    config: dict[str, Any]
    weights: dict[str, npt.NDArray[np.float32]]
    tokenizer: ModelTokenizer
    prefix: tuple[int, ...]
    end_tokens: frozenset[int]
    template: str | None
    words: dict[str, str]


def numpy_can(folder: Path, facts: ModelFacts) -> bool:
    """Whether this computation knows the model in the folder and is quick enough for it."""
    try:
        read_shape(facts.config)
    except ForwardError:
        return False
    kinds = {tensor.dtype for tensor in facts.tensors}
    return (
        facts.quantization is None
        and 0 < sum(tensor.elements for tensor in facts.tensors) <= MAX_NUMPY_PARAMETERS
        and kinds <= set(_KINDS)
        and (folder / TOKENIZER_NAME).is_file()
    )


def load_checkpoint(folder: Path) -> Checkpoint:
    """Read a model that `numpy_can` compute.

    Raises:
        RKDeckError: `perplexity.weights_not_finite` with the tensor, `perplexity.bad_tokenizer`,
            `perplexity.tokenizer_beyond`, `estimate.*` for damaged files.
    """
    config = parse_config(_config_bytes(folder / "config.json"))
    settings = _small_json(folder / "tokenizer_config.json")
    tokenizer = ModelTokenizer(folder)
    words = {
        key: str(value.get("content", "") if isinstance(value, dict) else value)
        for key, value in settings.items()
        if key.endswith("_token") and isinstance(value, str | dict)
    }
    return Checkpoint(
        config=dict(config),
        weights=dict(_tensors(folder)),
        tokenizer=tokenizer,
        prefix=tokenizer.prefix(),
        end_tokens=_end_tokens(config, _small_json(folder / "generation_config.json")),
        template=folder_template(folder),
        words=words,
    )


def render_chat(checkpoint: Checkpoint, prompt: str) -> str | None:
    """Return the prompt as the model's template writes a user's turn, or None for a model without one.

    Raises:
        TemplateError: for a template that gives no text.
    """
    if checkpoint.template is None:
        return None
    values: dict[str, object] = {
        **checkpoint.words, "messages": [{"role": "user", "content": prompt}], "add_generation_prompt": True
    }  # fmt: skip
    return render(checkpoint.template, values)


def template_failed(error: TemplateError) -> RKDeckError:
    """In words: the template's own ones, or the bound it met."""
    if error.why == "refused":
        return RKDeckError("perplexity.template_refused", reason=printable(error.reason, limit=200))
    return RKDeckError("perplexity.template_beyond", bound=error.why)


def _tensors(folder: Path) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    for name in local_weight_files(folder).files:
        path = folder / name
        size_bytes = path.stat().st_size
        with open_regular(path) as file:
            first = file.read(LENGTH_BYTES)
            header_bytes = needed_header_bytes(first, str(path))
            header = first + file.read(header_bytes - LENGTH_BYTES)
            # In the order of their data, without holes: the parser has checked it.
            for tensor in parse_safetensors_header(header, size_bytes):
                kind = _KINDS.get(tensor.dtype)
                if kind is None:
                    raise RefusedError("perplexity.dtype_unknown", tensor=tensor.name, dtype=tensor.dtype)
                raw = np.frombuffer(file.read(tensor.size_bytes), kind).reshape(tensor.shape)
                values = (
                    bfloat16_to_float32(raw.astype(np.uint16))
                    if kind is np.uint16
                    else raw.astype(np.float32)
                )
                bad = int(values.size - np.count_nonzero(np.isfinite(values)))
                if bad:
                    raise RKDeckError("perplexity.weights_not_finite", tensor=tensor.name, count=bad)
                yield tensor.name, values


def _end_tokens(*documents: Mapping[str, Any]) -> frozenset[int]:
    found: set[int] = set()
    for document in documents:
        value = document.get("eos_token_id")
        for token in value if isinstance(value, list) else [value]:
            if (number := whole(token)) is not None:
                found.add(number)
    return frozenset(found)


def _config_bytes(path: Path) -> bytes:
    try:
        return read_regular(path, _MAX_SMALL_JSON_BYTES)
    except OSError as error:
        raise RKDeckError("estimate.unreadable", file=str(path), problem=reason_of(error)) from error


def _small_json(path: Path) -> dict[str, Any]:
    try:
        # As transformers reads it: a byte order mark and UTF-16 are no JSON.
        value = parse_json(read_regular(path, _MAX_SMALL_JSON_BYTES).decode("utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        reason = reason_of(error)
        raise RefusedError("perplexity.bad_tokenizer", file=path.name, reason=reason) from error
    except ValueError as error:
        raise RefusedError("perplexity.bad_tokenizer", file=path.name, reason=reason_of(error)) from error
    return value if isinstance(value, dict) else {}
