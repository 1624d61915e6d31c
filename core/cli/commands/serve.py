"""`rkdeck serve`, `stop` and `chat`: a deployed model answers."""

import argparse

from core.boards.records import Board
from core.cli.command import Command, Context
from core.serve.records import Serving
from core.usecases import serving as use


def _configure_serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("board", metavar="BOARD")
    parser.add_argument("name", metavar="NAME")


def _serve(context: Context) -> int:
    serving = serve(context, context.services.boards.get(context.options.board), context.options.name)
    context.output.document(serving.to_json())
    return 0


def serve(context: Context, board: Board, name: str) -> Serving:
    """Start serving a deployment and say so."""
    serving = use.serve(context.services, board.name, name)
    tr = context.output.tr
    told = tr(
        "{board} serves {model} by {runtime}",
        board=board.name,
        model=serving.model,
        runtime=serving.runtime,
    )
    context.output.text(told + ("  " + tr("(SIMULATED runtime)") if serving.simulated else ""))
    return serving


def _configure_stop(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("board", metavar="BOARD")


def _stop(context: Context) -> int:
    board = context.services.boards.get(context.options.board)
    stopped = use.stop(context.services, board.name)
    context.output.document({"board": board.name, "stopped": stopped.to_json() if stopped else None})
    tr = context.output.tr
    context.output.text(
        tr("stopped {model} on {board}", model=stopped.model, board=board.name)
        if stopped
        else tr("{board} serves nothing", board=board.name)
    )
    return 0


def _configure_chat(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("board", metavar="BOARD")
    parser.add_argument("prompt", metavar="PROMPT")
    parser.add_argument("--max-tokens", type=int, default=256, metavar="N")
    parser.add_argument("--logprobs", type=int, metavar="N")


def _chat(context: Context) -> int:
    options, output = context.options, context.output
    board = context.services.boards.get(options.board)
    serving, answer = use.converse(
        context.services,
        board.name,
        [{"role": "user", "content": options.prompt}],
        max_tokens=options.max_tokens,
        top_logprobs=options.logprobs,
        on_text=None if output.json or options.logprobs is not None else output.piece,
    )
    output.document({"board": board.name, "serving": serving.to_json(), **answer.to_json()})
    if options.logprobs is not None:
        output.text(answer.text)
    tr = output.tr
    speed = f"{answer.tokens_per_s:.1f} tokens/s" if answer.tokens_per_s is not None else tr("unknown speed")
    first = f"{answer.ttft_ms:.1f} ms" if answer.ttft_ms is not None else tr("unknown")
    simulated = ", " + tr("SIMULATED runtime") if serving.simulated else ""
    tokens = tr("unknown") if answer.tokens is None else answer.tokens
    output.text()
    told = tr("{n} tokens, {speed}, first after {time}", n=tokens, speed=speed, time=first)
    output.note(f"[{told}{simulated}]")
    return 0


COMMANDS = (
    Command("serve", _configure_serve, _serve),
    Command("stop", _configure_stop, _stop),
    Command("chat", _configure_chat, _chat),
)
