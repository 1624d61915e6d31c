"""The user's toolkits: Python environments with rkllm-toolkit, checked by asking them."""

import json
import time
from pathlib import Path

from core.base.database import Database
from core.base.errors import JsonValue, RefusedError, RKDeckError, UsageError
from core.base.foreign import members, text
from core.base.trouble import reason_of
from core.convert.output import ToolkitOutput
from core.convert.records import Toolkit
from core.jobs.foreign import BeyondError, Bounds, Message, run_foreign

# A Python says at once that it is one; importing torch and transformers from a slow disk then takes its time. What they
# print meanwhile are warnings.
_BOUNDS = Bounds(whole_s=180.0, start_s=20.0, output_bytes=4 << 20)
_TEXTS = ("python_version", "machine", "system", "distribution", "version", "unrelated_rkllm", "reason")
_MAX_CHARACTERS = 500
_COMPANIONS = ("torch", "transformers", "numpy")


class ToolkitRegistry:
    """The toolkits the user added."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, python: Path) -> Toolkit:
        """Check an environment and remember it; adding it again checks it anew.

        Raises:
            RefusedError: `convert.toolkit_missing`, `convert.toolkit_unrelated`, `convert.toolkit_broken`.
            RKDeckError: `convert.toolkit_silent` when the check does not answer, `convert.toolkit_endless` when the
                environment prints without end instead.
        """
        toolkit = check_toolkit(python)
        self._database.execute(
            "INSERT OR REPLACE INTO toolkits VALUES (?, ?, ?, ?, ?)",
            (str(python), toolkit.version, int(toolkit.simulated), json.dumps(toolkit.facts), time.time()),
        )
        return toolkit

    def remove(self, python: Path) -> Toolkit:
        """Forget a toolkit; its environment is left as it is.

        Raises:
            UsageError: `convert.no_toolkit`, `convert.toolkit_unknown`.
        """
        toolkit = self.choose(str(python))
        self._database.execute("DELETE FROM toolkits WHERE python = ?", (str(toolkit.python),))
        return toolkit

    def list(self) -> list[Toolkit]:
        """All of them, the one added last first."""
        rows = self._database.query("SELECT * FROM toolkits ORDER BY added_unix_s DESC")
        return [
            Toolkit(Path(row["python"]), row["version"], bool(row["simulated"]), members(row["facts"]))
            for row in rows
        ]

    def choose(self, python: str | None) -> Toolkit:
        """The toolkit with that Python, or the one added last.

        Raises:
            UsageError: `convert.no_toolkit`, `convert.toolkit_unknown`.
        """
        known = self.list()
        if python is not None:
            wanted = Path(python).absolute()
            known = [toolkit for toolkit in known if toolkit.python == wanted]
            if not known:
                raise UsageError("convert.toolkit_unknown", python=str(wanted))
        if not known:
            raise UsageError("convert.no_toolkit")
        return known[0]


def check_toolkit(python: Path) -> Toolkit:
    """Ask an environment what it has; nothing is installed or changed, and nothing of it is left running."""
    found: dict[str, JsonValue] = {}
    output = ToolkitOutput(lambda stage, done, total: None)

    def on_message(message: Message) -> None:
        facts = message.get("facts")
        if message.get("event") == "facts" and isinstance(facts, dict) and not found:
            found.update(_known(facts))

    try:
        run_foreign(
            python, "check_toolkit.py", [], on_message=on_message, on_output=output.feed, bounds=_BOUNDS
        )
    except OSError as error:
        reason = reason_of(error)
        raise RefusedError("convert.python_unusable", python=str(python), reason=reason) from error
    except BeyondError as error:
        output.finish()
        code = "convert.toolkit_endless" if error.bound == "output" else "convert.toolkit_silent"
        raise RKDeckError(code, python=str(python), last_line=output.last_line) from error
    if not found:
        output.finish()
        raise RKDeckError("convert.toolkit_silent", python=str(python), last_line=output.last_line)
    version = found["version"]
    if not isinstance(version, str):
        if found["unrelated_rkllm"]:
            raise RefusedError("convert.toolkit_unrelated", python=str(python))
        raise RefusedError("convert.toolkit_missing", python=str(python))
    if found["class_found"] is not True:
        raise RefusedError("convert.toolkit_broken", python=str(python), reason=found["reason"])
    return Toolkit(python, version, found["distribution"] == "rkllm-toolkit-simulated", found)


def _known(facts: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """What the check tells (workers/foreign/check_toolkit.py), and nothing else an environment may put there."""
    companions = facts.get("companions")
    told = companions if isinstance(companions, dict) else {}
    return {
        **{name: text(facts.get(name), _MAX_CHARACTERS) for name in _TEXTS},
        "class_found": facts.get("class_found") is True,
        "companions": {name: text(told.get(name), _MAX_CHARACTERS) for name in _COMPANIONS},
    }
