"""The conversion itself, in its worker process: run the toolkit, check what it made, keep its recipe."""

import contextlib
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from core.base import atomic
from core.base.database import Database
from core.base.digest import sha256_of
from core.base.errors import JsonValue, RKDeckError
from core.base.paths import AppPaths
from core.convert.output import ToolkitOutput
from core.jobs.foreign import Message, run_foreign
from core.jobs.worker import WorkerContext
from core.library.library import Library, LibraryFile
from core.model.inspect import Inspection, inspect_file

_SIGKILL = 9


@dataclass(slots=True)
class _Heard:
    """What the foreign program told: the stage it is in, the call that failed, whether it came to its end."""

    stage: str = "start"
    returned: str | None = None
    done: bool = False
    output: ToolkitOutput = field(kw_only=True)

    def take(self, message: Message) -> None:
        event = message.get("event")
        if event == "stage":
            self.stage = str(message.get("name"))
        elif event == "returned":
            self.returned = str(message.get("code"))
        elif event == "done":
            self.done = True


def run_conversion(context: WorkerContext) -> dict[str, JsonValue]:
    """Convert as the job's params say (`core.convert.plan`); returns the job's result.

    Raises:
        RKDeckError: `convert.toolkit_failed` (a call did not return 0), `convert.toolkit_killed`,
            `convert.toolkit_exited`, `convert.no_file`, `convert.bad_file`.
    """
    began_s = time.monotonic()
    params = context.params
    target = Path(str(params["output"]))
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = target.with_name(f".{target.name}.{context.job_id}.partial")
    try:
        _convert(context, partial)
        context.progress("Checking the file", 0, None, unit="steps")
        inspection = _checked(partial, params)
        size_bytes = partial.stat().st_size
        sha256 = sha256_of(partial, lambda done: context.progress("Computing the checksum", done, size_bytes))
        atomic.replace_durably(partial, target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            partial.unlink()
    toolkit = params["toolkit"]
    assert isinstance(toolkit, dict)
    provenance: dict[str, JsonValue] = {
        "source": params["source"],
        "repo": params["repo"],
        "revision": params["revision"],
        "recipe": params["recipe"],
        "toolkit": toolkit,
        "simulated": inspection.simulated,
        "inspection": inspection.to_json(),
        "ram_bytes": params.get("ram_bytes"),
        "npu_bytes": params.get("npu_bytes"),
        "job": context.job_id,
    }
    atomic.write_json(target.with_name(target.name + ".json"), {**provenance, "sha256": sha256})
    _register(context, target, provenance, LibraryFile(target.name, size_bytes, sha256))
    return {
        "path": str(target),
        "size_bytes": size_bytes,
        "sha256": sha256,
        "dtype": params["dtype"],
        "platform": params["platform"],
        "toolkit_version": inspection.toolkit_version or str(toolkit["version"]),
        "simulated": inspection.simulated,
        "seconds": time.monotonic() - began_s,
    }


def _convert(context: WorkerContext, partial: Path) -> None:
    order = context.job_dir / "order.json"
    calls = context.params["calls"]
    assert isinstance(calls, list)
    *before, export = calls
    assert isinstance(export, dict)
    atomic.write_json(order, {"calls": [*before, {**export, "arguments": {"export_path": str(partial)}}]})
    heard = _Heard(
        output=ToolkitOutput(lambda stage, done, total: context.progress(stage, done, total, unit="steps"))
    )
    toolkit = context.params["toolkit"]
    assert isinstance(toolkit, dict)

    def on_output(data: bytes) -> None:
        # Onwards into the job's log, and read on the way.
        os.write(1, data)
        heard.output.feed(data)

    try:
        code = run_foreign(
            Path(str(toolkit["python"])),
            "convert.py",
            [str(order)],
            on_message=heard.take,
            on_output=on_output,
        )
    except OSError as error:
        raise RKDeckError(
            "convert.python_gone", python=toolkit["python"], reason=error.strerror or str(error)
        ) from error
    heard.output.finish()
    _judge(code, heard)


def _judge(code: int, heard: _Heard) -> None:
    """Turn the end of the foreign program into silence or one clear error."""
    said = heard.output.last_error or heard.output.last_line
    if heard.returned is not None:
        raise RKDeckError("convert.toolkit_failed", stage=heard.stage, returned=heard.returned, said=said)
    if code == -_SIGKILL:
        raise RKDeckError("convert.out_of_memory", stage=heard.stage)
    if code < 0:
        raise RKDeckError("convert.toolkit_killed", stage=heard.stage, signal=-code, said=said)
    if code > 0 or not heard.done:
        raise RKDeckError("convert.toolkit_exited", stage=heard.stage, exit_code=code, said=said)


def _checked(partial: Path, params: dict[str, JsonValue]) -> Inspection:
    if not partial.exists():
        raise RKDeckError("convert.no_file")
    inspection = inspect_file(partial)
    if not inspection.is_model:
        raise RKDeckError("convert.bad_file", kind=inspection.kind, problems=list(inspection.problems))
    for name in ("platform", "dtype"):
        value = getattr(inspection, name)
        if inspection.fields.get(name) == "read" and value != params[name]:
            raise RKDeckError("convert.other_file", field=name, wanted=params[name], found=value)
    return inspection


def _register(
    context: WorkerContext, target: Path, provenance: dict[str, JsonValue], file: LibraryFile
) -> None:
    paths = AppPaths(context.home)
    database = Database(paths.database_file)
    try:
        Library(database, paths.library).register(
            kind="rkllm",
            title=target.stem,
            path=target,
            files=(file,),
            repo=_optional(provenance["repo"]),
            revision=_optional(provenance["revision"]),
            provenance=provenance,
        )
    finally:
        database.close()


def _optional(value: JsonValue) -> str | None:
    return value if isinstance(value, str) else None
