"""What is known of a model before anything heavy: its config.json and its tensors' names and shapes."""

import json
import os
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from core.base.errors import JsonValue, RefusedError, RKDeckError
from core.base.foreign import JsonError, is_lfs_pointer, parse_json
from core.base.names import printable
from core.base.opening import open_regular
from core.base.trouble import reason_of
from core.model.files import (
    CONFIG_NAME,
    MAX_CONFIG_BYTES,
    WeightFiles,
    WeightsKind,
    read_weight_files,
    refusal_of,
    shapeless,
    tokenizer_files,
    weight_files,
)
from core.model.headers import (
    LENGTH_BYTES,
    TensorInfo,
    needed_header_bytes,
    parse_safetensors_header,
)
from core.model.leftovers import quantizers_files, refuse_leftovers
from core.model.naming import refuse_misnamed
from core.model.textconfig import names_classes_oddly
from core.model.tokenizing import TOKENIZER_NAME

MAX_TENSORS = 400_000
MAX_NAMES = 20_000
MAX_DEPTH = 3
# What weights are stored in before anybody quantizes them.
FLOATS = frozenset(("F64", "F32", "F16", "BF16"))

# Where config.json says it, and what it is when no method is named there: llm-compressor once had a key of its own.
_STATED = (("quantization_config", "unknown"), ("compression_config", "compressed-tensors"))
_TENSOR_SUFFIXES = {
    "qweight": "gptq or awq",
    "qzeros": "gptq or awq",
    "weight_scale_inv": "fp8",
    "weight_packed": "compressed-tensors",
    "absmax": "bitsandbytes",
    "SCB": "bitsandbytes",
    "W_q": "hqq",
}
_LINEAR = re.compile(r"_proj(?:\b|_)|\.(?:mlp|experts|wqkv|query_key_value|dense_h_to_4h|c_fc|w[123o])\.")


_JSON_PROBLEMS = {
    "too_many": "more values than any real one", "too_deep": "nested too deeply", "not_json": "not valid JSON",
}  # fmt: skip
# Why a file that is there holds nothing: nobody fetched it (Git LFS), or somebody wrote nothing.
Hollow = Literal["pointer", "empty"]
# No file of a tokenizer that holds one is as small; a pointer has three short lines.
_MAX_POINTER_BYTES = 1024


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Everything the estimate knows of a model.

    Attributes:
        model: what the user asked for: a Hub id or a path.
        config: the parsed config.json.
        tensors: all tensors of all files; empty when no header could be read (config only, less certain).
        bytes_fetched: bytes that came over the network to learn this; 0 for a local folder.
        quantization: how the weights are already quantized (`gptq`, `awq`, `fp8`, ...), None when not.
        weights: the form of the weights; tensors are known of those with headers only.
        config_encoding: of config.json, where transformers cannot read it; None where it can.
        weights_at: one of the files that hold them, empty where there is none.
        tokenizer: whether there is one beside them; None when nobody looked.
        hollow: why a file of the tokenizer's holds nothing; None where none does.
        hollow_file: that file.
    """

    model: str
    config: dict[str, JsonValue]
    tensors: tuple[TensorInfo, ...]
    bytes_fetched: int
    quantization: str | None
    weights: WeightsKind
    tokenizer: bool | None = None
    weights_at: str = ""
    config_encoding: str | None = None
    hollow: Hollow | None = None
    hollow_file: str = ""

    @property
    def form(self) -> WeightFiles:
        """The weights' form, for the words of a refusal."""
        return WeightFiles(self.weights, (self.weights_at,))


