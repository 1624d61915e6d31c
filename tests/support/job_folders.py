"""Job folders as RKDeck 0.1.0 wrote them before orders were typed: `tests/data/jobs`, one spec.json for each kind."""

import json
from pathlib import Path

from core.jobs.model import JobSpec, spec_from_json

DATA = Path(__file__).parents[1] / "data" / "jobs"
KINDS = tuple(sorted(path.stem for path in DATA.glob("*.json")))
ROOT = Path(__file__).parents[2]
# Where the folders were made there were other places.
PLACES = {
    "home": "/somewhere/home", "hub": "http://127.0.0.1:1", "model": "/somewhere/tiny", "made": "/somewhere/made",
    "toolkit": "/somewhere/toolkit/bin/python", "demo": str(ROOT / "resources" / "demo" / "wonderland-1m"),
}  # fmt: skip


def stored_spec(kind: str, **places: str | Path) -> JobSpec:
    """The spec of that kind, with its places filled in."""
    text = (DATA / f"{kind}.json").read_text("utf-8")
    for name, place in {**PLACES, **places}.items():
        text = text.replace(f"@{name}@", str(place))
    return spec_from_json(json.loads(text))


def put_interrupted(jobs_folder: Path, spec: JobSpec) -> str:
    """Write the folder of a job that was cut off; returns its id."""
    folder = jobs_folder / spec.id
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text(json.dumps(spec.to_json()))
    states = (("queued", "submitted"), ("running", "started"), ("interrupted", "front_end_gone"))
    lines = [
        {"schema": 1, "t_unix_s": 1795890600.5, "event": "state", "state": state, "reason": reason}
        for state, reason in states
    ]
    (folder / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return spec.id
