"""The header of a GGUF file, read from wherever its bytes are: a file, its first bytes, ranges.

Layout (ggml-org/ggml, docs/gguf.md): magic, version, number of tensors, number of keys; the keys with typed values; an
entry of each tensor; then the aligned data. Lengths have 64 bits from version 2 on; version 1 had 32 of them and is no
longer made; a big-endian file (version 3 allows them) has all its numbers the other way round.

The vocabulary is one of the values, megabytes of texts that can only be walked through, and the tensors' entries lie
behind it. Writers put `general.*` and the architecture's keys before it, so much of what people ask is known from the
first pages: reading ends where the budget or the time ends, and the header says that it is not whole.

Files come from strangers: every count, length and number is held against the file's size before anything is kept, and
what is kept has a bound of its own.
"""

import itertools
import math
import struct
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from core.base import foreign
from core.base.templates import MAX_BYTES as MAX_TEXT_BYTES
from core.base.templates import template_of_keys
from core.vendor.gguf_types import TensorType, file_types, tensor_types

# Returns `length` bytes at an offset; fewer, or none, where no more of the file is at hand.
Read = Callable[[int, int], bytes]
Scalar = int | float | bool | str

MAGIC = b"GGUF"
# Of the largest known vocabularies (256,000 texts with their merges) with room to spare.
MAX_HEADER_BYTES = 64 << 20
MAX_SECONDS = 20.0
TEXT, ARRAY = 8, 9
SCALAR_FORMS: Mapping[int, str] = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d",
}  # fmt: skip
_VERSIONS = (2, 3)
_MAX_KEYS = 65_536
_MAX_TENSORS = 65_536
_MAX_KEY_BYTES = 65_535  # by the specification
_MAX_TENSOR_NAME_BYTES = (
    128  # 64 by the specification; GGML_MAX_NAME can be set higher when a runtime is built
)
_MAX_KEPT_BYTES = 16 << 20  # names and texts together; as Python's they may take four times as much
_MAX_DIMENSIONS = 4
_MAX_ITEMS = 4 << 20  # of all lists that can only be walked through; large vocabularies have a million
_MAX_DEPTH = 3  # lists of lists: the specification allows them, nobody writes them
_MAX_KEPT_ITEMS = 1024  # of a list of numbers: one for each layer is what is asked for
_MAX_SHARDS = 65_535  # `split.count` is a 16-bit number
_PAGE_BYTES = 64 << 10
_MAX_PAGE_BYTES = 2 << 20
_ALIGNMENT = "general.alignment"
_USUAL_ALIGNMENT = 32
_LENGTH = struct.Struct("<Q")


class GgufError(ValueError):
    """The file is none, or is damaged; the text is a code of `inspect`'s problems."""


