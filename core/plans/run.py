"""A ready-made file from the Hub onto a board: fetched, entered into the library, deployed, and served if wanted.

One job, resumed where it stopped: the download goes on with its partial file, what is whole is only checked, the
transfer goes on with what the board has. The file stays in the library, so that a board that fails costs no second
download.
"""

from core.base.errors import JsonValue
from core.base.names import printable
from core.deploy.deployments import resolve
from core.deploy.run import DeployParts, run_deployment
from core.jobs.worker import WorkerContext
from core.library.run import bring
from core.plans.order import RunOrder
from core.serve.service import choose_runtime, start_serving
from core.vendor.kinds import kind_of_name


def run_plan(context: WorkerContext, order: RunOrder, parts: DeployParts) -> dict[str, JsonValue]:
    """The worker's main.

    Returns:
        The result of the deployment, with `downloaded_bytes` and, when it is served, `serving`.

    Raises:
        RKDeckError: of every room it passes through.
    """
    if order.serve:
        _check_runtime(context, order, parts)
    arrival = bring(context, order.download, parts.library)
    context.step(
        "fetched",
        file=arrival.files[0].name,
        bytes_fetched=arrival.bytes_fetched,
        seconds=round(arrival.seconds, 3),
    )
    result = run_deployment(context, order.deploy, parts)
    result["downloaded_bytes"] = arrival.bytes_fetched
    if order.serve:
        result["serving"] = _serve(context, order, parts, str(result["name"]))
    return result


def _check_runtime(context: WorkerContext, order: RunOrder, parts: DeployParts) -> None:
    """Nothing is fetched or sent that nothing on the board could serve."""
    file, board = order.deploy.file.name, parts.boards.get(order.deploy.board)
    kind = kind_of_name(file)
    if kind is not None:
        with parts.connect(board, password=context.secrets.board_password) as session:
            choose_runtime(session, board, kind, printable(file), simulated=None)


def _serve(context: WorkerContext, order: RunOrder, parts: DeployParts, name: str) -> dict[str, JsonValue]:
    board = parts.boards.get(order.deploy.board)
    with parts.connect(board, password=context.secrets.board_password) as session:
        deployment = resolve(session, board.store or "", name, board=board.name)
        serving = start_serving(
            session,
            board,
            deployment,
            on_wait=lambda seconds: context.progress("starting", round(seconds, 1), None, unit="steps"),
        )
    context.step("serving", model=serving.model, runtime=serving.runtime)
    return serving.to_json()
