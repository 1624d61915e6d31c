"""The conversion itself, in its worker process: run the toolkit, check what it made, keep its recipe."""

import contextlib
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from core.base import atomic
from core.base.digest import sha256_of_open
from core.base.errors import JsonValue, RKDeckError
from core.base.opening import NotRegularError, open_regular
from core.base.temporary import blaming_full_disk
from core.base.trouble import reason_of
from core.convert import made
from core.convert.order import ConvertOrder
from core.convert.output import ToolkitOutput
from core.jobs.foreign import Message, run_foreign
from core.jobs.worker import WorkerContext
from core.library.run import LibraryParts
from core.model.inspect import Inspection, inspect_open

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
            `convert.toolkit_exited`, `convert.no_file`, `convert.not_a_file`, `convert.bad_file`; `base.disk_full` in
            place of any of them where the file had no room.
    """
    began_s = time.monotonic()
    order.output.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = made.begin(context.job_dir, order)
    # Asked before what there is of the file goes, which makes room again.
    full = RKDeckError("base.disk_full", file=str(order.output))
    try:
        with blaming_full_disk(partial.parent, full):
            _convert(context, order, partial)
            context.progress("check_file", 0, None, unit="steps")
            done = _checked(context, order, partial, began_s)
        context.commit()
        made.keep(context.job_dir, done)
    except BaseException:
        with contextlib.suppress(OSError):  # a start tries again; what went wrong before is what counts
            made.discard(context.job_dir, partial)
        raise
    made.enter(order, partial, done, parts.library)
    return done.result


def _checked(context: WorkerContext, order: ConvertOrder, partial: Path, began_s: float) -> made.Made:
    """What the toolkit made, read through one opened file: the name may lead elsewhere at any time."""
    try:
        with open_regular(partial, follow=False) as file:
            inspection = _inspected(file, order)
            status = os.fstat(file.fileno())
            sha256 = sha256_of_open(file, lambda done: context.progress("hash", done, status.st_size))
            os.fsync(file.fileno())
    except FileNotFoundError as error:
        raise RKDeckError("convert.no_file") from error
    except NotRegularError as error:
        raise RKDeckError("convert.not_a_file", not_file=error.found) from error
    provenance: dict[str, JsonValue] = {
        "source": str(order.source),
        "repo": order.repo,
        "revision": order.revision,
        "recipe": order.recipe,
        "toolkit": order.toolkit.to_json(),
        "simulated": inspection.simulated,
        "inspection": inspection.to_json(),
        **(order.need.to_json() if order.need is not None else {}),
        "job": context.job_id,
    }
    result: dict[str, JsonValue] = {
        "path": str(order.output),
        "size_bytes": status.st_size,
        "sha256": sha256,
        "dtype": order.dtype,
        "platform": order.platform,
        "toolkit_version": inspection.toolkit_version or order.toolkit.version,
        "simulated": inspection.simulated,
        "seconds": time.monotonic() - began_s,
    }
    return made.Made(status.st_dev, status.st_ino, result, provenance)


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
        raise RKDeckError("convert.python_gone", python=str(python), reason=reason_of(error)) from error
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


def _inspected(file: BinaryIO, order: ConvertOrder) -> Inspection:
    inspection = inspect_open(file, order.output.name)
    if not inspection.is_model:
        raise RKDeckError("convert.bad_file", kind=inspection.kind, problems=list(inspection.problems))
    for name, wanted, found in (
        ("platform", order.platform, inspection.platform),
        ("dtype", order.dtype, inspection.dtype),
    ):
        if inspection.fields.get(name) == "read" and found != wanted:
            raise RKDeckError("convert.other_file", field=name, wanted=wanted, found=found)
    return inspection
