"""What a model file is, from its first and last bytes: also on the Hub, before any download.

Current .rkllm files are GGUF-shaped with the magic and the bytes of strings under a 256-byte XOR mask that
starts anew for each string, everything else in the clear (public notes on 1.3.0 and 1.3.1 files). The first
key is `general.architecture`: its 20 bytes give 20 bytes of the mask, enough for the short strings RKDeck
needs, and the mask's first four bytes must also turn the magic into "GGUF". Nothing is believed that fails
this check.

A GGUF file is told by its own header, of which the first bytes hold a part; on this computer all of it is read.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import BinaryIO

from core.base import foreign
from core.base.errors import JsonValue, RKDeckError
from core.base.opening import open_regular
from core.base.trouble import reason_of
from core.model.gguf import GgufError, GgufHeader, Read, read_gguf
from core.model.metadata import MetadataError, read_metadata, read_simulated_metadata
from core.vendor.kinds import kind_of_format
from core.vendor.platforms import load_platforms
from core.vendor.releases import magics, platform_of_code

HEAD_BYTES = 256 << 10
TAIL_BYTES = 64
READ, INFERRED, STATED = "read", "inferred", "stated"
_FOOTER = re.compile(rb"rkllm-toolkit version: ([0-9A-Za-z.+_-]{1,40})\s*$")
# What people write of a dtype in a file's name, also of one RKDeck does not know: it is their claim, not our rule.
_NAME_DTYPE = re.compile(r"w\d{1,2}a\d{1,2}(?:[_-]?g\d+)?", re.IGNORECASE)
_MIN_MODEL_BYTES = 4096
# A key of files of rkllm-toolkit 1.0.x, which are GGUF else: with its length before it, since texts may speak of it.
_RKLLM_1_0_KEY = len(b"rkllm.platform").to_bytes(8, "little") + b"rkllm.platform"


@dataclass(frozen=True, slots=True)
class Inspection:
    """The document of `rkdeck inspect --json`; None is unknown.

    Attributes:
        kind: rkllm, rkllm-simulated, gguf, lfs-pointer, html, safetensors, fake-rkllm, empty or unknown.
        role: of a GGUF file: model, mmproj, adapter, ...
        parameters: of a GGUF file that is one model: the elements of its tensors.
        tokenizer: of a GGUF file: llama, gpt2, ...
        chat_template: whether a GGUF file has one.
        part: of a GGUF file, from 1; `parts` there are.
        fields: for every known member, whether it was read in the file, inferred from its name, or is what the file
            says of itself where its tensors could not be looked at.
        problems: codes of what is wrong with it.
        gguf: the header of a GGUF file, for whoever estimates; no member of the document.
    """

    kind: str
    size_bytes: int
    toolkit_version: str | None = None
    platform: str | None = None
    dtype: str | None = None
    max_context: int | None = None
    npu_cores: int | None = None
    architecture: str | None = None
    role: str | None = None
    parameters: int | None = None
    tokenizer: str | None = None
    chat_template: bool | None = None
    part: int | None = None
    parts: int | None = None
    fields: dict[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    gguf: GgufHeader | None = field(default=None, repr=False, compare=False)

    @property
    def is_model(self) -> bool:
        """Whether a runtime could load it, as far as the bytes tell."""
        is_main = self.role in {None, "model"}  # and no part for pictures, no adapter for one
        return kind_of_format(self.kind) is not None and is_main and not self.problems

    @property
    def simulated(self) -> bool:
        """Whether it is a stand-in's format, which no real board runs."""
        kind = kind_of_format(self.kind)
        return kind is not None and self.kind in kind.simulated

    def to_json(self) -> dict[str, JsonValue]:
        """Return the document."""
        return {
            "kind": self.kind,
            "toolkit_version": self.toolkit_version,
            "platform": self.platform,
            "dtype": self.dtype,
            "max_context": self.max_context,
            "npu_cores": self.npu_cores,
            "architecture": self.architecture,
            "role": self.role,
            "parameters": self.parameters,
            "tokenizer": self.tokenizer,
            "chat_template": self.chat_template,
            "part": self.part,
            "parts": self.parts,
            "size_bytes": self.size_bytes,
            "fields": dict(self.fields),
            "problems": list(self.problems),
        }


