"""Train the demo model: `python -m core.demo.training --out DIR [--steps N] [--seed S]`.

Needs the dependency group `model` (torch, transformers), which RKDeck itself never imports. The architecture
is the plain Llama of transformers; seed, threads and steps are fixed, so the same versions on the same kind
of CPU give the same weights. Settings were chosen by the loss on the held-out chapter; with three texts
beside the book it stays near its minimum, with the book alone the model overfits within 300 steps.
"""

import argparse
import math
import random
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from core.demo.checkpoint import CONFIG, TrainingFacts, train_tokenizer, write_checkpoint
from core.demo.corpus import Corpus, chat_lines, load_corpus

DEFAULT_STEPS = 1200
DEFAULT_SEED = 7
THREADS = 2
WINDOW_TOKENS = 256
BATCH_WINDOWS = 16
OTHER_SHARE = (0.9, 0.65)  # at the first and at the last step
CHAT_SHARE = 0.2  # of the rest
CHATS = 2000
DROPOUT = 0.12
PEAK_RATE = 3e-3
WARM_UP_STEPS = 60
WEIGHT_DECAY = 0.02
AVERAGE_DECAY = 0.99
REPORT_EVERY = 100

Tokens = npt.NDArray[np.int64]
# torch is an optional dependency without types here.
Module: TypeAlias = Any
Tensor: TypeAlias = Any


@dataclass(frozen=True, slots=True)
class Streams:
    """Token streams; chats follow one another in random order."""

    book: Tokens
    chats: Tokens
    other: Tokens
    held_out: Tokens


def encode_corpus(corpus: Corpus, encode: Callable[[str], list[int]], seed: int) -> Streams:
    """Tokenize the book, `CHATS` chats made from its training part, the other texts, the held-out chapter."""
    chats = "".join(chat_lines(corpus.train, random.Random(seed), CHATS))  # noqa: S311
    return Streams(
        book=np.array(encode(corpus.train), np.int64),
        chats=np.array(encode(chats), np.int64),
        other=np.array(encode(corpus.other), np.int64),
        held_out=np.array(encode(corpus.held_out), np.int64),
    )


def sample_batch(streams: Streams, other_share: float, rng: np.random.Generator) -> Tokens:
    """Return (BATCH_WINDOWS, WINDOW_TOKENS + 1) random windows of the other texts, the chats and the book."""
    shares = (other_share, (1 - other_share) * CHAT_SHARE, (1 - other_share) * (1 - CHAT_SHARE))
    sources = (streams.other, streams.chats, streams.book)
    rows = []
    for choice in rng.choice(len(sources), BATCH_WINDOWS, p=shares):
        stream = sources[choice]
        start = int(rng.integers(0, len(stream) - WINDOW_TOKENS))
        rows.append(stream[start : start + WINDOW_TOKENS + 1])
    return np.stack(rows)


def learning_rate(step: int, steps: int) -> float:
    """Linear warm-up, then a cosine down to 5 % of the peak."""
    if step < WARM_UP_STEPS:
        return PEAK_RATE * (step + 1) / WARM_UP_STEPS
    done = (step - WARM_UP_STEPS) / max(1, steps - WARM_UP_STEPS)
    return PEAK_RATE * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done)))


def build_model(seed: int) -> Module:
    """Return a fresh transformers model whose blocks drop out; the hooks leave no trace in the weights."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True)
    options = {
        key: value
        for key, value in CONFIG.items()
        if key not in {"architectures", "torch_dtype", "model_type"}
    }
    model = LlamaForCausalLM(LlamaConfig(**options))

    def drop(module: Module, inputs: object, output: Tensor) -> Tensor:
        del inputs
        return torch.nn.functional.dropout(output, DROPOUT, module.training)

    model.model.embed_tokens.register_forward_hook(drop)
    for layer in model.model.layers:
        layer.self_attn.o_proj.register_forward_hook(drop)
        layer.mlp.register_forward_hook(drop)
    return model


def held_out_perplexity(model: Module, tokens: Tokens) -> float:
    """Perplexity in windows of `WINDOW_TOKENS`, each predicted from its own beginning only."""
    import torch

    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for start in range(0, len(tokens) - 1, WINDOW_TOKENS):
            part = torch.from_numpy(tokens[start : start + WINDOW_TOKENS])[None]
            if part.shape[1] > 1:
                total += float(model(input_ids=part, labels=part).loss) * (part.shape[1] - 1)
                count += part.shape[1] - 1
    return math.exp(total / count)


def train(
    streams: Streams, steps: int, seed: int, report: Callable[[str], None]
) -> tuple[dict[str, Any], float]:
    """Train and return the averaged weights as float32 arrays, and their held-out perplexity."""
    import torch

    model = build_model(seed)
    average = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(AVERAGE_DECAY)
    )
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=PEAK_RATE, betas=(0.9, 0.98), weight_decay=WEIGHT_DECAY
    )
    rng = np.random.default_rng(seed)
    started_s = time.monotonic()
    for step in range(steps):
        model.train()
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps)
        other_share = OTHER_SHARE[0] + (OTHER_SHARE[1] - OTHER_SHARE[0]) * step / steps
        batch = torch.from_numpy(sample_batch(streams, other_share, rng))
        loss = model(input_ids=batch, labels=batch).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        average.update_parameters(model)
        if (step + 1) % REPORT_EVERY == 0 or step + 1 == steps:
            perplexity = held_out_perplexity(average.module, streams.held_out)
            report(f"step {step + 1} loss {loss.item():.4f} held-out perplexity {perplexity:.3f} "
                   f"after {time.monotonic() - started_s:.0f} s")  # fmt: skip
    state: Mapping[str, Any] = average.module.state_dict()
    weights = {name: tensor.detach().numpy() for name, tensor in state.items()}
    return weights, held_out_perplexity(average.module, streams.held_out)


def main(arguments: list[str] | None = None) -> int:
    """Train, write the checkpoint, and say what came out."""
    parser = argparse.ArgumentParser(
        prog="python -m core.demo.training", description="Train RKDeck's demo model."
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the new checkpoint")
    parser.add_argument("--steps", type=int, default=DEFAULT_STEPS)
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    options = parser.parse_args(arguments)
    started_s = time.monotonic()
    corpus = load_corpus()
    tokenizer = train_tokenizer(corpus.train)
    streams = encode_corpus(corpus, lambda text: list(tokenizer.encode(text).ids), options.seed)
    _say(
        f"{len(streams.book)} tokens of text, {len(streams.chats)} of chats, {len(streams.held_out)} held out"
    )
    weights, perplexity = train(streams, options.steps, options.seed, _say)
    held_out = [int(token) for token in streams.held_out]
    facts = TrainingFacts(options.steps, options.seed, BATCH_WINDOWS, WINDOW_TOKENS, held_out)
    write_checkpoint(options.out, tokenizer, weights, facts)
    _say(f"wrote {options.out}: held-out perplexity {perplexity:.3f}, {time.monotonic() - started_s:.0f} s")
    return 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
