"""One board the user added."""

from dataclasses import dataclass
from pathlib import Path

from core.base.errors import JsonValue
from core.boards.facts import BoardFacts

DEFAULT_USER = "root"
DEFAULT_PORT = 22


@dataclass(frozen=True, slots=True)
class Board:
    """One board of the registry.

    Attributes:
        store: folder for models on the board; None until chosen or probed.
        sysroot: prefix of /proc, /sys, /etc and /usr; empty on a real board.
        identity: hashed identity of the hardware, known after the first probe.
        facts: of the last probe, None before.
    """

    name: str
    host: str
    port: int = DEFAULT_PORT
    user: str = DEFAULT_USER
    identity_file: Path | None = None
    store: str | None = None
    sysroot: str = ""
    identity: str | None = None
    facts: BoardFacts | None = None
    added_unix_s: float = 0.0

    @property
    def address(self) -> str:
        """`USER@HOST[:PORT]`, as `split_address` reads it; the usual port is left out."""
        if self.port == DEFAULT_PORT:
            return f"{self.user}@{self.host}"
        return (
            f"{self.user}@[{self.host}]:{self.port}"
            if ":" in self.host
            else f"{self.user}@{self.host}:{self.port}"
        )

    @property
    def secret_name(self) -> str:
        """Under which name its password is kept."""
        return f"board:{self.name}"

    def to_json(self) -> dict[str, JsonValue]:
        """The public members, as `rkdeck board list --json` shows them."""
        return {
            "name": self.name,
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "identity_file": str(self.identity_file) if self.identity_file is not None else None,
            "store": self.store,
            "sysroot": self.sysroot,
            "identity": self.identity,
            "added_unix_s": self.added_unix_s,
            "facts": self.facts.to_json() if self.facts is not None else None,
        }
