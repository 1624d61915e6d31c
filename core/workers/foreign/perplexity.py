"""Perplexity per level under a Python with torch and transformers: `python perplexity.py ORDER.json`.

Standard library, torch and transformers only, Python 3.8 syntax. The model is loaded once, in float32; each
level replaces the weights of its linear layers by what the level keeps of them, computed from a copy of the
originals (in the checkpoint's own 16 bits where that loses nothing). Conventions: `core.quantization.affine`,
`core.quantization.approximate`; windows: `core.lab.perplexity.figures`. No code of the model's authors is run, nothing
but safetensors is loaded, nothing is fetched.
"""

import json
import math
import os
import sys
import time
from typing import Any  # noqa: F401  # in the type comments

from _wire import Wire

NEEDED = ("torch", "transformers")
SMALLEST_SCALE = 1.1754943508222875e-38  # float32's smallest normal number
LARGEST = 2.0**126


class Refused(Exception):
    """What cannot be done, as a code with facts."""

    def __init__(self, code, **facts):
        # type: (str, object) -> None
        super().__init__(code, facts)
        self.code = code
        self.facts = facts


def spans(tokens, window, stride, limit):
    # type: (int, int, int, int | None) -> list[tuple[int, int, int]]
    """(start, end, first counted) of each window; `core.lab.perplexity.figures.spans` is the definition."""
    found, counted = [], 1
    for start in range(0, tokens, stride):
        end = min(start + window, tokens)
        first = max(counted, start + 1)
        if end > first:
            found.append((start, end, first))
        counted = end
        if end == tokens or len(found) == limit:
            break
    return found


def quantized(weight, level, name):
    # type: (Any, dict[str, Any], str) -> Any
    """A matrix (outputs, inputs) as integers keep it, symmetric or affine, per output row or per group of inputs."""
    import torch

    outputs, inputs = weight.shape
    bits, group_size = level["bits"], level["group_size"]
    if group_size is not None and inputs % group_size:
        raise Refused("perplexity.group_size", tensor=name, group_size=group_size, inputs=inputs)
    if float(weight.abs().max()) > LARGEST:
        raise Refused("perplexity.weights_too_large", tensor=name)
    blocks = weight.reshape(outputs, -1, group_size or inputs)
    if level["symmetric"]:
        top = 2 ** (bits - 1) - 1
        scale = as_scale(blocks.abs().amax(dim=-1, keepdim=True).double() / top)
        zero = torch.zeros_like(scale)
        integers = torch.clamp(torch.round(blocks / scale), -top, top)
    else:
        top = 2**bits - 1
        low = torch.clamp(blocks.amin(dim=-1, keepdim=True), max=0).double()
        high = torch.clamp(blocks.amax(dim=-1, keepdim=True), min=0).double()
        scale = as_scale((high - low) / top)
        zero = torch.clamp(torch.round(-low / scale.double()), 0, top).float()
        integers = torch.clamp(torch.round(blocks / scale) + zero, 0, top)
    return ((integers - zero) * scale).reshape(outputs, inputs)


def as_scale(exact):
    # type: (Any) -> Any
    import torch

    return torch.where(exact > 0, exact.clamp(min=SMALLEST_SCALE), torch.ones_like(exact)).float()


def approximated(weight, level, name):
    # type: (Any, dict[str, Any], str) -> Any
    """A float32 matrix as a level keeps it."""
    import torch

    if level["rounding"] == "none":
        return weight
    if level["rounding"] == "integer":
        return quantized(weight, level, name)
    kept = weight.to(getattr(torch, level["rounding"])).float()
    bad = int((~torch.isfinite(kept)).sum())
    if bad:
        raise Refused("perplexity.beyond_float16", tensor=name, count=bad)
    return kept


def eight_bit_inputs(module, inputs):
    # type: (Any, tuple[Any, ...]) -> tuple[Any, ...]
    """Round the input of a linear layer to int8, with a symmetric scale for each token."""
    import torch

    x = inputs[0]
    scale = x.abs().amax(dim=-1, keepdim=True) / 127.0
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    return (torch.round(x / scale) * scale,) + tuple(inputs[1:])


