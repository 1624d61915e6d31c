"""A catalogue of made-up repositories: names and figures enough to fill lists, and no weights.

Entries are called `rkdeck-demo/catalogue-00042`, tagged `synthetic`, and their model card says what they are.
All share one folder with a config.json and that card.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from core.demo.hub.repos import TAG, HubFile, HubRepo, Rank

_FIRST_DAY = datetime(2024, 1, 1, tzinfo=UTC)
_PARAMETERS = (135e6, 494e6, 596e6, 1.1e9, 1.72e9, 3.21e9, 4.02e9, 7.62e9, 8.03e9)
_LICENSES = ("apache-2.0", "mit", "llama3.2", "other")
_CONVERTED_EVERY, _GATED_EVERY = 7, 50
_CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 2048, "intermediate_size": 5632,
    "num_hidden_layers": 22, "num_attention_heads": 32, "num_key_value_heads": 4, "vocab_size": 32000,
    "max_position_embeddings": 2048, "tie_word_embeddings": False, "torch_dtype": "bfloat16",
}  # fmt: skip
_CARD = """---
license: other
tags: [synthetic]
---
# An entry of RKDeck's demo catalogue

This model does not exist. The built-in hub makes such entries up so that long lists can be tried; its figures
mean nothing, and there are no weights to download.
"""


@dataclass(frozen=True)
class CatalogueRepo(HubRepo):
    """One made-up repository; the same number always gives the same entry."""

    number: int = 0

    def files(self) -> tuple[HubFile, ...]:
        """The shared files, read once: they never change."""
        return self._files

    def rank(self, key: str) -> Rank:
        """Made-up figures; many entries have equal downloads and likes, as on the Hub."""
        if key in {"lastModified", "createdAt"}:
            return _date(self.number * 37 % 900 + (100 if key == "lastModified" else 0))
        return self.number * 7919 % 4001 if key == "downloads" else self.number * 31 % 97

    def tags(self) -> list[str]:
        """Among them `synthetic`, and `rkllm` for every seventh."""
        found = [TAG, "synthetic", "text-generation", f"license:{_LICENSES[self.number % len(_LICENSES)]}"]
        return [*found, "rkllm"] if self.number % _CONVERTED_EVERY == 0 else found

    def parameters(self) -> dict[str, Any]:
        """Made up as well."""
        total = int(_PARAMETERS[self.number % len(_PARAMETERS)])
        return {"parameters": {"BF16": total}, "total": total}

    @cached_property
    def _files(self) -> tuple[HubFile, ...]:
        return super().files()


@cache
def _date(days: int) -> str:
    return (_FIRST_DAY + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def write_catalogue_folder(folder: Path) -> None:
    """Write the files that all entries share."""
    (folder / "config.json").write_text(json.dumps(_CONFIG), "utf-8")
    (folder / "README.md").write_text(_CARD, "utf-8")


def catalogue(folder: Path, count: int) -> dict[str, CatalogueRepo]:
    """The first `count` entries, by their ids."""
    names = (f"{TAG}/catalogue-{number:05d}" for number in range(count))
    return {
        name: CatalogueRepo(name, folder, number % _GATED_EVERY == _GATED_EVERY - 1, number=number)
        for number, name in enumerate(names)
    }