def inspect_file(path: Path) -> Inspection:
    """Inspect a file on this computer.

    Raises:
        RKDeckError: `convert.unreadable`.
    """
    try:
        with open_regular(path) as file:
            return inspect_open(file, path.name)
    except OSError as error:
        raise RKDeckError("convert.unreadable", file=str(path), reason=reason_of(error)) from error


def inspect_open(file: BinaryIO, name: str) -> Inspection:
    """Inspect an open file of that name.

    Raises:
        OSError: as the file system says.
    """

    def read(start: int, length: int) -> bytes:
        file.seek(start)
        return file.read(length)

    head, size_bytes = read(0, HEAD_BYTES), file.seek(0, 2)
    return _inspect(head, read(max(0, size_bytes - TAIL_BYTES), TAIL_BYTES), size_bytes, name, read)


def inspect_bytes(head: bytes, tail: bytes, size_bytes: int, name: str = "") -> Inspection:
    """Inspect the first (up to 256 KiB) and last 64 bytes of a file of that size and name."""
    return _inspect(head, tail, size_bytes, name, lambda start, length: head[start : start + length])


def inspect_ranges(read: Read, size_bytes: int, name: str = "") -> Inspection:
    """Inspect a file that is read by ranges: its first and last bytes, of a GGUF file all of its header.

    Raises:
        As `read` raises.
    """
    head = read(0, min(HEAD_BYTES, size_bytes))
    start = max(0, size_bytes - TAIL_BYTES)
    tail = head[start:] if size_bytes <= len(head) else read(start, TAIL_BYTES)

    def onward(start: int, length: int) -> bytes:
        return head[start : start + length] if start < len(head) else read(start, length)

    return _inspect(head, tail, size_bytes, name, onward)


def _inspect(head: bytes, tail: bytes, size_bytes: int, name: str, read: Read) -> Inspection:
    kind = _kind(head, size_bytes)
    found: dict[str, JsonValue] = {}
    problems: list[str] = []
    if kind == "gguf" and _RKLLM_1_0_KEY not in head and not name.lower().endswith(".rkllm"):
        return _inspect_gguf(read, size_bytes)
    if kind == "gguf" and _RKLLM_1_0_KEY in head:
        kind = "rkllm"
        problems.append("inspect.too_old")  # 1.0.x: newer runtimes ask to reconvert
    elif kind in {"rkllm", "rkllm-simulated"}:
        found, problems = _read_fields(kind, head, tail, size_bytes)
    elif kind == "gguf":
        problems.append("inspect.gguf_by_another_name")
    else:
        problems.append(_NOT_A_MODEL.get(kind, "inspect.not_a_model"))
    # Of the wrong type is unknown, before anything is called read.
    found = {key: _READERS.get(key, foreign.text)(value) for key, value in found.items()}
    fields = {key: READ for key, value in found.items() if value is not None}
    if kind in {"rkllm", "rkllm-simulated"}:
        for key, value in fields_of_name(name).items():
            if found.get(key) is None:
                found[key], fields[key] = value, INFERRED
    return Inspection(
        kind=kind,
        size_bytes=size_bytes,
        toolkit_version=foreign.text(found.get("toolkit_version")),
        platform=foreign.text(found.get("platform")),
        dtype=foreign.text(found.get("dtype")),
        max_context=foreign.whole(found.get("max_context")),
        npu_cores=foreign.whole(found.get("npu_cores")),
        architecture=foreign.text(found.get("architecture")),
        fields=fields,
        problems=tuple(problems),
    )


def _inspect_gguf(read: Read, size_bytes: int) -> Inspection:
    try:
        header = read_gguf(read, size_bytes)
    except GgufError as error:
        return Inspection("gguf", size_bytes, problems=(str(error),))
    return inspection_of(header, size_bytes)