def load_local_facts(folder: Path) -> ModelFacts:
    """Read the facts of a model folder; a few hundred kB are read, never the weights.

    Raises:
        RKDeckError: `estimate.no_config` (no config.json), `estimate.unreadable`, `estimate.bad_config`,
            `estimate.bad_index`, `estimate.missing_shard`, `estimate.bad_file`, `estimate.lfs_pointer` and, from
            `names`, `names.unsafe_path` for a shard name that leaves the folder.
        RefusedError: `model.adapter_only`, `model.adapter_without_base`, `model.adapter_unmerged`,
            as `core.model.naming.refuse_misnamed`; and, where there is no config.json either, `model.gguf_only`,
            `model.rkllm_only`, `model.onnx_only`, `model.pickle_only`.
    """
    names = local_names(folder)
    has_config = CONFIG_NAME in names
    # Without it nothing is known of any weights, so that is said first; but an adapter or GGUF never had one.
    if not has_config and shapeless(weight_files(names), str(folder), has_config=False) is None:
        raise RKDeckError("estimate.no_config", folder=str(folder))
    found = local_weight_files(folder, names)
    refusal = shapeless(found, str(folder), has_config=has_config)
    if refusal is not None:
        raise refusal
    data = _read(folder / CONFIG_NAME, MAX_CONFIG_BYTES)
    config = parse_config(data)
    headers = found.files if found.has_headers else ()
    tensors = join_shards(_shard_tensors(folder, name) for name in headers)
    encoding, hollow = odd_encoding(data), _hollow(folder, names)
    return facts_of(str(folder), names, found, config, tensors, encoding=encoding, hollow=hollow)


def facts_of(
    model: str,
    names: Iterable[str],
    found: WeightFiles,
    config: dict[str, JsonValue],
    tensors: tuple[TensorInfo, ...],
    bytes_fetched: int = 0,
    encoding: str | None = None,
    hollow: Mapping[str, Hollow] = MappingProxyType({}),
) -> ModelFacts:
    """Put together what was read of a model, wherever it was read.

    Args:
        model: a Hub id or a folder.
        names: of all its files.
        found: which of them hold the weights.
        config: its config.json.
        tensors: of all weight files with headers.
        bytes_fetched: bytes that came over the network for it.
        encoding: of config.json (`odd_encoding`).
        hollow: files that hold nothing; those that are not the tokenizer's do not matter.

    Raises:
        RefusedError: `model.adapter_unmerged`; as `core.model.naming.refuse_misnamed`.
    """
    refuse_leftovers(tensors, model)
    listed = frozenset(names)
    quantization = detect_quantization(config, tensors, listed)
    # Without an index nobody knows whether they are all there, and they are refused for that.
    if quantization is None and found.kind != "unindexed":
        refuse_misnamed(config, tensors, model)
    # Where tokenizer.json is, it is read and no other.
    read = [TOKENIZER_NAME] if TOKENIZER_NAME in listed else sorted(hollow)
    lacking = next((name for name in tokenizer_files(read) if name in hollow), "")
    return ModelFacts(
        model=model,
        config=config,
        tensors=tensors,
        bytes_fetched=bytes_fetched,
        quantization=quantization,
        weights=found.kind,
        tokenizer=not lacking and bool(tokenizer_files(listed)),
        hollow=hollow.get(lacking),
        hollow_file=lacking,
        config_encoding=encoding,
        weights_at=found.files[0] if found.files else "",
    )


def why_no_source(facts: ModelFacts) -> RefusedError | None:
    """Why the toolkit and the laboratory are given nothing of a model; None for its own weights, whole and unpacked."""
    refusal = refusal_of(facts.form, facts.model)
    if refusal is None and facts.config_encoding is not None:
        return RefusedError("model.config_encoding", model=facts.model, encoding=facts.config_encoding)
    if refusal is None and names_classes_oddly(facts.config):
        return RefusedError("model.odd_architectures", model=facts.model)
    if refusal is None and facts.weights == "unindexed":
        return RefusedError("model.unindexed", model=facts.model)
    if refusal is None and facts.quantization is not None:
        method = printable(facts.quantization, 40)
        return RefusedError("model.already_quantized", model=facts.model, method=method)
    return refusal


def without_tokenizer(facts: ModelFacts) -> RefusedError | None:
    """Why text cannot be turned into the model's tokens, as converting and measuring must; None where it can."""
    if facts.tokenizer is not False:
        return None
    if facts.hollow is None:
        return RefusedError("model.no_tokenizer", model=facts.model)
    file = printable(facts.hollow_file)
    if facts.hollow == "pointer":
        return RefusedError("estimate.lfs_pointer", file=file)
    return RefusedError("model.empty_file", model=facts.model, file=file)


