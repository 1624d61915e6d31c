"""Which files of a repository or folder hold a model's weights: the one rule, asked by everybody who has to know.

It looks where `transformers` looks, in its order (modeling_utils, `_get_resolved_checkpoint_files`):

    model.safetensors                   one file; an index beside it is left over from somewhere and not read
    model.safetensors.index.json        names the shards
    pytorch_model.bin                   a pickle
    pytorch_model.bin.index.json        names its shards

and behind these, what a model folder may hold instead: safetensors of other names (shards whose index is missing: they
are measured here, and not found there), pickle shards without an index, an adapter (LoRA) without its base, .rkllm,
GGUF, ONNX, another precision alone (`model.fp16.safetensors`), the author's own layout, a pipeline of several models, a
model in a folder below (a trainer's checkpoints), another program's form. Only files beside config.json count as
safetensors or pickles; the other forms may lie in folders, as their publishers put them.

Names come from strangers; nothing here opens a file. What an index or an adapter's configuration says is read by the
caller's `read`, so the same rule serves a folder, the Hub and a test.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

from core.base.errors import RefusedError, RKDeckError
from core.base.foreign import is_lfs_pointer, read_json
from core.base.names import printable, safe_relative_path
from core.model.leftovers import form_of

WeightsKind = Literal[
    "safetensors", "sharded", "unindexed", "pickle", "adapter", "rkllm", "gguf", "onnx", "variant", "layout",
    "pipeline", "folder", "other", "none",
]  # fmt: skip
WITH_HEADERS = frozenset[WeightsKind](("safetensors", "sharded", "unindexed"))
Why = Literal["stale_index", "duplicate", "other_form", "not_the_model"]
Read = Callable[[str, int], bytes]

CONFIG_NAME = "config.json"
SINGLE_NAME = "model.safetensors"
INDEX_NAME = "model.safetensors.index.json"
PICKLE_NAME = "pytorch_model.bin"
PICKLE_INDEX_NAME = "pytorch_model.bin.index.json"
ADAPTER_NAME = "adapter_config.json"
MAX_CONFIG_BYTES = 4 << 20
MAX_INDEX_BYTES = 16 << 20
MAX_SHARDS = 1000

_SAFETENSORS = ".safetensors"
# What loaders read beside them: config.json, tokenizer.model, vocab.txt, merges.txt, modeling_*.py.
_READ_BESIDE = (".jinja", ".json", ".model", ".py", ".tiktoken", ".txt")
# Files beside a model that are not the model: adapters, the trainer's own, the weights in their author's layout.
_TRAINERS = ("optimizer", "training_", "scheduler", "rng_state")
_NOT_THE_MODEL = ("adapter_", "consolidated", *_TRAINERS)
# PEFT's (peft/utils/constants.py), and mlx-lm's with its checkpoints (mlx_lm/tuner/trainer.py).
_ADAPTER = re.compile(r"adapter_model\..*|(?:[0-9]{1,18}_)?adapters\.(?:safetensors|npz)", re.ASCII)
_NUMBER = re.compile(r"([0-9]{1,18})", re.ASCII)
# The same weights once more: a shard beside the merged file, another precision, the author's layout.
_DUPLICATE = re.compile(r"(?:model(?:\.[\w-]+)?(?:-\d+-of-\d+)?|consolidated[\w.-]*)\.safetensors")
# transformers reads these on demand only (`variant=`), which no toolkit makes.
_VARIANT = re.compile(r"model\.[\w-]+?(?:-\d+-of-\d+)?\.safetensors", re.ASCII)
# As Mistral and Meta publish theirs, Meta in a folder of its own.
_LAYOUT = re.compile(r"(?:original/)?consolidated[\w.-]*\.(?:safetensors|pth)", re.ASCII)
_PIPELINE = "model_index.json"
_PICKLE_SHARD = re.compile(r"pytorch_model-\d+-of-\d+\.bin")
# transformers' VOCAB_FILES_NAMES of all its tokenizers, and what models with a tokenizer of their own call theirs.
_TOKENIZER = re.compile(
    r"tokenizer(?!_config\.json).*|tokenization_.*\.py|.*vocab.*\.(?:json|txt)|.*\.(?:model|tiktoken)|tekken\.json"
)

_REFUSALS: dict[WeightsKind, str] = {
    "pickle": "model.pickle_only", "rkllm": "model.rkllm_only", "gguf": "model.gguf_only",
    "onnx": "model.onnx_only", "variant": "model.variant_only", "layout": "model.layout_only",
    "pipeline": "model.pipeline", "none": "model.no_weights",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class WeightFiles:
    """What the rule says of a list of files.

    Attributes:
        kind: the form of the weights: one "safetensors" file, "sharded" by an index, "unindexed" where none names them,
            "pickle", "adapter" (a LoRA without its base), "rkllm", "gguf", "onnx", "variant" (another precision
            without the plain file), "layout" (the author's, without the one of transformers), "pipeline" (diffusers),
            "folder" (in one below), "other" (a form no road leads from); "none" where there are none.
        files: what holds the weights, in the order to read it. Of a kind with an index: what lies there of that
            form, until the index was read (`read_weight_files`).
        index: the index that names them, None without one.
        missing: files the index names that are not there; empty until it was read.
        ignored: weights that are not read, each with the reason.
        base: of an adapter, the model it is for; None while its configuration was not read, or is silent.
    """

    kind: WeightsKind
    files: tuple[str, ...] = ()
    index: str | None = None
    missing: tuple[str, ...] = ()
    ignored: tuple[tuple[str, Why], ...] = ()
    base: str | None = None

    @property
    def is_source(self) -> bool:
        """Whether they are a model's own unconverted weights."""
        return self.has_headers or self.kind == "pickle"

    @property
    def has_headers(self) -> bool:
        """Whether names and shapes of the tensors can be read without running a stranger's code."""
        return self.kind in WITH_HEADERS

    @property
    def superfluous(self) -> frozenset[str]:
        """What nobody who takes the model needs: duplicates of its weights, and an index of files it has not."""
        return frozenset(name for name, why in self.ignored if why != "not_the_model")


def weight_files(names: Iterable[str]) -> WeightFiles:
    """Say which of a repository's or folder's files hold the weights; nothing is read.

    Args:
        names: paths relative to the repository or folder, parts joined by `/`.
    """
    listed = sorted(names)
    found = _choose(listed)
    chosen = {*found.files, found.index}
    ignored = [
        (name, why) for name in listed if name not in chosen and (why := _why(name, found)) is not None
    ]
    return replace(found, ignored=tuple(ignored))


def read_weight_files(names: Iterable[str], read: Read) -> WeightFiles:
    """Say which files hold the weights, with what their index or the adapter's configuration says.

    Args:
        names: as for `weight_files`.
        read: returns a small file: its name and the most bytes anybody needs of it are given.

    Raises:
        RKDeckError: `estimate.bad_index`, `names.unsafe_path`, and what `read` raises.
    """
    listed = frozenset(names)
    found = weight_files(listed)
    if found.kind == "adapter" and ADAPTER_NAME in listed:
        return replace(found, base=_base_of(read(ADAPTER_NAME, MAX_CONFIG_BYTES)))
    if found.index is None:
        return found
    shards = parse_index(read(found.index, MAX_INDEX_BYTES))
    return replace(found, files=shards, missing=tuple(name for name in shards if name not in listed))


def refusal_of(found: WeightFiles, model: str) -> RefusedError | None:
    """Why nothing can be measured or converted of such files; None for weights whose headers can be read.

    A pickle is a program: what is in it is only known by running it, and older toolkits do run it (their torch is
    below 2.6, where `torch.load` was no safe reader: CVE-2025-32434). So no door takes one.

    Args:
        found: the files; of a folder and of another form the first one is named.
        model: a Hub id or a folder, for the words.
    """
    if found.kind == "adapter":
        if found.base is None:
            return RefusedError("model.adapter_without_base", model=model)
        return RefusedError("model.adapter_only", model=model, base=found.base)
    if found.kind == "other":
        file = found.files[0]
        return RefusedError("model.other_form", model=model, form=form_of(file), file=printable(file))
    if found.kind == "folder":
        return RefusedError(
            "model.in_folder", model=model, folder=printable(found.files[0].rpartition("/")[0])
        )
    code = _REFUSALS.get(found.kind)
    return None if code is None else RefusedError(code, model=model)


def tokenizer_files(names: Iterable[str]) -> tuple[str, ...]:
    """What a tokenizer is made of; none of it is no tokenizer: its configuration alone is not enough.

    Generous, as models bring their own: a conversion refused in error is worse than one that fails.
    """
    # Beside config.json: loaders look nowhere else.
    return tuple(name for name in names if "/" not in name and _TOKENIZER.fullmatch(name))


def shapeless(found: WeightFiles, model: str, *, has_config: bool) -> RefusedError | None:
    """Why not even the shape of such a model is known; None where it is, or where nobody knows what this is.

    Args:
        found: the files.
        model: a Hub id or a folder, for the words.
        has_config: whether a config.json tells the shape; one beside an adapter is its base's.
    """
    if found.kind == "adapter" or (not has_config and found.kind != "none"):
        return refusal_of(found, model)
    return None


def parse_index(data: bytes) -> tuple[str, ...]:
    """Return the shard names of an index, sorted, each checked to stay in the folder.

    Raises:
        RKDeckError: `estimate.bad_index`, `estimate.lfs_pointer`, `names.unsafe_path`.
    """
    if is_lfs_pointer(data):
        raise RKDeckError("estimate.lfs_pointer", file=INDEX_NAME)
    try:
        # As transformers reads it: text in UTF-8, and a mark before it is no JSON.
        value = read_json(data.decode("utf-8")) if len(data) <= MAX_INDEX_BYTES else None
    except UnicodeDecodeError as error:
        raise RKDeckError("estimate.bad_index", problem="not in UTF-8") from error
    places = value.get("weight_map") if isinstance(value, dict) else None
    if not isinstance(places, dict) or not places:
        raise RKDeckError("estimate.bad_index", problem="no weight_map")
    names = {name for name in places.values() if isinstance(name, str)}
    if not all(isinstance(name, str) for name in places.values()) or len(names) > MAX_SHARDS:
        raise RKDeckError("estimate.bad_index", problem="impossible shard names")
    return tuple(sorted(str(safe_relative_path(name.removeprefix("./"))) for name in names))


def _choose(listed: list[str]) -> WeightFiles:
    here = [name for name in listed if "/" not in name]
    shards = tuple(
        name
        for name in here
        if name.endswith(_SAFETENSORS)
        and not name.startswith(_NOT_THE_MODEL)
        and not _ADAPTER.fullmatch(name)
    )
    pickles = tuple(name for name in here if _PICKLE_SHARD.fullmatch(name))[:MAX_SHARDS]
    if SINGLE_NAME in here:
        return WeightFiles("safetensors", (SINGLE_NAME,))
    if INDEX_NAME in here:
        return WeightFiles("sharded", shards[:MAX_SHARDS], INDEX_NAME)
    if shards and not all(_VARIANT.fullmatch(name) for name in shards):
        return WeightFiles("unindexed", shards[:MAX_SHARDS])
    if PICKLE_NAME in here:
        return WeightFiles("pickle", (PICKLE_NAME,))
    if PICKLE_INDEX_NAME in here:
        return WeightFiles("pickle", pickles, PICKLE_INDEX_NAME)
    if pickles:
        return WeightFiles("pickle", pickles)
    return _choose_other(listed, here)


def _choose_other(listed: list[str], here: list[str]) -> WeightFiles:
    adapters = tuple(name for name in here if _ADAPTER.fullmatch(name))
    if ADAPTER_NAME in here or adapters:
        return WeightFiles("adapter", adapters)
    found = _choose_form(here)
    if found is not None:
        return found
    variants = tuple(name for name in here if _VARIANT.fullmatch(name))
    if variants:
        return WeightFiles("variant", variants)
    if _PIPELINE in here:
        return WeightFiles("pipeline")
    layout = tuple(name for name in listed if _LAYOUT.fullmatch(name))
    if layout:
        return WeightFiles("layout", layout)
    others = tuple(name for name in listed if form_of(name) and not _base(name).startswith(_TRAINERS))
    below = tuple(name for name in listed if _ADAPTER.fullmatch(_base(name)))
    return (
        _choose_below(listed)
        or _choose_form(listed)
        or (WeightFiles("adapter", below) if below else None)
        or (WeightFiles("other", others) if others else WeightFiles("none"))
    )


def is_read_beside(name: str) -> bool:
    """Whether loaders may read it beside the weights: configuration, tokenizer, template, code."""
    return name.lower().endswith(_READ_BESIDE)


def _choose_form(names: list[str]) -> WeightFiles | None:
    """The converted files among some, of the kind that is nearest to a board."""
    forms: tuple[WeightsKind, ...] = ("rkllm", "gguf", "onnx")
    for form in forms:
        files = tuple(name for name in names if name.lower().endswith(f".{form}"))
        if files:
            return WeightFiles(form, files)
    return None


def _choose_below(listed: list[str]) -> WeightFiles | None:
    """The weights of one folder below: of several with a config.json or of all, the last by its number."""
    below = [
        name
        for name in listed
        if "/" in name
        and name.endswith(_SAFETENSORS)
        and not (_base(name).startswith(_TRAINERS) or _ADAPTER.fullmatch(_base(name)))
    ]
    if not below:
        return None
    files = frozenset(listed)
    chosen = max(
        {name.rpartition("/")[0] for name in below},
        key=lambda folder: (f"{folder}/{CONFIG_NAME}" in files, _by_number(folder)),
    )
    return WeightFiles("folder", tuple(name for name in below if name.rpartition("/")[0] == chosen))


def _by_number(folder: str) -> tuple[tuple[int, str], ...]:
    """A key that orders checkpoint-500 before checkpoint-1500."""
    parts: list[str] = _NUMBER.split(folder)
    return tuple((int(part), "") if _NUMBER.fullmatch(part) else (-1, part) for part in parts)


def _base(name: str) -> str:
    return name.rpartition("/")[2]


def _why(name: str, found: WeightFiles) -> Why | None:
    """Why a file with weights is not read; None for files that hold none, or that this rule says nothing of."""
    if name in {INDEX_NAME, PICKLE_INDEX_NAME}:
        return "stale_index" if found.has_headers else None
    if name.endswith(_SAFETENSORS) and "/" not in name:
        return "duplicate" if found.has_headers and _DUPLICATE.fullmatch(name) else "not_the_model"
    # The same weights in other clothes, wherever they lie.
    return "other_form" if (found.has_headers or found.kind == "adapter") and form_of(name) else None


def _base_of(data: bytes) -> str | None:
    """The base model an adapter_config.json names (mlx-lm's as `model`); None when it does not, or is no JSON."""
    value = read_json(data) if len(data) <= MAX_CONFIG_BYTES else None
    told = value if isinstance(value, dict) else {}
    base = told.get("base_model_name_or_path") or told.get("model")
    return printable(base, 120) if isinstance(base, str) and base else None
