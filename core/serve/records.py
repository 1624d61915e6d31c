"""What serving is about: a runtime on a board, a running serving, an answer."""

from dataclasses import dataclass
from typing import Protocol

from core.base.errors import JsonValue
from core.vendor.kinds import ModelKind

RUN_FOLDER = "run/serving"


class Host(Protocol):
    """A board, as far as serving needs it."""

    @property
    def name(self) -> str:
        """What the user calls it."""

    @property
    def store(self) -> str | None:
        """Where models live on it; None while nobody knows."""

    @property
    def sysroot(self) -> str:
        """Prefix of its /proc and /usr; empty on a real one."""


class Servable(Protocol):
    """A deployment, as far as serving needs it."""

    @property
    def name(self) -> str:
        """What the user calls it."""

    @property
    def version(self) -> str:
        """Which of its versions."""

    @property
    def path(self) -> str:
        """The model file on the board."""

    @property
    def sha256(self) -> str:
        """Digest of that file."""

    @property
    def simulated(self) -> bool:
        """Whether it is a file of the stand-in toolkit."""

    @property
    def kind(self) -> ModelKind:
        """What kind of file it is."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """An executable that speaks the `describe` / `serve` protocol; `abi` is which form of it, None when untold.

    `kinds` of model files it serves, by their names.
    """

    path: str
    name: str
    version: str
    simulated: bool
    abi: int | None
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Serving:
    """A model being served on a board.

    Attributes:
        name: of the deployment; None when the board does not tell.
        model: what the runtime calls the loaded model.
        port: on the board's loopback.
        pid: of the runtime; with `start_ticks` (clock ticks since boot) it names one process for ever.
        run_folder: on the board, private to the account: state file, token, log.
        tokens_per_s: of the latest answer, None before the first; so is `ttft_ms`.
    """

    board: str
    name: str | None
    version: str | None
    model: str
    sha256: str | None
    dtype: str | None
    max_context: int | None
    runtime: str | None
    simulated: bool
    pid: int
    start_ticks: int
    port: int
    run_folder: str
    started_uptime_s: float | None = None
    tokens_per_s: float | None = None
    ttft_ms: float | None = None

    @property
    def state_file(self) -> str:
        """Path of the state file on the board, for the sampler."""
        return f"{self.run_folder}/state.json"

    def to_json(self) -> dict[str, JsonValue]:
        """Return what `serve --json` says; nothing of it is secret."""
        return {
            "board": self.board,
            "name": self.name,
            "version": self.version,
            "model": self.model,
            "sha256": self.sha256,
            "dtype": self.dtype,
            "max_context": self.max_context,
            "runtime": self.runtime,
            "simulated": self.simulated,
            "pid": self.pid,
            "port": self.port,
            "started_uptime_s": self.started_uptime_s,
            "tokens_per_s": self.tokens_per_s,
            "ttft_ms": self.ttft_ms,
        }


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """One token with its natural log probability, and the most likely ones at its place."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with the runtime's own figures; a rate needs two tokens, else it is None."""

    text: str
    tokens: int | None
    prompt_tokens: int | None
    ttft_ms: float | None
    tokens_per_s: float | None
    finish_reason: str | None
    logprobs: tuple[TokenLogprob, ...] | None = None

    def to_json(self) -> dict[str, JsonValue]:
        """Return what `chat --json` says."""
        return {
            "text": self.text,
            "tokens": self.tokens,
            "prompt_tokens": self.prompt_tokens,
            "ttft_ms": self.ttft_ms,
            "tokens_per_s": self.tokens_per_s,
            "finish_reason": self.finish_reason,
            "logprobs": None
            if self.logprobs is None
            else [
                {
                    "token": entry.token,
                    "logprob": entry.logprob,
                    "top": [{"token": token, "logprob": value} for token, value in entry.top],
                }
                for entry in self.logprobs
            ],
        }


def run_folder(store: str) -> str:
    """Where a board's store keeps the state of its serving."""
    return f"{store.rstrip('/')}/{RUN_FOLDER}"


def state_file(store: str) -> str:
    """Path of a board's serving state file, present while something is served."""
    return f"{run_folder(store)}/state.json"
