"""One tensor of a model that is still on the Hub: its bytes by range request, kept for the next look."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from core.base import atomic
from core.base.errors import RefusedError, RKDeckError
from core.base.names import printable
from core.hub.protocol import Hub, read_file
from core.hub.records import ModelDetail
from core.lab.records import TensorRef
from core.lab.weights import Place, check_readable, classify, find_tensor, places_in_header
from core.model.facts import ModelFacts, why_no_source
from core.model.files import read_weight_files
from core.model.headers import LENGTH_BYTES, needed_header_bytes

MAX_TENSOR_BYTES = 768 << 20
# What is kept of earlier looks; the oldest go first.
MAX_CACHE_BYTES = 2 << 30
_PIECE_BYTES = 8 << 20
_FIRST_BYTES = 64 << 10

Advance = Callable[[int, int], None]


class HubWeights:
    """The tensors of one repository at its commit, by its facts.

    Raises:
        RefusedError: `model.gguf_only` and the like for weights without headers.
        RKDeckError: `lab.no_weights`, and as `core.lab.weights.classify`.
    """

    def __init__(self, hub: Hub, detail: ModelDetail, facts: ModelFacts, cache: Path) -> None:
        self._hub = hub
        self._detail = detail
        self._cache = cache
        if not facts.tensors:
            raise why_no_source(facts) or RKDeckError("lab.no_weights", folder=detail.repo)
        self.facts = facts
        self.tensors = classify(facts)

    def find(self, name: str) -> TensorRef:
        """Return a tensor by name.

        Raises:
            RKDeckError: `lab.no_tensor`.
        """
        return find_tensor(self.tensors, name)

    def fetch(self, tensor: TensorRef, advance: Advance | None = None) -> Place:
        """Bring one tensor here, or find it from an earlier look.

        Args:
            tensor: of this model.
            advance: told (bytes here, bytes in all) after each piece; what it raises ends the fetching.

        Raises:
            RKDeckError: what makes a tensor unreadable (`core.lab.weights.check_readable`), and the Hub's.
            RefusedError: `lab.tensor_too_large`.
        """
        check_readable(tensor)
        info = next(info for info in self.facts.tensors if info.name == tensor.name)
        size_bytes = info.size_bytes
        if size_bytes > MAX_TENSOR_BYTES:
            raise RefusedError(
                "lab.tensor_too_large",
                tensor=printable(tensor.name),
                size_bytes=size_bytes,
                limit_bytes=MAX_TENSOR_BYTES,
            )
        path = self._cache / self._file_name(tensor.name)
        if not (path.is_file() and path.stat().st_size == size_bytes):
            shard, remote = self._remote_place(tensor.name)
            self._cache.mkdir(parents=True, exist_ok=True, mode=0o700)
            _make_room(self._cache, size_bytes)
            atomic.write_bytes(path, self._read(shard, remote, advance))
        path.touch()
        return Place(path, 0, info)

    def _read(self, shard: str, remote: Place, advance: Advance | None) -> bytes:
        total, data = remote.info.size_bytes, bytearray()
        while len(data) < total:
            wanted = min(_PIECE_BYTES, total - len(data))
            piece = self._hub.read_range(
                self._detail.repo, self._detail.commit, shard, remote.offset + len(data), wanted
            )
            if len(piece) != wanted:
                raise RKDeckError("lab.unreadable", file=printable(shard), problem="data beyond the end of the file: "
                                  "the file is cut short")  # fmt: skip
            data += piece
            if advance is not None:
                advance(len(data), total)
        return bytes(data)

    def _remote_place(self, tensor: str) -> tuple[str, Place]:
        """The shard that holds a tensor, and where: of several the last, whatever the index says (`join_shards`)."""
        found = read_weight_files((file.path for file in self._detail.files), self._read_small)
        for shard in reversed(found.files):
            for place in self._header(shard):
                if place.info.name == tensor:
                    return shard, place
        raise RKDeckError("hub.shard_missing", repo=self._detail.repo, file=printable(tensor))

    def _read_small(self, path: str, limit_bytes: int) -> bytes:
        return read_file(self._hub, self._detail.repo, self._detail.commit, path, limit_bytes)

    def _header(self, shard: str) -> tuple[Place, ...]:
        sizes = {file.path: file.size_bytes for file in self._detail.files}
        repo, commit = self._detail.repo, self._detail.commit
        data = self._hub.read_range(repo, commit, shard, 0, _FIRST_BYTES)
        needed = needed_header_bytes(data[:LENGTH_BYTES], shard)
        if needed > len(data):
            data += self._hub.read_range(repo, commit, shard, len(data), needed - len(data))
        return tuple(places_in_header(Path(shard), data, sizes[shard]))

    def _file_name(self, tensor: str) -> str:
        parts = (self._hub.endpoint, self._detail.repo, self._detail.commit, tensor)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:40] + ".bin"


def _make_room(cache: Path, size_bytes: int) -> None:
    held = sorted(cache.glob("*.bin"), key=lambda path: path.stat().st_mtime)
    total = sum(path.stat().st_size for path in held) + size_bytes
    for path in held:
        if total <= MAX_CACHE_BYTES:
            return
        total -= path.stat().st_size
        path.unlink(missing_ok=True)
