"""What the charts of the Monitor page draw: every figure that a history keeps, but for those named here."""

import re

from core.monitor.sample import SERIES
from gui.pages.monitor.charts import CHARTS
from tests.core.monitor.test_history import full_sample, history_of

# Each core's own load is too much for one chart; the others have nothing that they belong beside.
_NOT_DRAWN = re.compile(r"cpu\d+|swap_used_bytes|ttft_ms")


def test_every_figure_of_a_history_is_drawn_once() -> None:
    history = history_of(full_sample(0))
    names = {*history.names, *(series.name for series in SERIES)}
    drawn = [line.series for spec in CHARTS for line in spec.lines(tuple(names), history.latest)]
    assert len(drawn) == len(set(drawn))
    assert {name for name in names - set(drawn) if not _NOT_DRAWN.fullmatch(name)} == set()