def inspection_of(header: GgufHeader, size_bytes: int) -> Inspection:
    """What the header of a GGUF file of that size tells, as far as it was read."""
    dtype = header.quantization or header.stated_type
    # Writers of split files put the part's number behind the vocabulary: what was not reached says nothing.
    reached = header.is_whole or "split.count" in header.values
    part, parts = (header.part if reached else None) or (None, None)
    template = True if header.chat_template is not None else False if header.is_whole else None
    found = Inspection(
        kind="gguf",
        size_bytes=size_bytes,
        dtype=dtype,
        max_context=header.of_architecture("context_length"),
        architecture=header.architecture,
        role=header.role,
        # Other parts of a split file hold more of them.
        parameters=foreign.whole(header.parameters) if parts == 1 else None,
        tokenizer=header.text("tokenizer.ggml.model"),
        chat_template=template,
        part=part,
        parts=parts,
        gguf=header,
    )
    fields = {name: READ for name in _GGUF_FIELDS if getattr(found, name) is not None}
    if dtype is not None and dtype != header.quantization:
        fields["dtype"] = STATED
    return replace(found, fields=fields)


_GGUF_FIELDS = (
    "dtype", "max_context", "architecture", "role", "parameters", "tokenizer", "chat_template", "part", "parts",
)  # fmt: skip
_READERS: dict[str, Callable[[object], JsonValue]] = {
    "max_context": foreign.whole, "npu_cores": foreign.whole,
}  # fmt: skip
_NOT_A_MODEL = {
    "lfs-pointer": "inspect.lfs_pointer",
    "html": "inspect.html",
    "fake-rkllm": "inspect.fake",
    "empty": "inspect.empty",
}


def _kind(head: bytes, size_bytes: int) -> str:
    if size_bytes == 0:
        return "empty"
    for magic in sorted(magics(), key=lambda magic: -len(magic.first_bytes)):
        if head.startswith(magic.first_bytes):
            return magic.kind
    if foreign.is_lfs_pointer(head):
        return "lfs-pointer"
    start = head[:200].lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "html"
    header_bytes = int.from_bytes(head[:8], "little")
    if head[8:9] == b"{" and 0 < header_bytes < size_bytes:
        return "safetensors"
    return "unknown"


def _read_fields(
    kind: str, head: bytes, tail: bytes, size_bytes: int
) -> tuple[dict[str, JsonValue], list[str]]:
    found: dict[str, JsonValue] = {}
    problems = []
    footer = _FOOTER.search(tail)
    if footer is None or size_bytes < _MIN_MODEL_BYTES:
        problems.append("inspect.truncated")
    else:
        found["toolkit_version"] = footer[1].decode()
    try:
        metadata = read_simulated_metadata(head) if kind == "rkllm-simulated" else read_metadata(head)
    except MetadataError:
        # Another mask or layout: the file may be fine, so that is no problem, only less knowledge.
        return found, problems
    code = metadata.get("rkllm.platform")
    platform = platform_of_code(code) if isinstance(code, int) else metadata.get("platform")
    found.update(
        platform=platform,
        dtype=metadata.get("dtype"),
        max_context=metadata.get("rkllm.max_context", metadata.get("max_context")),
        npu_cores=metadata.get("rkllm.core_num", metadata.get("npu_cores")),
        architecture=metadata.get("general.architecture", metadata.get("architecture")),
    )
    return found, problems


def fields_of_name(name: str) -> dict[str, JsonValue]:
    """What a file's name claims: `platform`, `dtype`; for the members its bytes do not tell."""
    platform, dtype = _name_platform().search(name), _NAME_DTYPE.search(name)
    found: dict[str, JsonValue] = {}
    if platform:
        found["platform"] = platform[0].lower()
    if dtype:
        found["dtype"] = re.sub(r"[_-]?g", "_g", dtype[0].lower())
    return found


@cache
def _name_platform() -> re.Pattern[str]:
    # The longest first, so that a name that begins another one does not hide it.
    names = sorted(load_platforms(), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, names)), re.IGNORECASE)
