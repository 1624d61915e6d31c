"""Model classes the toolkit converts and how RKDeck counts them (resources/architectures.toml)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from core.base import tomldata

_FILE = "architectures.toml"
MODELLED_FAMILIES = (
    "dense", "moe", "mla", "recurrent", "hybrid-linear-attention", "hybrid-short-convolution",
    "per-layer-embedding",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cut:
    """One way of naming a model's tensors.

    Attributes:
        linears: the linear layers every block has; the first one reads the block's input.
        embedding: the token embedding, from where the list of blocks lies; `../` is one up.
    """

    linears: tuple[str, ...]
    embedding: str


@dataclass(frozen=True, slots=True)
class Architecture:
    """One kind of model.

    Attributes:
        family: `dense`, `moe`, `mla`, or a kind without a memory model yet.
        layout: how the linear layers of a block are cut (see the data file); None: tensor headers are needed.
        tied: whether the class ties its output head to the embedding when config.json is silent.
        since: the first rkllm-toolkit version that converts it; None: no version is known to.
        benchmarked: whether the vendor's benchmark has rows of it.
        blocks: what may stand before a block's number in its tensors' names; empty where that is not known.
        cuts: how the linear layers of every block may be named.
    """

    family: str
    layout: str | None
    tied: bool
    since: str | None
    benchmarked: bool
    blocks: tuple[str, ...] = ()
    cuts: tuple["Cut", ...] = ()

    @property
    def modelled(self) -> bool:
        """Whether memory and speed can be computed for this family."""
        return self.family in MODELLED_FAMILIES


def find_architecture(class_name: str) -> Architecture | None:
    """Return what is known of a class of config.json's `architectures`, or None."""
    return _by_name("classes").get(class_name.lower())


def find_by_model_type(model_type: str) -> Architecture | None:
    """Return what is known of config.json's `model_type`, or None; to be asked where no class is named."""
    return _by_name("model_types").get(model_type)


def newest_toolkit() -> str:
    """Return the toolkit version the data was written for."""
    return tomldata.text(tomldata.subtable(tomldata.load_toml(_FILE), "toolkit", _FILE), "newest", _FILE)


@cache
def _by_name(key: str) -> Mapping[str, Architecture]:
    found: dict[str, Architecture] = {}
    data = tomldata.load_toml(_FILE)
    cuts, embeddings = (tomldata.subtable(data, key, _FILE) for key in ("cut", "embedding"))
    for table in tomldata.subtables(data, "architecture", _FILE):
        architecture = Architecture(
            family=tomldata.text(table, "family", _FILE),
            layout=tomldata.optional_text(table, "layout", _FILE),
            tied=tomldata.flag(table, "tied", _FILE),
            since=tomldata.optional_text(table, "since", _FILE),
            benchmarked=tomldata.flag(table, "benchmarked", _FILE),
            blocks=_texts(table, "blocks"),
            cuts=tuple(
                Cut(tomldata.texts(cuts, cut, _FILE), tomldata.text(embeddings, cut, _FILE))
                for cut in _texts(table, "cuts")
            ),
        )
        # Compared without case: TeleChat spells its own class in two ways.
        found |= {name.lower(): architecture for name in _texts(table, key)}
    return MappingProxyType(found)


def _texts(table: tomldata.Table, key: str) -> tuple[str, ...]:
    return tomldata.texts(table, key, _FILE) if key in table else ()