class Model:
    """The model, the originals of its linear weights, and its tokenizer."""

    def __init__(self, folder, device):
        # type: (str, str) -> None
        import torch
        import transformers

        self.device = device
        version = int(transformers.__version__.split(".")[0])
        options = {"local_files_only": True, "trust_remote_code": False}
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **options)
        dtype = {"dtype" if version >= 5 else "torch_dtype": torch.float32}
        self.model = transformers.AutoModelForCausalLM.from_pretrained(
            folder, use_safetensors=True, **options, **dtype
        )
        self.model.eval()
        self.model.to(device)
        self.check_finite()
        tied = self.tied_weight()
        self.linear = [
            (name, module)
            for name, module in self.model.named_modules()
            if isinstance(module, torch.nn.Linear)
        ]
        self.originals = {
            name: smallest_copy(module.weight.data)
            for name, module in self.linear
            if module.weight.data_ptr() != tied
        }
        if not self.originals:
            raise Refused("perplexity.no_linear")
        self.hooks = []  # type: list[Any]

    def check_finite(self):
        # type: () -> None
        """Refuse weights that are no numbers: every mean over them would be none either."""
        import torch

        for name, tensor in self.model.named_parameters():
            bad = int((~torch.isfinite(tensor)).sum())
            if bad:
                raise Refused("perplexity.weights_not_finite", tensor=name, count=bad)

    def tied_weight(self):
        # type: () -> int | None
        """Where the embedding's weights lie: a head that shares them is not quantized."""
        embedding = self.model.get_input_embeddings()
        return embedding.weight.data_ptr() if embedding is not None else None

    def unquantized(self):
        # type: () -> int
        """Weights of matrices that are no linear layers (experts in one tensor, say), embedding and head apart."""
        known = {module.weight.data_ptr() for _, module in self.linear}
        known.add(self.tied_weight())
        return sum(
            tensor.numel()
            for tensor in self.model.parameters()
            if tensor.dim() >= 2 and tensor.data_ptr() not in known
        )

    def set_level(self, level):
        # type: (dict[str, Any]) -> None
        """Give every linear layer what the level keeps of its original."""
        import torch

        for hook in self.hooks:
            hook.remove()
        self.hooks = []
        with torch.no_grad():
            for name, module in self.linear:
                if name in self.originals:
                    weight = approximated(self.originals[name].float(), level, name + ".weight")
                    module.weight.data.copy_(weight)
        if level["activation_bits"] == 8:
            self.hooks = [module.register_forward_pre_hook(eight_bit_inputs) for _, module in self.linear]

    def context(self):
        # type: () -> int | None
        """Most tokens the model was made for."""
        config = self.model.config
        text = config.get_text_config() if hasattr(config, "get_text_config") else config
        value = getattr(text, "max_position_embeddings", None)
        return value if isinstance(value, int) and value > 0 else None

    def prefix(self):
        # type: () -> list[int]
        """What the tokenizer puts before any text by itself."""
        plain = self.ids("a")
        full = list(self.tokenizer("a", add_special_tokens=True)["input_ids"])
        for start in range(len(full) - len(plain) + 1):
            if full[start : start + len(plain)] == plain:
                return full[:start]
        return []

    def ids(self, text):
        # type: (str) -> list[int]
        """Tokens of a text, without any the tokenizer would add."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def loss(self, prefix, ids, span):
        # type: (list[int], list[int], tuple[int, int, int]) -> tuple[float, int]
        """Summed loss in nats of a window's counted tokens, and their number."""
        import torch

        start, end, first = span
        part = torch.tensor([prefix + ids[start:end]], device=self.device)
        place = len(prefix) + first - start
        with torch.no_grad():
            logits = self.model(input_ids=part, use_cache=False).logits[0, place - 1 : -1].double()
            losses = torch.nn.functional.cross_entropy(logits, part[0, place:], reduction="sum")
        return float(losses), part.shape[1] - place

    def answer(self, prefix, prompt, limit):
        # type: (list[int], str, int) -> tuple[str, int, bool]
        """The greedy answer, its tokens, and whether the model ended it."""
        import torch

        ids = self.asked(prefix, prompt)
        context = self.context()
        room = limit if context is None else min(limit, context - len(ids))
        ends = self.end_tokens()
        tokens = []  # type: list[int]
        cache, ended = None, False
        feed = torch.tensor([ids], device=self.device)
        with torch.no_grad():
            while len(tokens) < room and not ended:
                out = self.model(input_ids=feed, past_key_values=cache, use_cache=True)
                cache = getattr(out, "past_key_values", None)
                token = int(out.logits[0, -1].argmax())
                ended = token in ends
                if not ended:
                    tokens.append(token)
                    # A model without such a cache reads everything again.
                    again = [ids + tokens] if cache is None else [[token]]
                    feed = torch.tensor(again, device=self.device)
        return self.tokenizer.decode(tokens, skip_special_tokens=True), len(tokens), ended

    def asked(self, prefix, prompt):
        # type: (list[int], str) -> list[int]
        """Tokens of the prompt, as the model's chat template writes it where there is one."""
        template = getattr(self.tokenizer, "chat_template", None)
        if isinstance(template, dict):
            template = template.get("default")
        if template:
            from _render import TemplateError, render

            words = self.tokenizer.special_tokens_map.items()
            values = {key: value for key, value in words if isinstance(value, str)}  # type: dict[str, object]
            values["messages"] = [{"role": "user", "content": prompt}]
            values["add_generation_prompt"] = True
            try:
                return self.ids(render(template, values))
            except TemplateError as error:
                sys.stderr.write("the chat template gives no text: {} {}\n".format(error.why, error.reason))
        return prefix + self.ids(prompt)

    def end_tokens(self):
        # type: () -> set[int]
        """Tokens that end an answer."""
        found = set()  # type: set[Any]
        for source in (self.model.generation_config, self.model.config):
            value = getattr(source, "eos_token_id", None)
            found.update(value if isinstance(value, (list, tuple)) else [value])
        return {token for token in found if isinstance(token, int)}