@dataclass(frozen=True, slots=True)
class GgufTensor:
    """One tensor; its name is a stranger's text.

    Attributes:
        shape: as the file has it: the first dimension is the one that lies together.
        type: how it is stored; None is a type newer than RKDeck's list.
        offset: in the data, in bytes.
    """

    name: str
    shape: tuple[int, ...]
    type: TensorType | None
    offset: int

    @property
    def elements(self) -> int:
        """All of them."""
        return math.prod(self.shape)

    @property
    def size_bytes(self) -> int | None:
        """It takes; None of a type that is not known."""
        if self.type is None:
            return None
        return self.elements // self.type.block_elements * self.type.block_bytes


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """What a header says, as far as it was read; the texts are a stranger's.

    Attributes:
        version: of the format.
        tensor_count: the file says it has.
        values: of the keys that are numbers, flags, or texts of up to 4 MiB in UTF-8.
        lengths: of all keys that are lists: how many items.
        lists: of the keys that are lists of up to 1024 numbers or flags: what a layer has, one for each.
        tensors: empty where `is_whole` is false.
        is_whole: whether keys and tensors were read to their end.
        bytes_read: it took.
    """

    version: int
    tensor_count: int
    values: Mapping[str, Scalar] = field(default_factory=dict)
    lengths: Mapping[str, int] = field(default_factory=dict)
    tensors: tuple[GgufTensor, ...] = ()
    lists: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)
    is_whole: bool = False
    bytes_read: int = 0

    def text(self, key: str) -> str | None:
        """The text under a key, made printable and cut at 200 characters."""
        return foreign.text(self.values.get(key))

    def whole(self, key: str) -> int | None:
        """The whole number under a key, none below 0."""
        return foreign.whole(self.values.get(key))

    @property
    def architecture(self) -> str | None:
        """As llama.cpp calls it: `qwen3`, `llama`."""
        return self.text("general.architecture")

    def of_architecture(self, name: str) -> int | None:
        """A whole number of the architecture: `context_length`, `block_count`, `attention.head_count_kv`."""
        return self.whole(f"{self.architecture}.{name}")

    @property
    def role(self) -> str | None:
        """What the file is for: `model`, `mmproj` (pictures or sound for one), or what else it says of itself.

        None where it does not say: a part of a split file other than the first, say.
        """
        if self.architecture == "clip":  # what made mmproj files before `general.type` was
            return "mmproj"
        said = self.text("general.type")
        return said or ("model" if self.architecture else None)

    @property
    def stated_type(self) -> str | None:
        """What the file calls its weights: `q4_k_m`; None where it does not, or by a newer number. Only a claim."""
        number = self.whole("general.file_type")
        return None if number is None else file_types().get(number)

    @property
    def quantization(self) -> str | None:
        """What most of the weights are, by the tensors; None where those were not read, or are of a newer type.

        A mixture is called as the file calls it (`q4_k_m`) where that is a mixture around that type (`q4_k`).
        """
        elements = Counter[TensorType | None]()
        for tensor in self.tensors:
            # Norms and biases are kept in float32 whatever the weights are.
            elements[tensor.type] += tensor.elements if len(tensor.shape) > 1 else 0
        kind = max(elements, key=elements.__getitem__, default=None)
        if kind is None:
            return None
        stated = self.stated_type
        return stated if stated is not None and stated.startswith(f"{kind.name}_") else kind.name

    @property
    def part(self) -> tuple[int, int] | None:
        """Which part of how many the file is, from 1; (1, 1) is all of it, None is a statement that makes no sense."""
        if "split.count" not in self.values:
            return 1, 1
        count = foreign.whole(self.values["split.count"], 0, _MAX_SHARDS)
        number = foreign.whole(self.values.get("split.no"), 0, _MAX_SHARDS - 1)
        if count is None or number is None or number >= max(count, 1):
            return None
        return number + 1, max(count, 1)

    @property
    def parameters(self) -> int | None:
        """Elements of all tensors of this file; None where they were not read."""
        return sum(tensor.elements for tensor in self.tensors) if self.is_whole else None

    @property
    def tensor_bytes(self) -> int | None:
        """All tensors together, as they are mapped; None where not all are known."""
        known = [size for tensor in self.tensors if (size := tensor.size_bytes) is not None]
        return sum(known) if self.is_whole and len(known) == len(self.tensors) else None

    @property
    def chat_template(self) -> str | None:
        """The template of plain chats, whole; None where there is none, or it was not reached."""
        return template_of_keys(self.values)


