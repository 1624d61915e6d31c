"""Everything a front end shows of one model in the laboratory, read in one call."""

from dataclasses import dataclass

from core.base.errors import RKDeckError
from core.lab.analysis import Analysis
from core.lab.errors import LevelError
from core.lab.perplexity.figures import PerplexityResult
from core.lab.perplexity.records import PerplexityRun
from core.lab.suggest import Price, Suggestion
from core.library.records import LibraryItem
from core.services import Services
from core.usecases import lab, perplexity


@dataclass(frozen=True, slots=True)
class LevelRow:
    """One level: what it does to the weights, what it costs, what it does to the model's words. None is unknown."""

    dtype: str
    error: LevelError | None
    price: Price | None
    perplexity: PerplexityResult | None


@dataclass(frozen=True, slots=True)
class LabView:
    """What is known of a model.

    Attributes:
        analysis: of its present files, None when they were not measured yet.
        advice: None without an analysis, or for a platform that takes none of the measured levels.
        runs: perplexity that was measured, the newest first.
        rows: by level, in the order shown.
        problem: why advice cannot be given.
    """

    item: LibraryItem
    analysis: Analysis | None
    advice: Suggestion | None
    runs: tuple[PerplexityRun, ...]
    rows: tuple[LevelRow, ...]
    problem: RKDeckError | None = None


def lab_view(services: Services, item_id: str, platform: str, context: int) -> LabView:
    """Read what was measured of a model, priced for a platform.

    Raises:
        UsageError: `library.unknown`; RefusedError: `lab.not_a_source`; RKDeckError: `lab.bad_result`,
            `lab.unreadable`.
    """
    item = services.library.get(item_id)
    analysis = lab.stored_analysis(services, item)
    runs = perplexity.stored_perplexity(services, item)
    advice: Suggestion | None = None
    problem: RKDeckError | None = None
    if analysis is not None:
        try:
            advice = lab.suggestion(services, item, analysis, platform, context)
        except RKDeckError as error:
            problem = error
    return LabView(item, analysis, advice, runs, _rows(analysis, advice, runs), problem)


def _rows(
    analysis: Analysis | None, advice: Suggestion | None, runs: tuple[PerplexityRun, ...]
) -> tuple[LevelRow, ...]:
    errors = {level.dtype: level for level in analysis.levels} if analysis is not None else {}
    prices = {price.dtype: price for price in advice.prices} if advice is not None else {}
    # Perplexities of two texts or two engines are no column: the newest run that is of the present files counts.
    run = next((run for run in runs if run.current), None)
    words = {result.level: result for result in run.results} if run is not None else {}
    names = list(dict.fromkeys((*words, *errors))) if not errors else list(dict.fromkeys((*errors, *words)))
    return tuple(LevelRow(name, errors.get(name), prices.get(name), words.get(name)) for name in names)
