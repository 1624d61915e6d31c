"""Where a model's weights lie, what each tensor is, and reading them block by block with bounded memory."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from core.base.errors import RKDeckError
from core.base.names import printable
from core.base.opening import open_regular
from core.base.trouble import reason_of
from core.lab.kernel import rows_per_block
from core.lab.records import HEAD_KIND, Role, TensorRef
from core.model.facts import ModelFacts, load_local_facts, local_weight_files, why_no_source
from core.model.headers import LENGTH_BYTES, TensorInfo, needed_header_bytes, parse_safetensors_header
from core.model.tensors import LinearLayer, sort_tensors
from core.model.textconfig import read_text_config
from core.quantization.storage import FLOAT_BYTES, Stored, as_stored

# One row of float32 in 16 MiB; the widest real layer (Llama 3.1 405B) has 53,248 inputs.
MAX_INPUTS = 1 << 22
# An expert stored (inputs, outputs) is read whole, to be turned around.
MAX_TURNED_BYTES = 128 << 20
_LAYER_WORDS = ("layers", "h", "blocks")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tensor's bytes are: `size_bytes` of a file from `offset` on."""

    file: Path
    offset: int
    info: TensorInfo


@dataclass(frozen=True, slots=True)
class WeightFolder:
    """A model folder that can be read.

    Attributes:
        tensors: every tensor of the language part, linear weights in the order of the model.
        places: by name.
    """

    facts: ModelFacts
    tensors: tuple[TensorRef, ...]
    places: dict[str, Place]

    @property
    def linear(self) -> tuple[TensorRef, ...]:
        """What the toolkit quantizes; a tied head is the embedding's tensor once more."""
        return tuple(tensor for tensor in self.tensors if tensor.role == "linear")

    def find(self, name: str) -> TensorRef:
        """Return a tensor by name, the linear use of it first.

        Raises:
            RKDeckError: `lab.no_tensor`.
        """
        return find_tensor(self.tensors, name)


def find_tensor(tensors: tuple[TensorRef, ...], name: str) -> TensorRef:
    """Return a tensor by name, the linear use of it first.

    Raises:
        RKDeckError: `lab.no_tensor`.
    """
    found = [tensor for tensor in tensors if tensor.name == name]
    if not found:
        # Linear weights stand first.
        near = [tensor.name for tensor in tensors][:3]
        raise RKDeckError("lab.no_tensor", tensor=printable(name), examples=", ".join(map(printable, near)))
    return min(found, key=lambda tensor: tensor.role != "linear")


def open_folder(folder: Path) -> WeightFolder:
    """Read the headers of a model folder; the weights are not touched.

    Raises:
        RKDeckError: as `core.model.facts.load_local_facts`; `lab.no_weights` when no tensor is there,
            `lab.unreadable`.
        RefusedError: `model.gguf_only` and the like for weights without headers.
    """
    places: dict[str, Place] = {}
    try:
        facts = load_local_facts(folder)
        found = local_weight_files(folder)
        for name in found.files if found.has_headers else ():
            places.update({place.info.name: place for place in _places(folder / name)})
    except OSError as error:
        raise RKDeckError("lab.unreadable", file=str(folder), problem=reason_of(error)) from error
    if not places:
        raise why_no_source(facts) or RKDeckError("lab.no_weights", folder=str(folder))
    return WeightFolder(facts, classify(facts), places)


def classify(facts: ModelFacts) -> tuple[TensorRef, ...]:
    """Say of every tensor of the language part what it is; those of towers and projectors are left out.

    Raises:
        RKDeckError: `estimate.bad_config` and the like for a config.json that cannot be used.
    """
    config = read_text_config(facts.config)
    found = sort_tensors(facts.tensors, config.layers, config.kv_shared_layers)
    by_name = {tensor.name: tensor for tensor in facts.tensors}
    refs = [_linear(layer, by_name[layer.name]) for layer in found.body]
    if found.embedding is not None:
        head = found.head or found.embedding
        refs.append(_linear(head, by_name[head.name], kind=HEAD_KIND))
        refs.append(_kept(by_name[found.embedding.name], "embedding"))
    elif found.head is not None:
        refs.append(_linear(found.head, by_name[found.head.name], kind=HEAD_KIND))
    # Shards hold layers in the order of their names: 0, 1, 10, 11, 2.
    refs.sort(key=lambda ref: (ref.layer is None, ref.layer or 0))
    named = {ref.name for ref in refs}
    rest = (tensor for tensor in facts.tensors if tensor.name not in named)
    refs += [_kept(tensor, "norm" if "norm" in tensor.name.lower() else "other") for tensor in rest]
    return tuple(refs)


