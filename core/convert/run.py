"""The conversion itself, in its worker process: run the toolkit, check what it made, keep its recipe."""

import contextlib
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from core.base import atomic
from core.base.digest import sha256_of
from core.base.errors import JsonValue, RKDeckError
from core.convert.order import ConvertOrder
from core.convert.output import ToolkitOutput
from core.jobs.foreign import Message, run_foreign
from core.jobs.worker import WorkerContext
from core.library.library import LibraryFile
from core.library.run import LibraryParts
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


def run_conversion(context: WorkerContext, order: ConvertOrder, parts: LibraryParts) -> dict[str, JsonValue]:
    """Convert as ordered (`core.convert.plan`); returns the job's result.

    Raises:
        RKDeckError: `convert.toolkit_failed` (a call did not return 0), `convert.toolkit_killed`,
            `convert.toolkit_exited`, `convert.no_file`, `convert.bad_file`.
    """
    began_s = time.monotonic()
    target = order.output
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = target.with_name(f".{target.name}.{context.job_id}.partial")
    try:
        _convert(context, order, partial)
        context.progress("check_file", 0, None, unit="steps")
        inspection = _checked(partial, order)
        size_bytes = partial.stat().st_size
        sha256 = sha256_of(partial, lambda done: context.progress("hash", done, size_bytes))
        atomic.replace_durably(partial, target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            partial.unlink()
    provenance: dict[str, JsonValue] = {
        "source": str(order.source),
        "repo": order.repo,
        "revision": order.revision,
        "recipe": order.recipe,
        "toolkit": order.toolkit.to_json(),
        "simulated": inspection.simulated,
        "inspection": inspection.to_json(),
        "ram_bytes": order.ram_bytes,
        "npu_bytes": order.npu_bytes,
        "job": context.job_id,
    }
    atomic.write_json(target.with_name(target.name + ".json"), {**provenance, "sha256": sha256})
    parts.library.register(
        kind="rkllm",
        title=target.stem,
        path=target,
        files=(LibraryFile(target.name, size_bytes, sha256),),
        repo=order.repo,
        revision=order.revision,
        provenance=provenance,
    )
    return {
        "path": str(target),
        "size_bytes": size_bytes,
        "sha256": sha256,
        "dtype": order.dtype,
        "platform": order.platform,
        "toolkit_version": inspection.toolkit_version or order.toolkit.version,
        "simulated": inspection.simulated,
        "seconds": time.monotonic() - began_s,
    }


def _convert(context: WorkerContext, order: ConvertOrder, partial: Path) -> None:
    told = context.job_dir / "order.json"
    *before, export = order.calls
    calls: list[JsonValue] = [*before, {**export, "arguments": {"export_path": str(partial)}}]
    atomic.write_json(told, {"calls": calls})
    heard = _Heard(
        output=ToolkitOutput(lambda stage, done, total: context.progress(stage, done, total, unit="steps"))
    )

    def on_output(data: bytes) -> None:
        # Onwards into the job's log, and read on the way.
        os.write(1, data)
        heard.output.feed(data)

    python = order.toolkit.python
    try:
        code = run_foreign(python, "convert.py", [str(told)], on_message=heard.take, on_output=on_output)
    except OSError as error:
        raise RKDeckError(
            "convert.python_gone", python=str(python), reason=error.strerror or str(error)
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


def _checked(partial: Path, order: ConvertOrder) -> Inspection:
    if not partial.exists():
        raise RKDeckError("convert.no_file")
    inspection = inspect_file(partial)
    if not inspection.is_model:
        raise RKDeckError("convert.bad_file", kind=inspection.kind, problems=list(inspection.problems))
    for name, wanted, found in (
        ("platform", order.platform, inspection.platform),
        ("dtype", order.dtype, inspection.dtype),
    ):
        if inspection.fields.get(name) == "read" and found != wanted:
            raise RKDeckError("convert.other_file", field=name, wanted=wanted, found=found)
    return inspection
