"""Reading what the toolkit prints: stage bars (tqdm, redrawn with carriage returns), error lines.

Formats: logs of rkllm-toolkit 1.2.x and 1.3.x in airockchip/rknn-llm issues 21, 163, 201 and 466.
"""

import re
from collections.abc import Callable

_EXPORTING = "Exporting model"
_BARS = ("Loading checkpoint shards", "Building model", "Optimizing model", "Converting model")
# What the toolkit calls its stages; a job's phase while it is in one (translations/*/names.toml, `phase`).
STAGES = (*_BARS, _EXPORTING)
_BAR = re.compile(rf"^({'|'.join(_BARS)}):\s+\d+%\|.*?\|\s*(\d{{1,15}})/(\d{{1,15}})")
_EXPORT_BAR = re.compile(r"\[[=> ]+\]\s*(\d{1,15})/(\d{1,15})\s*\(\d+%\)")
_ERROR = re.compile(r"\bERROR:\s*(.+)")
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_MAX_LINE_CHARACTERS = 2000


class ToolkitOutput:
    """Feeds on bytes, reports stages.

    Attributes:
        last_error: the text of the last `ERROR:` line, or None.
        last_line: the last line with any text.
    """

    def __init__(self, on_progress: Callable[[str, int, int], None]) -> None:
        self._on_progress = on_progress
        self._rest = b""
        self.last_error: str | None = None
        self.last_line: str | None = None

    def feed(self, data: bytes) -> None:
        """Take a piece of output."""
        *lines, self._rest = re.split(rb"[\r\n]", self._rest + data)
        self._rest = self._rest[-_MAX_LINE_CHARACTERS:]
        for line in lines:
            self._read(line)

    def finish(self) -> None:
        """Take the last line, which may lack its end."""
        self._read(self._rest)
        self._rest = b""

    def _read(self, line: bytes) -> None:
        text = _COLOURS.sub("", line[:_MAX_LINE_CHARACTERS].decode("utf-8", "replace")).strip()
        if not text:
            return
        self.last_line = text
        if found := _ERROR.search(text):
            self.last_error = found[1].strip()
        elif found := _BAR.match(text):
            self._on_progress(found[1], int(found[2]), int(found[3]))
        elif found := _EXPORT_BAR.search(text):
            self._on_progress(_EXPORTING, int(found[1]), int(found[2]))
