"""Starting a deployment as a job."""

from pathlib import Path

from core.base.names import printable
from core.boards.registry import Board
from core.jobs.manager import JobHandle, JobManager
from core.jobs.model import WorkerCommand

KIND = "deploy"


def start_deploy(
    jobs: JobManager,
    board: Board,
    file: Path,
    *,
    name: str | None = None,
    title: str | None = None,
    force: bool = False,
    secret: str | None = None,
    limit_bytes_per_s: int | None = None,
    keep: int = 0,
    budget_bytes: int = 0,
) -> JobHandle:
    """Send a model file to a board, in a job that goes on after an interruption where it stopped.

    Args:
        jobs: of the home folder in whose registry the board is.
        board: where to.
        file: a .rkllm file.
        name: of the deployment; None: made from the title.
        title: what people call the model; None: the file's name.
        force: override the checks that can be.
        limit_bytes_per_s: send no faster than this; None or 0: as fast as the line.
        keep: newest versions of each deployment that stay on the board; 0: all.
        budget_bytes: for all files in the store, what is in use excepted; 0: no budget.
        secret: the board's password, when it is not in the system's keyring.
    """
    return jobs.submit(
        kind=KIND,
        lane=board.lane,
        title=f"{printable(title or file.name)} to {board.name}",
        params={
            "board": board.name,
            "file": str(file),
            "name": name,
            "title": title,
            "force": force,
            "limit_bytes_per_s": limit_bytes_per_s,
            "keep": keep,
            "budget_bytes": budget_bytes,
        },
        worker=WorkerCommand(module="core.workers.deploy"),
        resumable=True,
        board=board.name,
        secret=secret,
    )
