"""A ready-made file from the Hub onto a board: fetched, entered into the library, deployed, and served if wanted.

One job, resumed where it stopped: the download goes on with its partial file, what is whole is only checked, the
transfer goes on with what the board has. The file stays in the library, so that a board that fails costs no second
download.
"""

import contextlib
import json
import time
from dataclasses import replace
from pathlib import Path

from core.base.database import Database
from core.base.errors import JsonValue
from core.base.log import register_secret
from core.base.paths import AppPaths
from core.base.secrets import SecretStore
from core.boards.connect import connect
from core.boards.registry import Board, BoardRegistry
from core.deploy.deployments import resolve
from core.deploy.run import run_deployment
from core.hub.download import DownloadPlan, library_place, params_of, patience_from_params, plan_from_params
from core.hub.fetch import Download
from core.jobs.manager import JobHandle, JobManager
from core.jobs.model import WorkerCommand
from core.jobs.worker import WorkerContext
from core.library.arrivals import enter_download
from core.library.library import Library
from core.remote.hostkeys import HostKeys
from core.serve.service import start_serving

KIND = "run"


def start_run(
    jobs: JobManager,
    board: Board,
    endpoint: str,
    plan: DownloadPlan,
    *,
    library_folder: Path,
    serve: bool = False,
    force: bool = False,
    token: str | None = None,
    password: str | None = None,
) -> JobHandle:
    """Start the job.

    Args:
        jobs: of the home folder in whose registry the board is.
        board: where to.
        endpoint: the Hub.
        plan: one .rkllm file of a repository.
        library_folder: the library's own.
        serve: start serving it afterwards.
        force: override the checks of the deployment that can be.
        token: of the Hub.
        password: of the board, when it is not in the system's keyring.
    """
    file = plan.files[0]
    return jobs.submit(
        kind=KIND,
        lane=board.lane,
        title=f"{Path(file.path).stem} to {board.name}",
        params={
            **params_of(endpoint, plan, library_place(library_folder, plan)),
            "board": board.name, "title": Path(file.path).stem, "serve": serve, "force": force,
        },
        worker=WorkerCommand(module="core.workers.run"),
        resumable=True,
        board=board.name,
        secret=pack_secrets(token, password),
    )  # fmt: skip


def pack_secrets(token: str | None, password: str | None) -> str:
    """Both secrets as the one line a worker gets on its standard input."""
    return json.dumps({"token": token, "password": password})


def run_plan(context: WorkerContext) -> dict[str, JsonValue]:
    """The worker's main.

    Returns:
        The result of the deployment, with `downloaded_bytes` and, when it is served, `serving`.

    Raises:
        RKDeckError: of every room it passes through.
    """
    token, password = _unpack(context.secret)
    file, downloaded = _fetch(replace(context, secret=token))
    params = context.params
    deploying: dict[str, JsonValue] = {
        "board": params["board"], "file": str(file), "name": None, "title": params["title"],
        "force": params["force"],
    }  # fmt: skip
    result = run_deployment(replace(context, params=deploying, secret=password))
    result["downloaded_bytes"] = downloaded
    if params["serve"] is True:
        result["serving"] = _serve(context, str(result["name"]), password)
    return result


def _fetch(context: WorkerContext) -> tuple[Path, int]:
    began_s = time.monotonic()
    endpoint, folder, plan = plan_from_params(context.params)
    download = Download(context, endpoint, folder, plan, patience_from_params(context.params))
    fetched = download.run()
    context.finish()
    paths = AppPaths(context.home)
    with contextlib.closing(Database(paths.database_file)) as database:
        enter_download(Library(database, paths.library), endpoint, folder, plan, fetched)
    seconds = round(time.monotonic() - began_s, 3)
    context.step("fetched", file=fetched[0].name, bytes_fetched=download.bytes_fetched, seconds=seconds)
    return folder / fetched[0].name, download.bytes_fetched


def _serve(context: WorkerContext, name: str, password: str | None) -> dict[str, JsonValue]:
    paths = AppPaths(context.home)
    with contextlib.closing(Database(paths.database_file)) as database:
        board = BoardRegistry(database).get(str(context.params["board"]))
    with connect(board, HostKeys(paths.known_hosts), SecretStore(), password=password) as session:
        deployment = resolve(session, board.store or "", name, board=board.name)
        serving = start_serving(
            session,
            board,
            deployment,
            on_wait=lambda seconds: context.progress("starting", round(seconds, 1), None, unit="steps"),
        )
    context.step("serving", model=serving.model, runtime=serving.runtime)
    return serving.to_json()


def _unpack(secret: str | None) -> tuple[str | None, str | None]:
    value = json.loads(secret) if secret else {}
    found = [value.get(name) if isinstance(value, dict) else None for name in ("token", "password")]
    token, password = (text if isinstance(text, str) and text else None for text in found)
    for text in (token, password):
        if text:
            register_secret(text)
    return token, password
