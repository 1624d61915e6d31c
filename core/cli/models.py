"""What MODEL means on the command line: a path, a Hub id or something in the library."""

from pathlib import Path

from core.base.errors import UsageError
from core.hub.addresses import usual_id
from core.hub.pasted import read_model_id
from core.library.cached import snapshot_of
from core.library.records import LibraryItem
from core.model.facts import ModelFacts, load_local_facts
from core.services import Services


def is_path(text: str) -> bool:
    """Whether MODEL or FILE is a path: it starts with `./`, `../` or `/`."""
    return text.startswith(("./", "../", "/")) or text in {".", ".."}


def existing_path(text: str) -> Path:
    """The path as it is on this computer; of a repository in huggingface_hub's cache, its snapshot.

    Raises:
        UsageError: `cli.path_missing`; as `core.library.cached.snapshot_of`.
    """
    path = Path(text)
    if not path.exists():
        raise UsageError("cli.path_missing", path=text, hint=_hint_of_page(text))
    return snapshot_of(path.absolute())


def _hint_of_page(text: str) -> str | None:
    """Another hint where the path reads like one of the Hub's pages, which their links write without the host."""
    if not text.startswith("/"):
        return None
    try:
        return None if read_model_id(text) == text.rstrip("/") else "cli.path_or_page"
    except UsageError as error:
        return "cli.path_or_page" if error.code == "hub.no_model_page" else None


def model_facts(services: Services, model: str, revision: str | None = None) -> ModelFacts:
    """Facts of a local folder, or of a Hub model by range requests (nothing is downloaded)."""
    if is_path(model):
        return load_local_facts(existing_path(model))
    from core.hub.facts import fetch_model_facts

    return fetch_model_facts(services.hubs.of(model), model, revision)


def model_file(services: Services, text: str) -> Path:
    """A model file on this computer: a path, or what the library holds under that title or id.

    Raises:
        UsageError: `cli.path_missing` for a path; else `cli.file_unknown`, or `cli.file_is_source` for a model of
            the library that is not converted.
    """
    if is_path(text):
        return existing_path(text)
    name = usual_id(text)
    item = services.library.find_file(name)
    if item is not None:
        return item.path
    if Path(text).exists():
        return existing_path(text)
    code = "cli.file_unknown" if services.library.find_source(name) is None else "cli.file_is_source"
    raise UsageError(code, file=text)


def local_source(services: Services, model: str) -> tuple[Path, LibraryItem | None]:
    """The folder of a source model: a path, or what the library holds under that Hub id.

    Raises:
        UsageError: `cli.path_missing`, `cli.model_not_local`.
    """
    if is_path(model):
        return existing_path(model), None
    name = usual_id(model)
    # What is no source is named too, so that whoever asked for it hears what it is.
    item = services.library.find_source(name) or services.library.find(name)
    if item is None:
        raise UsageError("cli.model_not_local", model=model)
    return item.path, item
