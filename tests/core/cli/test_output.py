"""The command line's voice under several threads."""

import io
import json
import threading

import pytest

from core.base.errors import RKDeckError, error_from_json
from core.base.paths import AppPaths
from core.base.settings import Settings
from core.cli.following import progress_line
from core.cli.main import run as rkdeck
from core.cli.output import Output
from core.jobs.model import Progress, WorkerCommand
from core.services import Services
from core.words.errors import sentence
from tests.support.orders import made_up


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


def test_the_usage_in_a_refusal_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert rkdeck(["estimate"]) == 2
    told = capsys.readouterr().err
    assert "\\n" not in told
    assert told.rstrip().endswith("[--prompt N] [--revision R] MODEL")


def test_a_job_is_shown_to_people_in_words(paths: AppPaths, capsys: pytest.CaptureFixture[str]) -> None:
    """No record of Python's, no code where there are words for it; with --json it is what it was."""
    with Services(paths, Settings()) as services:
        worker = WorkerCommand(script=str(paths.home / "nothing.py"))
        job = services.jobs.submit(made_up(worker, {}, name="download")).wait(timeout_s=30).spec.id
        record = services.jobs.store.get(job)
    assert record.error is not None
    assert rkdeck(["jobs", "show", job, "--home", str(paths.home)]) == 0
    told = capsys.readouterr().out
    assert "'code'" not in told
    assert "None" not in told
    assert sentence(error_from_json(record.error)) in told
    assert rkdeck(["jobs", "show", job, "--json", "--home", str(paths.home)]) == 0
    assert json.loads(capsys.readouterr().out) == record.to_json()


def test_nothing_a_stranger_wrote_steers_the_terminal() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    hostile = "a\x1b[2J\x9bK\r\x08\x07\u202e\ud800\x7f\u2028b\n\tc \u200d\U0001f469 ñ"
    out, err = Terminal(), Terminal()
    output = Output(as_json=False, out=out, err=err)
    for say in (output.text, output.piece, output.note, output.progress):
        say(hostile)
    output.error(RKDeckError("hub.unreachable", endpoint=hostile, reason=hostile))
    own = err.getvalue().replace("\r\x1b[K", "")
    for printed in (out.getvalue(), own):
        printed.encode()  # half a UTF-16 pair is no text
        assert not {"\x1b", "\x9b", "\r", "\x08", "\x07", "\u202e", "\x7f", "\u2028"} & set(printed)
    assert "\n\tc \u200d\U0001f469 ñ" in out.getvalue()
