"""The stand-in runtime's engine: chat in, tokens out, computed from the weights; nothing is prepared text."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from core.base.rendering._render import TemplateError, render
from core.demo.runtime.npu import NpuMeter
from core.quantization.forward import Forward

MAX_TOP_LOGPROBS = 20
_REPLACEMENT = "\ufffd"


class RequestError(Exception):
    """A request the runtime refuses; `status` is the HTTP status."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass(frozen=True, slots=True)
class Model:
    """A loaded model.

    Attributes:
        title: how the file calls it.
        weights: float32 by name, dequantized.
        activation_bits: 8 when the engine rounds the inputs of linear layers, else None.
        max_context: tokens the file was built for.
        end_tokens: ids that end an answer.
    """

    title: str
    dtype: str
    platform: str
    npu_cores: int
    max_context: int
    toolkit_version: str
    sha256: str
    config: Mapping[str, Any]
    weights: Mapping[str, npt.NDArray[Any]]
    activation_bits: int | None
    tokenizer_json: str
    chat_template: str | None
    template_words: Mapping[str, str]
    end_tokens: frozenset[int]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen; temperature 0 takes the most likely one."""

    max_tokens: int | None = None
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    logprobs: bool = False
    top_logprobs: int = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """One generated token: the text that became complete with it, and its log probability when asked for."""

    token: int
    text: str
    entry: dict[str, Any] | None


@dataclass(slots=True)
class Run:
    """The figures of one answer; times in milliseconds, rates without the first token, None until known."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    ttft_ms: float | None = None
    tokens_per_s: float | None = None
    finish_reason: str = "stop"
    _first_s: float = field(default=0.0, repr=False)

    def count(self, began_s: float) -> None:
        """Note that one more token is there."""
        now_s = time.monotonic()
        self.completion_tokens += 1
        if self.completion_tokens == 1:
            self.ttft_ms, self._first_s = round((now_s - began_s) * 1000, 3), now_s
        elif now_s > self._first_s:
            self.tokens_per_s = round((self.completion_tokens - 1) / (now_s - self._first_s), 3)


class Engine:
    """Answers one request at a time with a model."""

    def __init__(self, model: Model, meter: NpuMeter) -> None:
        self._model = model
        self._meter = meter
        self._tokenizer = Tokenizer.from_str(model.tokenizer_json)
        self._forward = Forward(model.config, model.weights, activation_bits=model.activation_bits)
        self.context = min(model.max_context, self._forward.shape.positions)

    def prompt_tokens(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """Return the tokens of a chat, written with the model's own template.

        Raises:
            RequestError: 400 when the template refuses, the prompt is empty or fills the context.
        """
        text = self._render(messages)
        tokens: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        if not tokens:
            raise RequestError(400, "empty_prompt", "the prompt is empty")
        if len(tokens) >= self.context:
            # The real runtime's words (strings of librkllmrt).
            raise RequestError(400, "prompt_too_long", "the length of prompt is greater than max context")
        return tokens

    def generate(self, prompt: Sequence[int], sampling: Sampling, run: Run) -> Iterator[Piece]:
        """Yield the answer's tokens; `run` is filled meanwhile.

        The end token is not yielded. What is left of an incomplete character comes with the last piece.
        """
        began_s = time.monotonic()
        run.prompt_tokens = len(prompt)
        room = self.context - len(prompt)
        limit = room if sampling.max_tokens is None else min(room, sampling.max_tokens)
        chance = np.random.default_rng(sampling.seed)
        layers = self._forward.shape.layers
        tokens: list[int] = []
        shown = ""
        self._forward.reset()
        with self._meter.computing(layers):
            scores = self._forward.prefill(list(prompt))
        run.finish_reason = "length"
        while len(tokens) < limit:
            token = _choose(scores, sampling, chance)
            if token in self._model.end_tokens:
                run.finish_reason = "stop"
                break
            tokens.append(token)
            run.count(began_s)
            entry = self._entry(scores, token, sampling) if sampling.logprobs else None
            text = self._decode(tokens)
            complete = text.rstrip(_REPLACEMENT) if len(tokens) < limit else text
            delta, shown = _grown(shown, complete)
            yield Piece(token, delta, entry)
            if len(tokens) < limit:
                with self._meter.computing(layers):
                    scores = self._forward.step(token)
        rest, _ = _grown(shown, self._decode(tokens))
        if rest:
            yield Piece(-1, rest, None)

    def _decode(self, tokens: list[int]) -> str:
        text: str = self._tokenizer.decode(tokens, skip_special_tokens=True)
        return text

    def _render(self, messages: Sequence[Mapping[str, str]]) -> str:
        if self._model.chat_template is None:
            return (
                "".join(f"{message['role']}: {message['content']}\n" for message in messages) + "assistant:"
            )
        values = {**self._model.template_words, "messages": list(messages), "add_generation_prompt": True}
        try:
            return render(self._model.chat_template, values)
        except TemplateError as error:
            message = f"Chat template auto-parsing failed: {error.why} {error.reason}"
            raise RequestError(400, "chat_template", message[:500]) from error

    def _entry(self, scores: npt.NDArray[Any], token: int, sampling: Sampling) -> dict[str, Any]:
        """One member of OpenAI's `logprobs.content`."""
        logs = _log_softmax(scores)
        count = min(sampling.top_logprobs, len(logs), MAX_TOP_LOGPROBS)
        best = np.argsort(-logs, kind="stable")[:count]
        return {
            **self._named(token, float(logs[token])),
            "top_logprobs": [self._named(int(other), float(logs[other])) for other in best],
        }

    def _named(self, token: int, logprob: float) -> dict[str, Any]:
        text = self._decode([token]) or self._tokenizer.id_to_token(token) or ""
        return {"token": text, "logprob": logprob, "bytes": list(text.encode())}


def _grown(shown: str, text: str) -> tuple[str, str]:
    """Return what `text` adds to what was shown, and what is shown then."""
    return (text[len(shown) :], text) if text.startswith(shown) else ("", shown)


def _log_softmax(scores: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    wide = scores.astype(np.float64)
    wide = wide - wide.max()
    logs: npt.NDArray[np.float64] = wide - math.log(float(np.exp(wide).sum()))
    return logs


def _choose(scores: npt.NDArray[Any], sampling: Sampling, chance: np.random.Generator) -> int:
    if sampling.temperature <= 0:
        return int(np.argmax(scores))
    powers = np.exp(_log_softmax(scores / sampling.temperature))
    order = np.argsort(-powers, kind="stable")
    if sampling.top_p < 1:
        kept = int(np.searchsorted(np.cumsum(powers[order]), sampling.top_p)) + 1
        order = order[:kept]
    chosen = powers[order] / powers[order].sum()
    return int(chance.choice(order, p=chosen))