def read_rows(place: Place, tensor: TensorRef, first: int, rows: int) -> Stored:
    """Read some output channels of a linear weight, as they are stored.

    Channels are counted through all modules. Memory: the rows, or one module of a turned tensor.

    Raises:
        RKDeckError: `lab.dtype`, `lab.row_too_long`, `lab.unreadable`.
    """
    size = check_readable(tensor)
    if not tensor.turned:
        data = read_bytes(place, first * tensor.inputs * size, rows * tensor.inputs * size)
        return as_stored(data, tensor.dtype).reshape(rows, tensor.inputs)
    module, start = divmod(first, tensor.outputs)
    whole = tensor.inputs * tensor.outputs * size
    stored = as_stored(read_bytes(place, module * whole, whole), tensor.dtype)
    turned: Stored = stored.reshape(tensor.inputs, tensor.outputs).T[start : start + rows]
    return turned


def blocks(tensor: TensorRef) -> Iterator[tuple[int, int]]:
    """Yield (first channel, channels) of blocks to read; a turned tensor is read a module at a time."""
    total = tensor.outputs * tensor.modules
    step = tensor.outputs if tensor.turned else max(1, rows_per_block(tensor.inputs))
    for first in range(0, total, step):
        yield first, min(step, total - first)


def check_readable(tensor: TensorRef) -> int:
    """Return the bytes of one weight.

    Raises:
        RKDeckError: `lab.not_linear` for what is no matrix, `lab.empty`, `lab.dtype`, `lab.row_too_long`.
    """
    if tensor.modules == 0:
        raise RKDeckError("lab.not_linear", tensor=printable(tensor.name), role=tensor.role)
    if tensor.elements == 0:
        raise RKDeckError("lab.empty", tensor=printable(tensor.name), shape=str(tensor.shape))
    size = FLOAT_BYTES.get(tensor.dtype)
    if size is None:
        known = ", ".join(FLOAT_BYTES)
        raise RKDeckError(
            "lab.dtype", tensor=printable(tensor.name), dtype=printable(tensor.dtype), known=known
        )
    too_much = tensor.turned and tensor.inputs * tensor.outputs * size > MAX_TURNED_BYTES
    if tensor.inputs > MAX_INPUTS or too_much:
        raise RKDeckError(
            "lab.row_too_long", tensor=printable(tensor.name), inputs=tensor.inputs, limit=MAX_INPUTS
        )
    return size


def read_bytes(place: Place, start: int, length: int) -> npt.NDArray[np.uint8]:
    """Read bytes of a tensor.

    Raises:
        RKDeckError: `lab.unreadable`, also when the file became shorter.
    """
    data = np.empty(length, np.uint8)
    try:
        with open_regular(place.file) as file:
            done = 0
            while done < length:
                got = os.preadv(file.fileno(), [data.data[done:]], place.offset + start + done)
                if got == 0:
                    raise RKDeckError(
                        "lab.unreadable",
                        file=str(place.file),
                        problem="data beyond the end of the file: the file is cut short",
                    )
                done += got
    except OSError as error:
        raise RKDeckError("lab.unreadable", file=str(place.file), problem=reason_of(error)) from error
    return data


def places_in_header(file: Path, first_bytes: bytes, file_size_bytes: int) -> Iterator[Place]:
    """Yield where each tensor lies: the format has no holes, and headers are checked to have none.

    Raises:
        RKDeckError: as `core.model.headers.parse_safetensors_header`.
    """
    offset = needed_header_bytes(first_bytes)
    for info in parse_safetensors_header(first_bytes, file_size_bytes):
        yield Place(file, offset, info)
        offset += info.size_bytes


def _places(path: Path) -> Iterator[Place]:
    with open_regular(path) as file:
        first = file.read(LENGTH_BYTES)
        needed = needed_header_bytes(first, str(path))
        head = first + file.read(needed - LENGTH_BYTES)
    return places_in_header(path, head, path.stat().st_size)


def _linear(layer: LinearLayer, info: TensorInfo, kind: str | None = None) -> TensorRef:
    return TensorRef(
        name=layer.name,
        role="linear",
        kind=kind or _kind(layer.name),
        layer=_layer(layer.name),
        shape=info.shape,
        dtype=info.dtype,
        outputs=layer.outputs,
        inputs=layer.inputs,
        modules=layer.modules,
    )


def _kept(info: TensorInfo, role: Role) -> TensorRef:
    # A matrix that is kept can still be looked at as one.
    matrix = len(info.shape) == 2
    return TensorRef(
        name=info.name,
        role=role,
        kind=_kind(info.name),
        layer=_layer(info.name),
        shape=info.shape,
        dtype=info.dtype,
        outputs=info.shape[0] if matrix else 0,
        inputs=info.shape[1] if matrix else 0,
        modules=1 if matrix else 0,
    )


def _kind(name: str) -> str:
    parts = [part for part in name.split(".") if part not in {"weight", "bias"}]
    words = [part for part in parts if not part.isdigit()]
    last = words[-1] if words else name
    return f"expert {last}" if "experts" in parts else last


def _layer(name: str) -> int | None:
    parts = name.split(".")
    for word, number in pairwise(parts):
        if word in _LAYER_WORDS and number.isdigit() and len(number) <= 6:
            return int(number)
    return None
