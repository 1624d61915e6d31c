"""The user's toolkits: Python environments with rkllm-toolkit, checked by asking them."""

import json
import time
from pathlib import Path

from core.base.database import Database
from core.base.errors import RefusedError, RKDeckError, UsageError
from core.base.foreign import members
from core.base.trouble import reason_of
from core.convert.output import ToolkitOutput
from core.convert.records import Toolkit
from core.jobs.foreign import Message, run_foreign

# Importing torch and transformers from a slow disk takes its time.
_CHECK_TIMEOUT_S = 180.0


class ToolkitRegistry:
    """The toolkits the user added."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, python: Path) -> Toolkit:
        """Check an environment and remember it; adding it again checks it anew.

        Raises:
            RefusedError: `convert.toolkit_missing`, `convert.toolkit_unrelated`, `convert.toolkit_broken`.
            RKDeckError: `convert.toolkit_silent` when the check does not answer.
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
    """Ask an environment what it has; nothing is installed or changed."""
    found: list[Message] = []
    output = ToolkitOutput(lambda stage, done, total: None)
    try:
        run_foreign(
            python,
            "check_toolkit.py",
            [],
            on_message=found.append,
            on_output=output.feed,
            timeout_s=_CHECK_TIMEOUT_S,
        )
    except OSError as error:
        reason = reason_of(error)
        raise RefusedError("convert.python_unusable", python=str(python), reason=reason) from error
    facts = next((message.get("facts") for message in found if message.get("event") == "facts"), None)
    if not isinstance(facts, dict):
        raise RKDeckError("convert.toolkit_silent", python=str(python), last_line=output.last_line)
    version = facts.get("version")
    if not isinstance(version, str):
        if facts.get("unrelated_rkllm"):
            raise RefusedError("convert.toolkit_unrelated", python=str(python))
        raise RefusedError("convert.toolkit_missing", python=str(python))
    if facts.get("class_found") is not True:
        raise RefusedError("convert.toolkit_broken", python=str(python), reason=facts.get("reason"))
    return Toolkit(python, version, facts.get("distribution") == "rkllm-toolkit-simulated", facts)