def local_weight_files(folder: Path, names: Collection[str] | None = None) -> WeightFiles:
    """Say which files of a folder hold the weights, its index read.

    Args:
        folder: the folder.
        names: of its files (`local_names`), for who has listed them already.

    Raises:
        RKDeckError: `estimate.unreadable`, `estimate.bad_index`, `estimate.missing_shard`, `names.unsafe_path`.
    """
    listed = local_names(folder) if names is None else names
    found = read_weight_files(listed, lambda name, limit: _read(folder / name, limit))
    if found.has_headers and found.missing:
        raise RKDeckError("estimate.missing_shard", folder=str(folder), file=found.missing[0])
    return found


def local_names(folder: Path) -> tuple[str, ...]:
    """Return the names of the files in a folder and in those below it, none where there is no such folder.

    Names are relative, parts joined by `/`, as a hub tells them. The folder's own files come first; of folders that
    are deeper or fuller than any model's (somebody's home) the rest is left out, hidden ones too.

    Raises:
        RKDeckError: `estimate.unreadable`.
    """
    found: list[str] = []
    try:
        with os.scandir(folder) as entries:
            here = sorted(entries, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        raise RKDeckError("estimate.unreadable", file=str(folder), problem=reason_of(error)) from error
    found += [entry.name for entry in here if os.path.isfile(entry.path)]
    for entry in here:
        if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
            found += _names_below(Path(entry.path), folder, MAX_NAMES - len(found))
    return tuple(found)


def _names_below(folder: Path, root: Path, most: int) -> list[str]:
    found: list[str] = []
    # What cannot be listed holds nothing the toolkit could read either.
    for path, folders, files in os.walk(folder):
        place = Path(path).relative_to(root)
        folders[:] = [name for name in sorted(folders) if not name.startswith(".")]
        if len(place.parts) >= MAX_DEPTH:
            folders.clear()
        found += [
            f"{place.as_posix()}/{name}" for name in sorted(files) if os.path.isfile(os.path.join(path, name))
        ]
        if len(found) >= most:
            return found[: max(0, most)]
    return found


def _hollow(folder: Path, names: Iterable[str]) -> dict[str, Hollow]:
    """The files of the tokenizer that hold nothing.

    Raises:
        RKDeckError: `estimate.unreadable`.
    """
    found: dict[str, Hollow] = {}
    for name in tokenizer_files(names):
        data = _read(folder / name, _MAX_POINTER_BYTES)
        if not data:
            found[name] = "empty"
        elif is_lfs_pointer(data):
            found[name] = "pointer"
    return found


def parse_config(data: bytes) -> dict[str, JsonValue]:
    """Parse the bytes of a config.json.

    Raises:
        RKDeckError: `estimate.bad_config`, `estimate.lfs_pointer`.
    """
    if is_lfs_pointer(data):
        raise RKDeckError("estimate.lfs_pointer", file=CONFIG_NAME)
    if len(data) > MAX_CONFIG_BYTES:
        raise RKDeckError("estimate.bad_config", problem="larger than any real one")
    try:
        value = parse_json(data)
    except JsonError as error:
        raise RKDeckError("estimate.bad_config", problem=_JSON_PROBLEMS[error.why]) from error
    if not isinstance(value, dict):
        raise RKDeckError("estimate.bad_config", problem="not a JSON object")
    return value


def odd_encoding(data: bytes) -> str | None:
    """Return how a config.json is written, where that is not plain UTF-8; None where it is.

    JSON tells its own encoding (RFC 4627, section 3), and a mark before it harms nobody who looks. transformers opens
    the file as UTF-8 (configuration_utils, `_dict_from_json_file`) and fails on both.
    """
    found = json.detect_encoding(data)
    if found == "utf-8":
        return None
    return "UTF-8 with a byte order mark" if found == "utf-8-sig" else found.upper()


def join_shards(shards: Iterable[tuple[TensorInfo, ...]]) -> tuple[TensorInfo, ...]:
    """Return all tensors of all shards; of one that lies in two, the last counts.

    So transformers has it, whatever the index says: it reads the files it names in the order of their names, each
    whole (modeling_utils 5.24.0, `_load_pretrained_model`; 4.55.2, `load_shard_file`).

    Raises:
        RKDeckError: `estimate.bad_index` when there are too many.
    """
    tensors: list[TensorInfo] = []
    for shard in shards:
        tensors.extend(shard)
        if len(tensors) > MAX_TENSORS:
            raise RKDeckError("estimate.bad_index", problem="more tensors than any real model")
    return tuple({tensor.name: tensor for tensor in tensors}.values())


def detect_quantization(
    config: Mapping[str, JsonValue], tensors: Iterable[TensorInfo], names: Collection[str] = ()
) -> str | None:
    """Return how the checkpoint is already quantized, or None.

    rkllm-toolkit takes float checkpoints; the names of quantized ones break it (rknn-llm issue 386). A configuration
    may be silent: then a file of the tool's own beside it tells, or the tensors do, by their names or because a matrix
    is not stored in floats of 16 bits or more.

    Args:
        config: config.json.
        tensors: of all shards.
        names: of the model's files.
    """
    for owner in (config, config.get("text_config")):
        stated = stated_quantization(owner) if isinstance(owner, dict) else None
        if stated is not None:
            return stated
    beside = next((method for name, method in quantizers_files().items() if name in names), None)
    if beside is not None:
        return beside
    return next((found for tensor in tensors if (found := _packed(tensor)) is not None), None)


def stated_quantization(config: Mapping[str, JsonValue]) -> str | None:
    """Return how a config.json says its weights are quantized, None when it is silent."""
    for key, usual in _STATED:
        stated = config.get(key)
        # Exporters write an empty one, or one of nulls only, for a model that was never quantized.
        if isinstance(stated, dict) and any(value not in (None, "", {}, []) for value in stated.values()):
            method = stated.get("quant_method")
            return method[:40] if isinstance(method, str) and method else usual
    # MLX (mlx-lm, `utils.quantize_model`) has a key of its own, and may write nothing else.
    return "mlx" if isinstance(config.get("quantization"), dict) else None


def packing_of(dtype: str) -> str:
    """Return what weights stored in a type that is none of `FLOATS` are called."""
    return "fp8" if dtype.startswith("F8_") else f"packed in {dtype}"


def _packed(tensor: TensorInfo) -> str | None:
    """How one tensor is packed; None for one that is not, or is no matrix of weights."""
    last = tensor.name.rpartition(".")[2]
    found = _TENSOR_SUFFIXES.get(last)
    if found is not None:
        return found
    if tensor.dtype in FLOATS or tensor.dtype == "BOOL":
        return None
    # Nobody keeps a table or a mask below a linear layer: codes, indices or blocks of it are its weights, packed.
    if (last == "weight" and len(tensor.shape) > 1) or _LINEAR.search(tensor.name):
        return packing_of(tensor.dtype)
    return None


def _shard_tensors(folder: Path, name: str) -> tuple[TensorInfo, ...]:
    path = folder / name
    if not path.is_file():
        raise RKDeckError("estimate.missing_shard", folder=str(folder), file=name)
    try:
        with open_regular(path) as file:
            first = file.read(LENGTH_BYTES)
            needed = needed_header_bytes(first, str(path))
            return parse_safetensors_header(first + file.read(needed - LENGTH_BYTES), path.stat().st_size)
    except OSError as error:
        raise RKDeckError("estimate.unreadable", file=str(path), problem=reason_of(error)) from error
    except RKDeckError as error:
        if error.code == "estimate.lfs_pointer":
            raise
        raise RKDeckError("estimate.bad_file", file=str(path), problem=_cause(error)) from error


def _cause(error: RKDeckError) -> str:
    problem, tensor = error.facts.get("problem"), error.facts.get("tensor")
    text = str(problem) if problem else error.code.partition(".")[2].replace("_", " ")
    return f"{text} ({tensor!r})" if tensor else text


def _read(path: Path, limit_bytes: int) -> bytes:
    try:
        with open_regular(path) as file:
            return file.read(limit_bytes + 1)
    except OSError as error:
        raise RKDeckError("estimate.unreadable", file=str(path), problem=reason_of(error)) from error