def read_gguf(
    read: Read, size_bytes: int, *, budget_bytes: int = MAX_HEADER_BYTES, limit_s: float = MAX_SECONDS
) -> GgufHeader:
    """Read a header.

    Args:
        read: of the file's bytes; asked for pages one after another.
        size_bytes: of the file.
        budget_bytes: to read at most; a header that is longer comes as far as that, and is not whole.
        limit_s: seconds to read for at most, with the same end.

    Raises:
        GgufError: `inspect.not_a_model`, `inspect.gguf_version`, `inspect.gguf_big_endian`, `inspect.gguf_damaged`,
            `inspect.gguf_cut_off`.
        As `read` raises.
    """
    pages = _Pages(read, size_bytes, budget_bytes, limit_s)
    version = tensor_count = 0
    values: dict[str, Scalar] = {}
    lengths: dict[str, int] = {}
    lists: dict[str, tuple[Scalar, ...]] = {}
    try:
        version = _version(pages)
        tensor_count, key_count = pages.number("<Q"), pages.number("<Q")
        # An entry has a length, a name, dimensions, a type and an offset; a key a length, a type and a value.
        if tensor_count > min(_MAX_TENSORS, size_bytes // 24) or key_count > min(_MAX_KEYS, size_bytes // 13):
            raise GgufError("inspect.gguf_damaged")
        for _ in range(key_count):
            _take_key(pages, values, lengths, lists)
        tensors = tuple(_tensor(pages) for _ in range(tensor_count))
    except _BudgetSpentError:
        return GgufHeader(version, tensor_count, values, lengths, lists=lists, bytes_read=pages.bytes_read)
    _check_places(tensors, pages.position, size_bytes, values.get(_ALIGNMENT, _USUAL_ALIGNMENT))
    return GgufHeader(version, tensor_count, values, lengths, tensors, lists, True, pages.bytes_read)


class _BudgetSpentError(Exception):
    """More would have to be read than is allowed, or than is at hand."""


class _Pages:
    """The bytes of a file from its beginning on, fetched page by page, with what is left of the bounds."""

    def __init__(self, read: Read, size_bytes: int, budget_bytes: int, limit_s: float) -> None:
        self._read, self._size_bytes, self._budget_bytes = read, size_bytes, budget_bytes
        self._end_s = time.monotonic() + limit_s
        self._page, self._start, self._page_bytes = b"", 0, _PAGE_BYTES
        self._items_left, self._kept_left = _MAX_ITEMS, _MAX_KEPT_BYTES
        self.position = 0
        self.bytes_read = 0

    def take(self, count: int) -> bytes:
        """The next bytes."""
        self._must_have(count)
        pieces = []
        while count:
            if not self._start <= self.position < self._start + len(self._page):
                self._fetch(count)
            at = self.position - self._start
            piece = self._page[at : at + count]
            pieces.append(piece)
            self.position += len(piece)
            count -= len(piece)
        return b"".join(pieces)

    def skip(self, count: int) -> None:
        """Step over bytes; what is stepped over is not read."""
        self._must_have(count)
        self.position += count

    def number(self, form: str) -> int:
        """A whole number."""
        value: int = struct.unpack(form, self.take(struct.calcsize(form)))[0]
        return value

    def numbers(self, form: str, count: int) -> tuple[Scalar, ...]:
        """So many numbers or flags that lie together."""
        size_bytes = count * struct.calcsize(form)
        self._kept_left -= size_bytes
        if self._kept_left < 0:
            raise _BudgetSpentError
        return struct.unpack(f"<{count}{form[1:]}", self.take(size_bytes))

    def name(self, most: int) -> str:
        """A name of at most so many bytes."""
        length = self.number("<Q")
        if length > most:
            raise GgufError("inspect.gguf_damaged")
        self._kept_left -= length
        if self._kept_left < 0:
            raise _BudgetSpentError
        try:
            return self.take(length).decode("utf-8")
        except UnicodeDecodeError as error:
            raise GgufError("inspect.gguf_damaged") from error

    def text(self) -> str | None:
        """A text; None, and stepped over, where it is longer than anybody needs, or not UTF-8."""
        length = self.number("<Q")
        if length > min(MAX_TEXT_BYTES, self._kept_left):
            self.skip(length)
            return None
        self._kept_left -= length
        try:
            return self.take(length).decode("utf-8")
        except UnicodeDecodeError:
            return None

    def items(self, count: int) -> range:
        """So many items, to be walked through one by one."""
        self._items_left -= count
        if self._items_left < 0:
            raise GgufError("inspect.gguf_damaged")
        return range(count)

    def skip_texts(self, count: int) -> None:
        """Step over texts, which only their lengths lead through."""
        left = len(self.items(count))
        while left:
            # A million of them: those whose lengths lie in the page at hand without a call for each.
            at, last = self.position - self._start, len(self._page) - _LENGTH.size
            while left and 0 <= at <= last:
                at += _LENGTH.size + _LENGTH.unpack_from(self._page, at)[0]
                left -= 1
            self.skip(self._start + at - self.position)
            if left:
                self.skip(self.number("<Q"))
                left -= 1

    def _must_have(self, count: int) -> None:
        if count > self._size_bytes - self.position:
            raise GgufError("inspect.gguf_cut_off")

    def _fetch(self, count: int) -> None:
        # Where all is read, as texts are, each page is twice the last: a page may be a request.
        goes_on = self._page and self.position - self._start - len(self._page) < len(self._page)
        self._page_bytes = min(2 * self._page_bytes, _MAX_PAGE_BYTES) if goes_on else _PAGE_BYTES
        wanted = min(max(count, self._page_bytes), self._size_bytes - self.position)
        wanted = min(wanted, self._budget_bytes - self.bytes_read)
        if wanted < count or time.monotonic() > self._end_s:
            raise _BudgetSpentError
        self._page, self._start = self._read(self.position, wanted), self.position
        self.bytes_read += len(self._page)
        if not self._page:
            raise _BudgetSpentError


def _version(pages: _Pages) -> int:
    if pages.take(len(MAGIC)) != MAGIC:
        raise GgufError("inspect.not_a_model")
    written = pages.take(4)
    if int.from_bytes(written, "big") in _VERSIONS:
        raise GgufError("inspect.gguf_big_endian")
    version = int.from_bytes(written, "little")
    if version not in _VERSIONS:
        raise GgufError("inspect.gguf_version")
    return version


def _take_key(
    pages: _Pages,
    values: dict[str, Scalar],
    lengths: dict[str, int],
    lists: dict[str, tuple[Scalar, ...]],
) -> None:
    key = pages.name(_MAX_KEY_BYTES)
    if key in values or key in lengths:
        raise GgufError("inspect.gguf_damaged")  # by the specification; readers differ in which one they take
    kind = pages.number("<I")
    if kind == ARRAY:
        lengths[key], numbers = _list(pages, 1)
        if numbers:
            lists[key] = numbers
        return
    value = pages.text() if kind == TEXT else _scalar(pages, kind)
    if value is not None:
        values[key] = value


def _scalar(pages: _Pages, kind: int) -> Scalar:
    form = SCALAR_FORMS.get(kind)
    if form is None:
        raise GgufError("inspect.gguf_damaged")
    value: Scalar = struct.unpack(form, pages.take(struct.calcsize(form)))[0]
    return value


def _list(pages: _Pages, depth: int) -> tuple[int, tuple[Scalar, ...]]:
    """Step over a list; returns its length, and the items of a short one of numbers."""
    kind, count = pages.number("<I"), pages.number("<Q")
    if count > foreign.MAX_BYTES or depth > _MAX_DEPTH:
        raise GgufError("inspect.gguf_damaged")
    if kind in SCALAR_FORMS:
        if depth == 1 and count <= _MAX_KEPT_ITEMS:
            return count, pages.numbers(SCALAR_FORMS[kind], count)
        pages.skip(count * struct.calcsize(SCALAR_FORMS[kind]))
    elif kind == TEXT:
        pages.skip_texts(count)
    elif kind == ARRAY:
        for _ in pages.items(count):
            _list(pages, depth + 1)
    else:
        raise GgufError("inspect.gguf_damaged")
    return count, ()


def _tensor(pages: _Pages) -> GgufTensor:
    name, dimensions = pages.name(_MAX_TENSOR_NAME_BYTES), pages.number("<I")
    if dimensions > _MAX_DIMENSIONS:
        raise GgufError("inspect.gguf_damaged")
    shape = tuple(pages.number("<Q") for _ in range(dimensions))
    kind, offset = tensor_types().get(pages.number("<I")), pages.number("<Q")
    if kind is not None and shape and shape[0] % kind.block_elements:
        raise GgufError("inspect.gguf_damaged")
    if math.prod(shape) > foreign.MAX_BYTES:  # of a type that is not known, nothing else would bound it
        raise GgufError("inspect.gguf_damaged")
    return GgufTensor(name, shape, kind, offset)


def _check_places(
    tensors: tuple[GgufTensor, ...], header_bytes: int, size_bytes: int, alignment: Scalar
) -> None:
    """Whether every tensor lies in the file at a place of its own, and none has the name of another."""
    step = foreign.whole(alignment, 1, _PAGE_BYTES)
    if step is None or step & (step - 1):
        raise GgufError("inspect.gguf_damaged")
    if len({tensor.name for tensor in tensors}) != len(tensors):
        raise GgufError("inspect.gguf_damaged")
    start = -(-header_bytes // step) * step
    placed = sorted(tensors, key=lambda tensor: (tensor.offset, tensor.size_bytes or 0))
    for tensor in placed:
        if start + tensor.offset + (tensor.size_bytes or 0) > size_bytes:
            raise GgufError("inspect.gguf_cut_off")
    if any(tensor.offset % step for tensor in tensors):
        raise GgufError("inspect.gguf_damaged")
    for tensor, following in itertools.pairwise(placed):
        if tensor.offset + (tensor.size_bytes or 0) > following.offset:
            raise GgufError("inspect.gguf_damaged")
