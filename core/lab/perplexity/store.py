"""Measured perplexities, kept with the model: one JSON file a model under the home folder."""

import contextlib
import hashlib
from pathlib import Path

from core.base import atomic, foreign
from core.base.errors import JsonValue, RKDeckError
from core.base.locks import FileLock
from core.base.names import safe_component
from core.base.records import record
from core.lab.perplexity.figures import Answer, PerplexityResult
from core.lab.perplexity.records import PerplexityRun

SCHEMA = 1
_MAX_RUNS = 50
# What must be equal for two runs to be one table.
_CONDITIONS = ("fingerprint", "window", "stride", "windows", "engine", "engine_facts")


class PerplexityStore:
    """The results of one home folder, in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, item: str | None, source: Path, run: dict[str, JsonValue]) -> None:
        """Keep a run; levels measured again under the same conditions replace the older ones.

        Raises:
            OSError: when it cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._path(item, source)
        with FileLock(path.with_suffix(".lock")):
            runs = [_joined(old, run) if _same(old, run) else old for old in self._read(path)]
            if not any(_same(old, run) for old in runs):
                runs.insert(0, run)
            # The one just made is the newest.
            runs.sort(key=_created, reverse=True)
            atomic.write_json(path, {"schema": SCHEMA, "runs": list(runs[:_MAX_RUNS])})

    def runs(self, item: str | None, source: Path, fingerprint: str | None) -> tuple[PerplexityRun, ...]:
        """The runs of a model, the newest first; damaged ones are left out.

        Args:
            item: its id in the library, or None.
            source: its folder, where it has no id.
            fingerprint: of its files now; None when that is unknown.
        """
        found = []
        for run in self._read(self._path(item, source)):
            with contextlib.suppress(KeyError, ValueError):
                found.append(_run(run, fingerprint))
        return tuple(found)

    def _path(self, item: str | None, source: Path) -> Path:
        key = (
            safe_component(item)
            if item
            else "path-" + hashlib.sha256(str(source).encode("utf-8", "surrogateescape")).hexdigest()[:24]
        )
        return self.folder / f"{key}.json"

    def _read(self, path: Path) -> list[dict[str, JsonValue]]:
        try:
            value = atomic.read_json(path)
        except (FileNotFoundError, RKDeckError):
            return []
        runs = value.get("runs") if isinstance(value, dict) else None
        return [run for run in runs if isinstance(run, dict)] if isinstance(runs, list) else []


def _same(old: dict[str, JsonValue], new: dict[str, JsonValue]) -> bool:
    texts = [run.get("text") for run in (old, new)]
    digests = [text.get("sha256") if isinstance(text, dict) else None for text in texts]
    return digests[0] == digests[1] and all(old.get(name) == new.get(name) for name in _CONDITIONS)


def _joined(old: dict[str, JsonValue], new: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """The new run with the levels only the old one has; answers only to the same prompt."""
    joined = dict(new)
    joined["levels"] = _with_missing(new.get("levels"), old.get("levels"))
    if new.get("prompt") is None:
        joined["prompt"], joined["answers"] = old.get("prompt"), old.get("answers")
    elif new.get("prompt") == old.get("prompt"):
        joined["answers"] = _with_missing(new.get("answers"), old.get("answers"))
    return joined


def _with_missing(new: JsonValue, old: JsonValue) -> list[JsonValue]:
    kept = list(new) if isinstance(new, list) else []
    names = {entry.get("level") for entry in kept if isinstance(entry, dict)}
    older = old if isinstance(old, list) else []
    return kept + [entry for entry in older if isinstance(entry, dict) and entry.get("level") not in names]


def _created(run: dict[str, JsonValue]) -> float:
    # Sorts last where it is unknown; who reads the run leaves such a one out.
    return foreign.unix_s(run.get("created_unix_s")) or 0.0


def _run(value: dict[str, JsonValue], fingerprint: str | None) -> PerplexityRun:
    text, levels, answers = value["text"], value["levels"], value.get("answers") or []
    facts = value.get("engine_facts")
    if not isinstance(text, dict) or not isinstance(levels, list) or not isinstance(answers, list):
        raise ValueError("not a run")  # noqa: TRY004  # a damaged run is one kind of error, whatever it holds
    revision, prompt = (value.get(name) for name in ("revision", "prompt"))
    language = text.get("language")
    return PerplexityRun(
        title=str(value["title"]),
        revision=revision if isinstance(revision, str) else None,
        text=str(text["name"]),
        text_sha256=str(text["sha256"]),
        text_language=language if isinstance(language, str) else None,
        window=_whole(value["window"]),
        stride=_whole(value["stride"]),
        windows=_whole(value["windows"]),
        text_tokens=foreign.whole(value.get("text_tokens")),
        engine=str(value["engine"]),
        engine_facts=facts if isinstance(facts, dict) and foreign.can_be_told(facts) else {},
        results=tuple(record(PerplexityResult, entry) for entry in levels if isinstance(entry, dict)),
        prompt=prompt if isinstance(prompt, str) else None,
        answers=tuple(record(Answer, entry) for entry in answers if isinstance(entry, dict)),
        created_unix_s=_created(value),
        current=fingerprint is not None and value.get("fingerprint") == fingerprint,
    )


def _whole(value: JsonValue) -> int:
    return foreign.required(foreign.whole(value), "a whole number")
