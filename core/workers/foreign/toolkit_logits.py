"""Losses of one level as rkllm-toolkit builds it: `python toolkit_logits.py ORDER.json`.

Standard library and what the toolkit itself needs (numpy, torch), Python 3.8 syntax. The toolkit simulates its
build on this computer between `build` and export (SDK manual 1.3.0, 3.1.8): `get_logits({"input_ids": tokens})`.
"""

import json
import sys
import time
from typing import Any  # noqa: F401  # in the type comments

from _wire import Wire


def as_batch(ids):
    # type: (list[int]) -> Any
    """A batch of one: a tensor of torch, as the manual's example has it, where torch is there."""
    try:
        import torch
    except ImportError:
        import numpy

        return numpy.array([ids])
    return torch.tensor([ids])


def as_rows(logits):
    # type: (Any) -> Any
    """Logits, of a batch of one or without a batch, as a numpy array (tokens, vocabulary) in double precision."""
    import numpy

    if hasattr(logits, "detach"):
        logits = logits.detach().cpu().double().numpy()
    rows = numpy.asarray(logits, numpy.float64)
    return rows[0] if rows.ndim == 3 and len(rows) == 1 else rows


def loss(rows, ids, first):
    # type: (Any, list[int], int) -> float
    """Summed negative log likelihood in nats of the tokens from `first` on."""
    import numpy

    scores = rows[first - 1 : -1]
    top = scores.max(axis=-1, keepdims=True)
    log_total = numpy.log(numpy.exp(scores - top).sum(axis=-1)) + top[:, 0]
    return float(numpy.sum(log_total - scores[numpy.arange(len(scores)), ids[first:]]))


def main():
    # type: () -> int
    wire = Wire.from_environment()
    with open(sys.argv[1], encoding="utf-8") as file:
        order = json.load(file)
    wire.send("stage", name="import")
    from rkllm.api import RKLLM

    toolkit = RKLLM()
    for call in order["calls"]:
        wire.send("stage", name=call["method"])
        code = getattr(toolkit, call["method"])(**call["arguments"])
        if isinstance(code, bool) or code != 0:
            wire.send("returned", code=repr(code)[:100])
            return 1
    wire.send("stage", name="get_logits")
    for window in order["windows"]:
        began_s = time.monotonic()
        logits = toolkit.get_logits({"input_ids": as_batch(window["ids"])})
        if logits is None:
            wire.send("returned", code="None")
            return 1
        rows = as_rows(logits)
        if rows.ndim != 2 or len(rows) != len(window["ids"]) or rows.shape[1] <= max(window["ids"]):
            wire.send("returned", code="logits of shape {}".format(rows.shape))
            return 1
        nll = loss(rows, window["ids"], window["first"])
        if nll != nll or nll in (float("inf"), float("-inf")):
            facts = {"level": order["level"], "window": window["index"]}
            wire.send("refused", code="perplexity.not_finite", facts=facts)
            return 1
        wire.send(
            "window", level=order["level"], index=window["index"], nll=nll,
            tokens=len(window["ids"]) - window["first"], seconds=time.monotonic() - began_s,
        )  # fmt: skip
    wire.send("done")
    return 0


if __name__ == "__main__":
    sys.exit(main())
