"""The small files that belong to a model file: recipe, tokenizer, chat template, licence.

Beside any model file: what carries its name (`NAME.json`, the recipe RKDeck writes). Beside one the library knows
from the Hub: also the files of its repository that a server or a lawyer asks for.
"""

import hashlib
import stat
from dataclasses import dataclass
from pathlib import Path

from core.base.foreign import lines, members
from core.base.names import printable
from core.base.opening import open_regular, read_regular
from core.base.templates import JSON_NAMES, NAMED_TEMPLATE, TEMPLATE_NAME, chat_template, read_small
from core.deploy.layout import DeployedFile, Origin

_OF_A_REPOSITORY = (
    "README.md", "LICENSE", "LICENSE.md", "LICENSE.txt", "NOTICE", TEMPLATE_NAME, "config.json",
    "generation_config.json", "special_tokens_map.json", "tokenizer.json", "tokenizer.model", *JSON_NAMES,
)  # fmt: skip
RECIPE_NAME = "recipe.json"
_MAX_BYTES = 64 << 20
_MAX_TEXT_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Companion:
    """A small file on this computer, and what it is called in the deployment."""

    path: Path
    file: DeployedFile


def find_companions(model: Path, *, of_a_repository: bool) -> tuple[Companion, ...]:
    """The files that go with a model file; what cannot be read or is no plain file stays out.

    Args:
        model: the model file.
        of_a_repository: whether its folder holds files of the model's repository, and nothing else.
    """
    wanted = {RECIPE_NAME: model.with_name(model.name + ".json")}
    if of_a_repository:
        wanted |= {name: model.with_name(name) for name in _OF_A_REPOSITORY}
        if not wanted[TEMPLATE_NAME].is_file():
            # A deployment has no folders, and this is what the name means there.
            wanted[TEMPLATE_NAME] = model.parent / NAMED_TEMPLATE
    found = (_companion(path, name) for name, path in sorted(wanted.items()))
    return tuple(companion for companion in found if companion is not None)


def origin_of(
    companions: tuple[Companion, ...], repo: str | None = None, revision: str | None = None
) -> Origin:
    """What the files tell: recipe, licence, chat template; what the library knows comes first."""
    paths = {companion.file.name: companion.path for companion in companions}
    recipe_file = members(_text(paths.get(RECIPE_NAME)))
    recipe = recipe_file.get("recipe")
    template = chat_template(lambda name: read_small(paths[name]) if name in paths else None)
    return Origin(
        files=tuple(companion.file for companion in companions),
        repo=repo or _word(recipe_file.get("repo")),
        revision=revision or _word(recipe_file.get("revision")),
        licence=_licence(_text(paths.get("README.md"))),
        chat_template_sha256=_digest(template) if template else None,
        recipe=recipe if isinstance(recipe, dict) else None,
    )


def _companion(path: Path, name: str) -> Companion | None:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_BYTES:
            return None
        with open_regular(path) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):  # ValueError: a name with a NUL
        return None
    return Companion(path, DeployedFile(name, digest, status.st_size))


def _licence(card: str) -> str | None:
    """The `license:` of a model card's front matter."""
    if not card.startswith("---"):
        return None
    for line in lines(card, 200)[1:]:
        if line.startswith("---"):
            return None
        key, colon, value = line.partition(":")
        if colon and key == "license":
            return _word(value.strip().strip("'\""))
    return None


def _text(path: Path | None) -> str:
    try:
        if path is None:
            return ""
        return read_regular(path, _MAX_TEXT_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def _word(value: object) -> str | None:
    return printable(value, limit=100) if isinstance(value, str) and value else None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
