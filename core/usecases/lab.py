"""The laboratory as a front end uses it: what fewer bits do to a model, or to one of its tensors."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.errors import RefusedError
from core.lab.analysis import Analysis
from core.lab.errors import Measurer, TensorErrors
from core.lab.order import AnalyzeOrder
from core.lab.picture import TensorPicture, draw
from core.lab.records import HubModel, TensorRef
from core.lab.remote import HubWeights
from core.lab.scheme import Scheme, analysed_levels
from core.lab.store import folder_key, item_key, stamp_of
from core.lab.suggest import Suggestion, suggest
from core.lab.weights import Place, open_folder
from core.library.cached import folder_title
from core.library.records import LibraryItem
from core.model.facts import why_no_source
from core.services import Services
from core.usecases.fitting import cached_facts
from core.usecases.library import local_facts
from core.vendor.platforms import get_platform

if TYPE_CHECKING:
    from core.jobs.manager import JobHandle

# A library item, a model folder, or a model that is still on the Hub.
ModelSource = LibraryItem | Path | HubModel
# Told (bytes here, bytes in all) while a tensor comes from the Hub; what it raises ends that.
Advance = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class OpenTensor:
    """A tensor whose bytes are on this computer."""

    tensor: TensorRef
    place: Place


def start_analysis(services: Services, item_id: str) -> str:
    """Start the analysis of a model of the library; returns the job's id. It goes on without the front end.

    Raises:
        UsageError: `library.unknown`.
        RefusedError: `lab.not_a_source`, and as `core.model.facts.why_no_source`.
        RKDeckError: what is wrong with the model's files.
    """
    return analyse_model(services, services.library.get(item_id)).id


def analyse_model(services: Services, source: LibraryItem | Path) -> "JobHandle":
    """`start_analysis` for who wants to follow the job; a folder need not be in the library.

    Raises:
        As `start_analysis`.
    """
    folder, key = _folder(source), _key(services, source)
    # What is wrong with the headers is better told now than by a job.
    weights = open_folder(folder)
    refusal = why_no_source(weights.facts)
    if refusal is not None:
        raise refusal
    title = source.title if isinstance(source, LibraryItem) else folder_title(folder)
    return services.submit(AnalyzeOrder(folder, key, title))


def stored_analysis(services: Services, source: LibraryItem | Path) -> Analysis | None:
    """The analysis of a model's present files, None when there is none yet.

    Raises:
        RefusedError: `lab.not_a_source`.
        RKDeckError: `lab.bad_result`, `lab.unreadable`.
    """
    folder = _folder(source)
    return services.analyses.load(_key(services, source), stamp_of(folder))


def suggestion(
    services: Services,
    source: LibraryItem | Path,
    analysis: Analysis,
    platform: str | None = None,
    context: int | None = None,
) -> Suggestion | None:
    """What to convert a model to for a platform (None: the usual one), with the prices of its levels.

    Raises:
        UsageError: `estimate.unknown_platform`; RefusedError: `estimate.bad_context`.
        RKDeckError: as `core.estimate.table.estimate_model`.
    """
    return suggest(
        analysis,
        local_facts(_folder(source)),
        get_platform(platform or services.settings.default_platform),
        context=context or services.settings.default_context,
    )


def list_tensors(services: Services, source: ModelSource) -> tuple[TensorRef, ...]:
    """Every tensor of a model's language part: linear weights first, in the order of the layers.

    Raises:
        RefusedError: `lab.not_a_source`; RKDeckError: what is wrong with the model's headers.
    """
    if isinstance(source, HubModel):
        return _hub_weights(services, source).tensors
    return open_folder(_folder(source)).tensors


def analyze_tensor(
    services: Services, source: ModelSource, name: str, advance: Advance | None = None
) -> TensorErrors:
    """Measure one matrix at every level; of a model on the Hub only that tensor is fetched.

    Raises:
        RefusedError: `lab.not_a_source`, `lab.tensor_too_large`.
        RKDeckError: `lab.no_tensor`, `lab.not_linear`, `lab.empty`, `lab.dtype`, `lab.not_finite`, ...
    """
    opened = open_tensor(services, source, name, advance)
    with Measurer() as measurer:
        found = measurer.measure(opened.place, opened.tensor, analysed_levels())
    if found.problem is not None:
        raise found.problem
    return found


def tensor_picture(
    services: Services,
    source: ModelSource,
    name: str,
    scheme: Scheme,
    *,
    channel: int = 0,
    column: int = 0,
    advance: Advance | None = None,
) -> TensorPicture:
    """The numbers behind the pictures of one matrix; of a model on the Hub only that tensor is fetched.

    Args:
        services: the core.
        source: where the model is.
        name: of the tensor.
        scheme: `core.lab.scheme.scheme(bits, group_size)` of sliders, or `level_scheme(name)`.
        channel: output channel whose grid is drawn.
        column: the weight of it that is followed.
        advance: progress of the fetching.

    Raises:
        As `analyze_tensor`, and `lab.group_does_not_fit`, `lab.no_channel`, `lab.no_input`, `lab.beyond_float16`.
    """
    return picture_of(open_tensor(services, source, name, advance), scheme, channel=channel, column=column)


def open_tensor(
    services: Services, source: ModelSource, name: str, advance: Advance | None = None
) -> OpenTensor:
    """Find a tensor, and fetch it when it is on the Hub, for who draws it many times (`picture_of`).

    Raises:
        As `analyze_tensor`.
    """
    if isinstance(source, HubModel):
        remote = _hub_weights(services, source)
        tensor = remote.find(name)
        return OpenTensor(tensor, remote.fetch(tensor, advance))
    folder = open_folder(_folder(source))
    tensor = folder.find(name)
    return OpenTensor(tensor, folder.places[tensor.name])


def picture_of(opened: OpenTensor, scheme: Scheme, *, channel: int = 0, column: int = 0) -> TensorPicture:
    """`tensor_picture` of a tensor that was opened: what a slider asks for on each move.

    Raises:
        As `tensor_picture`.
    """
    return draw(opened.place, opened.tensor, scheme, channel, column)


def _folder(source: LibraryItem | Path) -> Path:
    if isinstance(source, Path):
        return source.absolute()
    if source.kind != "source":
        raise RefusedError("lab.not_a_source", title=source.title)
    return source.path


def _key(services: Services, source: LibraryItem | Path) -> str:
    if isinstance(source, LibraryItem):
        return item_key(source.id, source.revision)
    # The same folder by its path and by its item has one analysis.
    item = services.library.find(str(source.absolute()))
    return item_key(item.id, item.revision) if item is not None else folder_key(source)


def _hub_weights(services: Services, model: HubModel) -> HubWeights:
    hub = services.hubs.of(model.repo)
    detail = hub.details(model.repo, model.revision)
    return HubWeights(hub, detail, cached_facts(services, detail), services.paths.cache / "tensors")
