"""The command line's voice under several threads."""

import io
import json
import threading

import pytest

from core.base.errors import RKDeckError
from core.cli.following import progress_line
from core.cli.output import Output
from core.jobs.model import Progress


def test_lines_of_several_threads_stay_whole() -> None:
    out, err = io.StringIO(), io.StringIO()
    output = Output(as_json=True, lines=True, out=out, err=err)

    def speak(board: str) -> None:
        for number in range(300):
            output.event("progress", board=board, done=number)

    threads = [threading.Thread(target=speak, args=(f"board-{index}",)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert len(lines) == 1200
    assert {line["schema"] for line in lines} == {1}


def test_result_stands_at_the_top_and_together() -> None:
    out = io.StringIO()
    output = Output(as_json=True, lines=True, out=out, err=io.StringIO())
    output.result({"board": "desk", "size_bytes": 15_000_000_000}, job="deploy-1", board=None)
    line = json.loads(out.getvalue())
    assert line["event"] == "result"
    assert line["job"] == "deploy-1"
    assert line["board"] == "desk"
    assert line["size_bytes"] == line["result"]["size_bytes"] == 15_000_000_000


def test_errors_are_words_on_stderr_and_a_document_on_stdout() -> None:
    out, err = io.StringIO(), io.StringIO()
    Output(as_json=True, out=out, err=err).error(
        RKDeckError("names.unsafe_path", path="\x1b[2J", why="empty")
    )
    document = json.loads(out.getvalue())["error"]
    assert document["code"] == "names.unsafe_path"
    assert document["message"] in err.getvalue()
    assert "\x1b" not in err.getvalue() + document["message"]


def test_for_people_nothing_of_json_is_printed() -> None:
    out, err = io.StringIO(), io.StringIO()
    output = Output(as_json=False, lines=True, out=out, err=err)
    output.event("progress", done=1)
    output.document({"a": 1})
    output.table(("NAME", "SIZE"), [("x", "10"), ("longer", "9")], right=(1,))
    assert out.getvalue() == "NAME    SIZE\nx         10\nlonger     9\n"


@pytest.mark.parametrize(
    ("stalled_s", "shown"),
    [(None, ", stalled)"), (5.0, ", stalled for 5 s)"), (61.0, ", stalled for 1:01 min)")],
)
def test_progress_of_a_stalled_transfer(stalled_s: float | None, shown: str) -> None:
    progress = Progress("upload", 3 << 20, 24 << 20, "bytes", 0.0, None, stalled=True, stalled_s=stalled_s)
    assert progress_line(progress.to_json(), Output(as_json=False)).endswith(shown)
