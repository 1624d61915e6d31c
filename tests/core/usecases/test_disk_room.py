"""What is on a board already, whole or in part, need not be sent and needs no room."""

from dataclasses import replace

from core.fitness.candidate import Holdings
from core.usecases import deployment as use
from tests.core.usecases.test_deployment import DISK, EMPTY, FILE, GIB, SHA, board


def test_a_file_that_is_there_needs_no_room() -> None:
    full = board(mounts=(replace(DISK, free_bytes=GIB),))
    status = replace(EMPTY, board=full, held=Holdings({SHA: 3 * GIB}))
    for sha256, verdict in ((SHA, "ok"), ("cd" * 32, "failed"), (None, "warning")):
        assert use.judge_drop(replace(FILE, sha256=sha256), full, status).verdict == verdict
    assert use.judge_drop(FILE, full).verdict == "warning", "nobody looked what is there"
    other = replace(EMPTY, board=full, held=Holdings({"cd" * 32: 2 * GIB}, {"ef" * 32: 4 * GIB}))
    assert use.judge_drop(replace(FILE, sha256=None), full, other).verdict == "failed", (
        "none of them is this file"
    )


def test_of_a_file_that_was_half_sent_only_the_rest_needs_room() -> None:
    tight = board(mounts=(replace(DISK, free_bytes=5 * GIB // 2, total_bytes=None),))
    status = replace(EMPTY, board=tight, held=Holdings(parts={SHA: GIB}))
    assert use.judge_drop(FILE, tight, status).verdict == "ok"
    assert use.judge_drop(FILE, tight, EMPTY).verdict == "failed"
