"""The estimate as records, and as the document of `rkdeck estimate --json`."""

from dataclasses import dataclass
from typing import Literal

from core.base.errors import JsonValue
from core.base.notes import Note
from core.words import note_text

Confidence = Literal["calibrated", "extrapolated", "uncalibrated"]
Basis = Literal["measured", "vendor", "calibrated", "extrapolated", "definition"]
Fits = Literal["no", "tight", "yes"]


@dataclass(frozen=True, slots=True)
class Number:
    """An estimated number with its bounds and what it rests on."""

    value: float
    low: float
    high: float
    basis: Basis


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether a level runs on one board; `largest_context` in tokens, None when none fits."""

    verdict: Fits
    reason: Note
    largest_context: int | None

    def to_json(self) -> dict[str, JsonValue]:
        """Return the `fit` object of the document."""
        return {
            "verdict": self.verdict,
            "reason": note_text(self.reason),
            "largest_context": self.largest_context,
        }


@dataclass(frozen=True, slots=True)
class LevelEstimate:
    """One row of the table. None is unknown, never zero.

    Attributes:
        supported: the toolkit makes this level of this model for this platform, as far as is known.
        reason: why it is not supported, None when it is.
        ram: peak resident set of the serving process in bytes; weights, cache and overhead are its parts.
        npu_bytes: what the runtime allocates on the NPU for weights.
        fits: board memory in GiB as text -> verdict, with what the system needs added.
        fit: the verdict for the board asked about.
    """

    dtype: str
    kind: Literal["reference", "rkllm"]
    bits: int
    supported: bool
    reason: Note | None
    rule_of_thumb_bytes: int
    weights_bytes: int
    kv_cache_bytes: int | None
    overhead_bytes: int | None
    ram: Number | None
    npu_bytes: int | None
    file_bytes: int | None
    tokens_per_s: Number | None
    ttft_ms: Number | None
    fits: dict[str, Fits] | None
    fit: Fit | None

    def to_json(self) -> dict[str, JsonValue]:
        """Return one member of `levels`."""
        ram, speed, first = self.ram, self.tokens_per_s, self.ttft_ms
        return {
            "dtype": self.dtype,
            "kind": self.kind,
            "bits": self.bits,
            "supported": self.supported,
            "reason": note_text(self.reason) if self.reason else None,
            "rule_of_thumb_bytes": self.rule_of_thumb_bytes,
            "weights_bytes": self.weights_bytes,
            "kv_cache_bytes": self.kv_cache_bytes,
            "overhead_bytes": self.overhead_bytes,
            "ram_bytes": int(ram.value) if ram else None,
            "ram_low_bytes": int(ram.low) if ram else None,
            "ram_high_bytes": int(ram.high) if ram else None,
            "ram_basis": ram.basis if ram else None,
            "npu_bytes": self.npu_bytes,
            "file_bytes": self.file_bytes,
            "tokens_per_s": _rounded(speed.value) if speed else None,
            "tokens_per_s_low": _rounded(speed.low) if speed else None,
            "tokens_per_s_high": _rounded(speed.high) if speed else None,
            "tokens_per_s_basis": speed.basis if speed else None,
            "ttft_ms": _rounded(first.value) if first else None,
            "ttft_low_ms": _rounded(first.low) if first else None,
            "ttft_high_ms": _rounded(first.high) if first else None,
            "ttft_basis": first.basis if first else None,
            "fits": dict(self.fits) if self.fits is not None else None,
            "fit": self.fit.to_json() if self.fit else None,
        }


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a model needs on a platform, level by level; `rows` in the order shown to people.

    Attributes:
        context, prompt: tokens. cores: NPU cores the numbers are for (not part of the document).
        convert_host_ram_bytes: memory a conversion takes on the computer, after user reports.
        bytes_fetched: bytes that came over the network for this estimate.
    """

    model: str
    architecture: str
    parameters: int
    platform: str
    context: int
    prompt: int
    cores: int
    confidence: Confidence
    notes: tuple[Note, ...]
    convert_host_ram_bytes: int
    bytes_fetched: int
    rows: tuple[LevelEstimate, ...]

    def row(self, dtype: str) -> LevelEstimate | None:
        """Return the row of a level, or None."""
        return next((row for row in self.rows if row.dtype == dtype), None)

    def to_json(self) -> dict[str, JsonValue]:
        """Return the whole document."""
        notes: list[JsonValue] = [note_text(note) for note in self.notes]
        levels: list[JsonValue] = [row.to_json() for row in self.rows]
        return {
            "model": self.model,
            "architecture": self.architecture,
            "parameters": self.parameters,
            "platform": self.platform,
            "context": self.context,
            "prompt": self.prompt,
            "confidence": self.confidence,
            "notes": notes,
            "convert_host_ram_bytes": self.convert_host_ram_bytes,
            "bytes_fetched": self.bytes_fetched,
            "levels": levels,
        }


def _rounded(value: float) -> float:
    return round(value, 3)
