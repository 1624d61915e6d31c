"""The stand-in runtime's refusals to start."""


class StartError(Exception):
    """The runtime refuses to start; `line` is what it logs, in the vendor's words where there are any."""

    def __init__(self, code: str, line: str) -> None:
        super().__init__(line)
        self.code, self.line = code, line
