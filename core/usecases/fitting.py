"""Does it fit: models of the Hub against the active board, from what was read before or from their headers."""

from core.base.errors import RefusedError
from core.estimate.table import estimate_model, refusal_reason
from core.fitness.badge import Badge, estimate_badge, guess_badge
from core.fitness.target import FitTarget
from core.hub.records import ModelDetail, ModelSummary
from core.model.facts import ModelFacts
from core.model.shape import build_shape
from core.services import Services


def guess(model: ModelSummary, target: FitTarget) -> Badge:
    """The badge of a search result from what the search told; microseconds, reads nothing."""
    return guess_badge(
        model.parameters,
        model.architectures,
        target.platform,
        model_type=model.model_type,
        weights=model.weights,
        quantization=model.quantization,
        context=target.context,
        board_ram_bytes=target.board_ram_bytes,
    )


def exact_badge(services: Services, model: ModelSummary, target: FitTarget) -> Badge:
    """The badge from the model's headers: a few requests and a few hundred KiB once per commit.

    Raises:
        RKDeckError: as `core.hub.facts.fetch_facts` and `core.estimate.table.estimate_model`.
    """
    try:
        facts = summary_facts(services, model)
        shape = build_shape(facts)
    except RefusedError as error:
        reason = refusal_reason(error.code)
        if reason is None:
            raise
        return Badge("no", None, None, None, None, True, reason)
    return estimate_badge(
        estimate_model(
            facts,
            target.platform,
            context=target.context,
            board_ram_bytes=target.board_ram_bytes,
            now=target.now,
            shape=shape,
        )
    )


def summary_facts(services: Services, model: ModelSummary) -> ModelFacts:
    """The facts of a search result; without any request when its commit was read before.

    Raises:
        RKDeckError: as `core.hub.facts.fetch_facts`.
    """
    if model.commit is not None:
        known = services.facts_cache.get(services.hubs.of(model.repo).endpoint, model.repo, model.commit)
        if known is not None:
            return known
    return cached_facts(services, services.hubs.of(model.repo).details(model.repo))


def cached_facts(services: Services, detail: ModelDetail) -> ModelFacts:
    """The facts of a repository at a commit, kept for the next time.

    Raises:
        RKDeckError: as `core.hub.facts.fetch_facts`.
    """
    from core.hub.facts import fetch_facts

    hub = services.hubs.of(detail.repo)
    facts = services.facts_cache.get(hub.endpoint, detail.repo, detail.commit)
    if facts is None:
        facts = fetch_facts(hub, detail)
        services.facts_cache.put(hub.endpoint, detail.commit, facts)
    return facts
