"""The numpy engine: our own forward pass, for small Llama and Qwen2 style models."""

import time
from typing import Any

import numpy as np
import numpy.typing as npt

from core.base.errors import RKDeckError
from core.base.rendering._render import TemplateError
from core.lab.perplexity.checkpoint import Checkpoint, load_checkpoint, render_chat, template_failed
from core.lab.perplexity.figures import Answer, Span
from core.lab.perplexity.measurement import Measurement
from core.quantization.affine import QuantizationError
from core.quantization.approximate import approximate
from core.quantization.forward import Forward, ForwardError, linear_names, read_shape
from core.vendor.levels import Level

Tokens = npt.NDArray[np.int64]
_INT8_ACTIVATIONS = 8


def run_numpy(measurement: Measurement, words: str) -> None:
    """Measure what is missing.

    Args:
        measurement: the order, and where findings go.
        words: the text.

    Raises:
        RKDeckError: `perplexity.*`, `quantization.*` and `forward.*`.
    """
    order = measurement.order
    model = load_checkpoint(order.source)
    try:
        ids = np.asarray(model.tokenizer.ids(words), np.int64)
        context = read_shape(model.config).positions - len(model.prefix)
        windows = measurement.prepared(len(ids), context, {"numpy": np.__version__})
        asked = None if order.prompt is None else _asked(measurement, model, order.prompt)
        for level in order.levels_found():
            todo = measurement.todo(level.name)
            if not todo and not measurement.wants_answer(level.name):
                continue
            forward = _forward_at(model, level)
            for index in todo:
                began_s = time.monotonic()
                nll, tokens = span_loss(forward, model.prefix, ids, windows[index])
                measurement.window(level.name, index, nll, tokens, time.monotonic() - began_s)
            if asked is not None and measurement.wants_answer(level.name):
                measurement.answer(_answer(forward, model, level.name, asked, order.answer_tokens))
    except (ForwardError, QuantizationError) as error:
        facts: dict[str, Any] = dict(error.facts)
        raise RKDeckError(error.code, **facts) from error


def span_loss(forward: Forward, prefix: tuple[int, ...], ids: Tokens, span: Span) -> tuple[float, int]:
    """Return the summed loss in nats of a window's counted tokens, and their number."""
    part = np.concatenate([np.asarray(prefix, np.int64), ids[span.start : span.end]])
    first = len(prefix) + span.first - span.start
    scores = forward.logits(part)[first - 1 : -1].astype(np.float64)
    top = scores.max(axis=-1, keepdims=True)
    log_total = np.log(np.exp(scores - top).sum(axis=-1)) + top[:, 0]
    losses = log_total - scores[np.arange(len(scores)), part[first:]]
    return float(np.sum(losses)), len(losses)


def _forward_at(model: Checkpoint, level: Level) -> Forward:
    """The model with its linear layers at a level; embedding and norms keep their precision."""
    linear = set(linear_names(read_shape(model.config)))
    changed = {
        name: approximate(array, level) if name in linear else array for name, array in model.weights.items()
    }
    bits = _INT8_ACTIVATIONS if level.activation_bits == _INT8_ACTIVATIONS else None
    return Forward(model.config, changed, activation_bits=bits)


def _asked(measurement: Measurement, model: Checkpoint, prompt: str) -> list[int]:
    """The prompt's tokens, as the model's template writes it; as it is without one, or where it fails (told)."""
    chat = None
    try:
        chat = render_chat(model, prompt)
    except TemplateError as error:
        measurement.warn(template_failed(error))
    if chat is None:
        return [*model.prefix, *model.tokenizer.ids(prompt)]
    return model.tokenizer.ids(chat)


def _answer(forward: Forward, model: Checkpoint, level: str, ids: list[int], limit: int) -> Answer:
    """Decode greedily until the model ends, the limit is reached or the context is full."""
    began_s = time.monotonic()
    forward.reset()
    tokens: list[int] = []
    scores, ended = forward.prefill(ids), False
    room = min(limit, forward.shape.positions - len(ids))
    while len(tokens) < room and not ended:
        token = int(np.argmax(scores))
        ended = token in model.end_tokens
        if not ended:
            tokens.append(token)
            if len(tokens) < room:
                scores = forward.step(token)
    text = model.tokenizer.text(tokens)
    return Answer(level, text, len(tokens), time.monotonic() - began_s, ended)
