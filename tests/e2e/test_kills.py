"""A few of the rounds of `make kills`."""

from pathlib import Path

import pytest

from tests.support.kills import report, run

ROUNDS, SEED = 12, 20261128


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_start_after_any_kill_finds_nothing_half_hidden_lost_or_refused(tmp_path: Path) -> None:
    tally = run(tmp_path, ROUNDS, SEED)
    assert not tally.faults, report(tally, ROUNDS, SEED)
    assert sum(tally.kills.values()) == ROUNDS
