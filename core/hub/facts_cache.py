"""Facts of models that were read before, by repository and commit: a commit never changes, so neither do they."""

import contextlib
import gzip
import hashlib
import json
import logging
import zlib
from dataclasses import asdict
from pathlib import Path

from core.base import atomic, foreign
from core.base.opening import open_regular
from core.base.records import record
from core.model.facts import ModelFacts

_SCHEMA = 6  # 6: names of tensors and empty tokenizers; older entries say nothing of them
_MAX_FILES = 500
_MAX_BYTES = 64 << 20  # unpacked; the largest known model's facts are 4 MB
_log = logging.getLogger(__name__)


class FactsCache:
    """Small packed files in the cache folder; the ones used longest ago go first. Any thread may call."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, endpoint: str, repo: str, commit: str) -> ModelFacts | None:
        """What is known of a commit, with `bytes_fetched` 0; None when nothing usable is there."""
        path = self._path(endpoint, repo, commit)
        try:
            with open_regular(path) as packed, gzip.open(packed) as file:
                facts = _facts(foreign.read_json(file.read(_MAX_BYTES)))
            path.touch()  # used last: goes last
        except FileNotFoundError:
            return None
        except (OSError, EOFError, ValueError, RecursionError, zlib.error) as error:
            # Damaged, or written by another version: it is read anew, and this file replaced.
            _log.info("facts of %s are read anew: %s", repo, type(error).__name__)
            return None
        return facts if facts.model == repo else None

    def put(self, endpoint: str, commit: str, facts: ModelFacts) -> None:
        """Keep facts; a cache that cannot be written is only slower."""
        value = {"schema": _SCHEMA, **asdict(facts), "bytes_fetched": 0}
        data = gzip.compress(json.dumps(value).encode(), compresslevel=3)
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            atomic.write_bytes(self._path(endpoint, facts.model, commit), data)
            self._prune()
        except OSError as error:
            _log.info("facts of %s cannot be kept: %s", facts.model, error.strerror)

    def _path(self, endpoint: str, repo: str, commit: str) -> Path:
        key = hashlib.sha256(f"{endpoint}\n{repo}\n{commit}".encode()).hexdigest()
        return self._folder / f"{key[:40]}.json.gz"

    def _prune(self) -> None:
        files = [(path.stat().st_mtime, path) for path in self._folder.glob("*.json.gz")]
        for _, path in sorted(files)[: max(0, len(files) - _MAX_FILES)]:
            with contextlib.suppress(FileNotFoundError):  # another process prunes, too
                path.unlink()


def _facts(value: object) -> ModelFacts:
    if not isinstance(value, dict) or value.get("schema") != _SCHEMA:
        raise ValueError("another schema")
    return record(ModelFacts, value)
