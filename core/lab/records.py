"""A tensor of a model, and a model whose tensors lie on the Hub."""

from dataclasses import dataclass
from math import prod
from typing import Literal

Role = Literal["linear", "embedding", "norm", "other"]
HEAD_KIND = "lm_head"


@dataclass(frozen=True, slots=True)
class TensorRef:
    """One tensor of a model.

    Attributes:
        role: "linear" is quantized by the toolkit; the others stay in 16 bits or more.
        kind: what it does: `q_proj`, `down_proj`, `lm_head`, `embed_tokens`, ...
        layer: number of its block, None outside of them.
        outputs, inputs, modules: of a linear weight; `modules` matrices in one tensor (experts); 0 of others.
    """

    name: str
    role: Role
    kind: str
    layer: int | None
    shape: tuple[int, ...]
    dtype: str
    outputs: int = 0
    inputs: int = 0
    modules: int = 0

    @property
    def elements(self) -> int:
        """Number of weights."""
        return prod(self.shape)

    @property
    def turned(self) -> bool:
        """Whether matrices are stored (inputs, outputs), as experts in one tensor are."""
        return len(self.shape) == 3


@dataclass(frozen=True, slots=True)
class HubModel:
    """A model on the Hub; revision None is the newest."""

    repo: str
    revision: str | None = None