def smallest_copy(weight):
    # type: (Any) -> Any
    """A copy in 16 bits where that is exact, as it is for weights that were stored so."""
    import torch

    for dtype in (torch.bfloat16, torch.float16):
        small = weight.to(dtype)
        if torch.equal(small.float(), weight):
            return small
    return weight.clone()


def missing():
    # type: () -> tuple[list[str], str]
    """Names of packages that cannot be imported, and why the last of them cannot."""
    absent, reason = [], ""
    for name in NEEDED:
        try:
            __import__(name)
        except Exception as error:  # noqa: BLE001, PERF203  # a broken installation fails in any way
            absent.append(name)
            reason = "{}: {}".format(type(error).__name__, error)[:300]
    return absent, reason


def measure(wire, order):
    # type: (Wire, dict[str, Any]) -> None
    import torch
    import transformers

    if order["device"] == "cuda" and not torch.cuda.is_available():
        raise Refused("perplexity.no_cuda")
    transformers.logging.set_verbosity_error()
    wire.send("stage", name="load")
    try:
        model = Model(order["source"], order["device"])
    except Refused:
        raise
    except Exception as error:  # noqa: BLE001  # whatever transformers makes of a stranger's files
        reason = "{}: {}".format(type(error).__name__, str(error).strip().splitlines()[:1])[:500]
        raise Refused("perplexity.model_refused", reason=reason) from error
    with open(order["text"], encoding="utf-8", newline="") as file:
        ids = model.ids(file.read())
    prefix, context = model.prefix(), model.context()
    facts = {
        "torch": torch.__version__, "transformers": transformers.__version__, "device": order["device"],
        "unquantized_weights": model.unquantized(),
    }  # fmt: skip
    check_vocabulary(model, prefix + ids)
    usable = None if context is None else context - len(prefix)
    wire.send("prepared", tokens=len(ids), context=usable, engine=facts)
    if context is not None and order["window"] + len(prefix) > context:
        return
    windows = spans(len(ids), order["window"], order["stride"], order["limit"])
    for level in order["levels"]:
        measure_level(wire, order, level, model, prefix, ids, windows)


def check_vocabulary(model, ids):
    # type: (Model, list[int]) -> None
    """Refuse a tokenizer that is not the model's: torch would only say that an index is out of range."""
    embedding = model.model.get_input_embeddings()
    if embedding is not None and ids and max(ids) >= embedding.weight.shape[0]:
        raise Refused("forward.token_range", vocabulary=embedding.weight.shape[0])


def measure_level(wire, order, level, model, prefix, ids, windows):
    # type: (Wire, dict[str, Any], dict[str, Any], Model, list[int], list[int], list[tuple[int, int, int]]) -> None
    done = set(order["done"].get(level["name"], []))
    todo = [index for index in range(len(windows)) if index not in done]
    wants_answer = order["prompt"] is not None and level["name"] not in order["answered"]
    if not todo and not wants_answer:
        return
    wire.send("stage", name="quantize")
    model.set_level(level)
    wire.send("stage", name="measure")
    for index in todo:
        began_s = time.monotonic()
        nll, tokens = model.loss(prefix, ids, windows[index])
        if not math.isfinite(nll):
            raise Refused("perplexity.not_finite", level=level["name"], window=index)
        wire.send(
            "window", level=level["name"], index=index, nll=nll, tokens=tokens,
            seconds=time.monotonic() - began_s,
        )  # fmt: skip
    if wants_answer:
        began_s = time.monotonic()
        text, tokens, ended = model.answer(prefix, order["prompt"], order["answer_tokens"])
        wire.send(
            "answer", level=level["name"], text=text, tokens=tokens, ended=ended,
            seconds=time.monotonic() - began_s,
        )  # fmt: skip


def main():
    # type: () -> int
    wire = Wire.from_environment()
    # Nothing is fetched, whatever the model's files name.
    os.environ.update({"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"})
    with open(sys.argv[1], encoding="utf-8") as file:
        order = json.load(file)
    wire.send("stage", name="import")
    absent, reason = missing()
    if absent:
        wire.send("refused", code="perplexity.packages_missing", facts={"missing": absent, "reason": reason})
        return 1
    try:
        measure(wire, order)
    except Refused as error:
        wire.send("refused", code=error.code, facts=error.facts)
        return 1
    wire.send("done")
    return 0


if __name__ == "__main__":
    sys.exit(main())
