"""Whatever lies beside models, on boards and in results: a record or an error with words, and JSON that others read."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.base.errors import JsonValue, RKDeckError
from core.base.foreign import json_text
from core.convert.made import repair
from core.convert.order import ConvertOrder
from core.deploy.companions import find_companions, origin_of
from core.deploy.layout import DIGEST, read_manifest
from core.hub.fetch import _continues
from core.lab.perplexity.journal import WindowJournal
from core.lab.perplexity.store import PerplexityStore
from core.lab.store import AnalysisStore, TensorJournal
from core.library.library import Library
from core.monitor.sample import sample_from_json
from core.words import word
from tests.support.job_folders import stored_spec

# A fixture's folder is used again for each example: each writes its file anew.
_again = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=120)
_EDGES: st.SearchStrategy[JsonValue] = st.sampled_from(
    [
        10**400,
        -1,
        1e308,
        2**63,
        "",
        "\x00",
        "\ud800",
        "../..",
        "\x1b[2J",
        [],
        {},
        None,
        True,
    ]
)
ANY: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | _EDGES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
SHA = "a" * 64


def changed(sound: dict[str, JsonValue]) -> st.SearchStrategy[bytes]:
    """The document with some members anything, and anything else."""
    some = st.dictionaries(st.sampled_from(sorted(sound)), ANY, max_size=3).map(lambda new: {**sound, **new})
    return (some | ANY).map(lambda value: json.dumps(value).encode()) | st.binary(max_size=200)


MANIFEST: dict[str, JsonValue] = {
    "schema": 2, "name": "chat", "version": "v", "title": "t", "sha256": SHA, "size_bytes": 1, "dtype": "w8a8",
    "platform": "rk3588", "simulated": False, "toolkit_version": "1.2.3", "max_context": 4096, "deployed_unix_s": 1.5,
    "files": [{"name": "tokenizer.json", "sha256": SHA, "size_bytes": 1}], "repo": "a/b", "recipe": {"x": 1},
}  # fmt: skip


@given(data=changed(MANIFEST))
def test_any_manifest_is_a_deployment_or_none(data: bytes) -> None:
    found = read_manifest(data.decode("utf-8", "replace"), "/store", "chat", "v", current=True)
    if found is not None:
        assert DIGEST.fullmatch(found.sha256)
        assert found.path == f"/store/blobs/{found.sha256}.rkllm"
        json.dumps(found.to_json(), allow_nan=False)
        json.dumps(found.manifest(), allow_nan=False)


@_again
@given(data=changed({"recipe": {"dtype": "w8a8"}, "repo": "a/b", "revision": "c", "sha256": SHA}))
def test_any_sidecar_of_a_model_tells_an_origin(tmp_path: Path, data: bytes) -> None:
    model = tmp_path / "m.rkllm"
    (tmp_path / "m.rkllm.json").write_bytes(data)
    origin = origin_of(find_companions(model, of_a_repository=False))
    json.dumps(origin.recipe, allow_nan=False)
    assert all(text is None or text.isprintable() for text in (origin.repo, origin.revision, origin.licence))


IDENTITY: dict[str, JsonValue] = {
    "repo": "a/b",
    "commit": "c",
    "size_bytes": 9,
    "sha256": SHA,
    "blob_id": None,
}


@_again
@given(data=changed(IDENTITY))
def test_any_sidecar_of_a_part_is_the_same_file_or_another(tmp_path: Path, data: bytes) -> None:
    part = tmp_path / "m.partial"
    part.write_bytes(b"x")
    (tmp_path / "m.partial.json").write_bytes(data)
    with contextlib.suppress(ValueError):
        told = json.loads(data)
        same = isinstance(told, dict) and (told.get("size_bytes"), told.get("sha256")) == (9, SHA)
        assert _continues(part, IDENTITY, 9) == same
        return
    assert not _continues(part, IDENTITY, 9)


@_again
@given(data=changed({"mark": "m", "made": {"device": 1, "inode": 2, "result": {}, "provenance": {}}}))
def test_any_note_of_a_dead_conversion_loses_no_other_file(tmp_path: Path, data: bytes) -> None:
    job, target = tmp_path / "home" / "jobs" / "convert-1", tmp_path / "out" / "m.rkllm"
    job.mkdir(parents=True, exist_ok=True)
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(b"somebody's")
    (job / "leaves.json").write_bytes(data)
    order = ConvertOrder.from_json({**stored_spec("convert").params, "output": str(target)})
    with contextlib.suppress(RKDeckError):
        assert repair(job, order, cast("Library", None)) is None
    assert target.read_bytes() == b"somebody's"
    assert list(target.parent.iterdir()) == [target]


SAMPLE: dict[str, JsonValue] = {
    "board": "desk", "t_unix_s": 1.5, "link": "up", "uptime_s": 2.0, "npu_load_percent": [1], "npu_source": "proc",
    "npu_active_cores": None, "npu_hz": 1, "cpu_load_percent": [1.0], "cpu_policies": [], "mem_total_bytes": 1,
    "mem_available_bytes": 1, "swap_used_bytes": 1, "ddr_load_percent": 1, "ddr_hz": 1, "gpu_load_percent": 1,
    "temps_c": {"soc": 40.0}, "throttled_by": [], "processes": [], "serving": None, "missing": {}, "npu_power": None,
    "npu_driver": None, "npu_driver_version": None, "link_error": None,
}  # fmt: skip


@given(new=st.dictionaries(st.sampled_from(sorted(SAMPLE)), ANY, max_size=3), other=ANY)
def test_any_sample_of_a_worker_is_a_sample_or_a_value_error(
    new: dict[str, JsonValue], other: JsonValue
) -> None:
    for value in ({**SAMPLE, **new}, other):
        with contextlib.suppress(ValueError):
            json.loads(json_text(sample_from_json(value).to_wire()))


SCORE: dict[str, JsonValue] = {
    "kind": "window",
    "level": "fp16",
    "index": 0,
    "nll": 1.5,
    "tokens": 9,
    "seconds": 0.1,
}
ANSWER: dict[str, JsonValue] = {
    "kind": "answer", "level": "fp16", "text": "x", "tokens": 1, "seconds": 0.1, "ended": True,
}  # fmt: skip


@_again
@given(lines=st.lists(changed(SCORE) | changed(ANSWER), max_size=4))
def test_any_journal_of_a_perplexity_run_is_read_or_called_damaged(
    tmp_path: Path, lines: list[bytes]
) -> None:
    path = tmp_path / "windows.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    with _told_as("perplexity.bad_journal"):
        for scores in WindowJournal(path).scores.values():
            assert all(score.tokens > 0 for score in scores.values())


RUN: dict[str, JsonValue] = {
    "title": "m", "revision": None, "text": {"name": "t", "sha256": SHA, "language": "en"}, "window": 256,
    "stride": 256, "windows": 2, "text_tokens": 600, "engine": "numpy", "engine_facts": {"x": 1}, "prompt": None,
    "levels": [
        {
            "level": "fp16", "perplexity": 9.5, "low": None, "high": None, "mean_nll": 2.2, "standard_error": None,
            "tokens": 9, "windows": 1, "seconds": 0.5, "simulated_activations": False,
        }
    ],
    "answers": [], "created_unix_s": 1795890600.5, "fingerprint": "f",
}  # fmt: skip


@_again
@given(new=st.dictionaries(st.sampled_from(sorted(RUN)), ANY, max_size=2), damage=ANY, data=changed(RUN))
def test_any_stored_perplexities_are_runs_beside_those_that_are_sound(
    tmp_path: Path, new: dict[str, JsonValue], damage: JsonValue, data: bytes
) -> None:
    store = PerplexityStore(tmp_path)
    file = tmp_path / "item.json"
    file.write_text(json.dumps({"schema": 1, "runs": [damage, {**RUN, **new}, RUN]}))
    runs = store.runs("item", tmp_path, "f")
    assert runs[-1].title == "m"
    for run in runs:
        json.dumps(run.to_json(), allow_nan=False)
    file.write_bytes(data)
    assert store.runs("item", tmp_path, "f") == ()


TENSOR: dict[str, JsonValue] = {
    "name": "q", "kind": "q_proj", "layer": 0, "shape": [2, 2], "dtype": "F32", "weights": 4,
    "figures": [0.1, -1.0, 1.0, 0.0], "levels": [["w8a8", 4, 1.0, 0.1, 0.9, 0.2, 0, 30.0]], "problem": None,
}  # fmt: skip
ANALYSIS: dict[str, JsonValue] = {
    "schema": 1, "stamp": "s", "model": "m", "tensors": [TENSOR], "levels": [["w8a8", 4, 1.0, 0.1, 0.9, 0.2, 0, None]],
    "left_out": [], "kept": [{"name": "e", "role": "r", "kind": "k", "shape": [2]}], "weights": 4, "bytes_read": 16,
    "seconds": 0.5,
}  # fmt: skip


@_again
@given(data=changed(ANALYSIS), tensor=changed(TENSOR))
def test_any_stored_analysis_is_one_or_called_damaged(tmp_path: Path, data: bytes, tensor: bytes) -> None:
    store = AnalysisStore(tmp_path)
    with contextlib.suppress(ValueError):
        changed_tensor = {**ANALYSIS, "tensors": [json.loads(tensor)]}
        store.file("k").write_text(json.dumps(changed_tensor))
        _loads_or_tells(store)
    store.file("k").write_bytes(data)
    _loads_or_tells(store)
    (tmp_path / "j").write_bytes(b'{"schema": 1, "stamp": "s", "tensor": ' + tensor + b"}\n" + data + b"\n")
    list(TensorJournal(tmp_path / "j", "s").read())


def _loads_or_tells(store: AnalysisStore) -> None:
    with _told_as("lab.bad_result"):
        store.load("k", "s")


@contextlib.contextmanager
def _told_as(code: str) -> Iterator[None]:
    """What is damaged may be told, by this code and in words."""
    try:
        yield
    except RKDeckError as error:
        if error.code != code or not all(word(error)):
            raise


def test_the_sound_documents_are_sound(tmp_path: Path) -> None:
    """Else the tests above would look at refusals only."""
    assert read_manifest(json.dumps(MANIFEST), "/store", "chat", "v", current=True) is not None
    assert sample_from_json(SAMPLE).is_up
    store = AnalysisStore(tmp_path)
    store.file("k").write_text(json.dumps(ANALYSIS))
    assert store.load("k", "s") is not None
