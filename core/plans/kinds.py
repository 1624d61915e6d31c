"""Every kind of job there is: the one table that front ends and services ask."""

from core.base.errors import RefusedError
from core.convert.order import ConvertOrder
from core.deploy.order import DeployOrder
from core.hub.order import DownloadOrder
from core.jobs.model import JobSpec
from core.jobs.order import JobKind, JobOrder, Makes
from core.jobs.selftest import SelftestOrder
from core.lab.order import AnalyzeOrder
from core.lab.perplexity.order import PerplexityOrder
from core.plans.order import RunOrder

ORDERS: tuple[type[JobOrder], ...] = (
    DownloadOrder,
    ConvertOrder,
    DeployOrder,
    RunOrder,
    AnalyzeOrder,
    PerplexityOrder,
    SelftestOrder,
)
_BY_NAME = {order.kind.name: order for order in ORDERS}


def kind_named(name: str) -> JobKind | None:
    """The kind of that name; None for one this version does not know (a newer RKDeck shares the home folder)."""
    order = _BY_NAME.get(name)
    return None if order is None else order.kind


def makes(spec: JobSpec, what: Makes) -> bool:
    """Whether a job of this kind leaves such a thing behind; of an unknown kind nobody can tell, so no."""
    kind = kind_named(spec.kind)
    return kind is not None and what in kind.makes


def read_order(spec: JobSpec) -> JobOrder:
    """What a job is to do.

    Raises:
        RefusedError: `jobs.unknown_kind` for a job of a newer version.
        RKDeckError: `jobs.order_lacks`, `jobs.bad_order`.
    """
    order = _BY_NAME.get(spec.kind)
    if order is None:
        raise RefusedError("jobs.unknown_kind", kind=spec.kind)
    return order.from_json(spec.params)
