"""The demo's way through the services: find, estimate, download, convert, deploy, serve, watch."""

import contextlib
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from core.base.errors import JsonValue, RKDeckError
from core.base.foreign import number
from core.base.units import format_bytes, format_duration, format_rate
from core.boards.records import Board
from core.cli.command import Context
from core.cli.following import follow
from core.cli.models import model_facts
from core.convert.plan import plan_conversion
from core.convert.recipe import Recipe
from core.convert.records import Toolkit
from core.estimate.table import estimate_model
from core.hub.download import plan_download
from core.hub.order import library_download
from core.hub.records import SearchQuery
from core.monitor.sample import BoardSample
from core.monitor.sampler import BoardSampler
from core.serve.records import Answer
from core.services import Services
from core.showcase.parts import DEMO_REPO, DemoParts, prepare
from core.usecases.deployment import start_deploys
from core.usecases.doctor import diagnose
from core.usecases.serving import ask, serve, stop
from core.vendor.platforms import get_platform

PLATFORM, DTYPE, CONTEXT_TOKENS = "rk3588", "w8a8", 512
PROMPTS = ("Who stole the tarts?", "What did the Hatter say?", "Tell me about the Queen.")
_ANSWER_TOKENS = 96
_WATCH_S = 30.0


def walk(context: Context, parts: DemoParts) -> None:
    """Take the demo model from the demo hub to an answer of the demo board, printing each step.

    Raises:
        RKDeckError: as the stages do; `demo.nothing_found`, `demo.not_watched`.
    """
    began_s = time.monotonic()
    context.output.text(
        "RKDeck demo: hub, board, toolkit and runtime are SIMULATED stand-ins on this computer.\n"
    )
    toolkit, board = prepare(context.services, parts)
    _find(context)
    _estimate(context)
    rkllm = _convert(context, toolkit, _download(context))
    _tell_board(context, board, parts)
    _examine(context, board, rkllm)
    name = _deploy(context, board, rkllm)
    _serve_and_watch(context, board, name)
    _say(context, "done", f"the whole path in {format_duration(time.monotonic() - began_s)}")


def _say(context: Context, step: str, text: str, /, **figures: JsonValue) -> None:
    context.output.text(f"{step:>10}  {text}")
    context.output.event("step", **{"step": step, **figures})


def _find(context: Context) -> None:
    found = context.services.hub.search_page(SearchQuery("wonderland")).models
    if not found:
        raise RKDeckError("demo.nothing_found")
    model = found[0]
    count = f"{model.parameters:,}" if model.parameters else "unknown"
    _say(
        context, "found", f"{model.repo}: {count} parameters, on {context.services.hub.endpoint}",
        repo=model.repo, parameters=model.parameters,
    )  # fmt: skip


def _estimate(context: Context) -> None:
    facts = model_facts(context.services, DEMO_REPO)
    estimate = estimate_model(facts, get_platform(PLATFORM), context=CONTEXT_TOKENS)
    row = estimate.row(DTYPE)
    assert row is not None
    document = row.to_json()
    ram, size, thumb = (number(document[key]) for key in ("ram_bytes", "file_bytes", "rule_of_thumb_bytes"))
    _say(
        context,
        "estimated",
        f"{DTYPE} on {PLATFORM.upper()}, context {CONTEXT_TOKENS}: {format_bytes(ram)} RAM ({document['ram_basis']}), "
        f"{format_bytes(size)} file; rule of thumb {format_bytes(thumb)}; "
        f"{format_bytes(facts.bytes_fetched)} read to know it",
        **document,
    )


def _download(context: Context) -> Path:
    services = context.services
    plan = plan_download(services.hub.details(DEMO_REPO))
    handle = services.submit(library_download(services.paths.library, services.hub.endpoint, plan))
    result = follow(handle, context.output)
    fetched, seconds = number(result["bytes_fetched"]), number(result["seconds"])
    _say(
        context,
        "downloaded",
        f"{len(plan.files)} files, {format_bytes(fetched)} in {format_duration(seconds)}, every checksum right",
        **result,
    )
    return Path(str(result["path"]))


def _convert(context: Context, toolkit: Toolkit, folder: Path) -> Path:
    services = context.services
    recipe = Recipe(PLATFORM, DTYPE, CONTEXT_TOKENS)
    item = services.library.find_source(DEMO_REPO)
    handle = services.submit(
        plan_conversion(folder, recipe, toolkit, library_folder=services.paths.library, item=item)
    )
    result = follow(handle, context.output)
    size, seconds = number(result["size_bytes"]), number(result["seconds"])
    _say(
        context,
        "converted",
        f"{Path(str(result['path'])).name}: {format_bytes(size)}, {DTYPE}, by rkllm-toolkit "
        f"{result['toolkit_version']} (SIMULATED) in {format_duration(seconds)}",
        **result,
    )
    return Path(str(result["path"]))


def _tell_board(context: Context, board: Board, parts: DemoParts) -> None:
    facts, fingerprint = board.facts, parts.board["host_key_sha256"]
    assert facts is not None
    _say(
        context,
        "reached",
        f"{facts.title}: {facts.soc}, {facts.npu_cores} NPU cores, driver {facts.npu_driver} "
        f"{facts.npu_driver_version}, {format_bytes(facts.mem_available_bytes)} of "
        f"{format_bytes(facts.mem_total_bytes)} available, host key {fingerprint}",
        board=board.name,
    )


def _examine(context: Context, board: Board, rkllm: Path) -> None:
    found = diagnose(context.services, board.name, rkllm)
    counts = Counter(entry.verdict for entry in found.findings)
    shown = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
    _say(
        context, "examined",
        f"{len(found.findings)} checks of board and file in {format_duration(found.seconds)}: {shown}",
        board=board.name, verdict=found.verdict, **{f"{verdict}_count": counts[verdict] for verdict in counts},
    )  # fmt: skip


def _deploy(context: Context, board: Board, rkllm: Path) -> str:
    (job_id,) = start_deploys(context.services, rkllm, [board.name])
    handle = context.services.jobs.attach(job_id)
    result = follow(handle, context.output, board.name)
    sent, seconds = number(result["bytes_sent"]), number(result["transfer_seconds"])
    rate = format_rate(sent / seconds if sent and seconds else None)
    _say(
        context,
        "deployed",
        f"{result['name']}: {format_bytes(sent)} at {rate}, sha256 {str(result['sha256'])[:16]}… verified on the board",
        **result,
    )
    return str(result["name"])


def _serve_and_watch(context: Context, board: Board, name: str) -> None:
    """Serve, then ask in one thread while the sampler watches in this one."""
    services = context.services
    serving = serve(services, board.name, name)
    try:
        with services.connect(board) as watching:
            sampler = BoardSampler(watching, board.sysroot, board=board.name, serving_file=serving.state_file)
            with contextlib.closing(sampler), ThreadPoolExecutor(1, thread_name_prefix="demo-ask") as pool:
                before = sampler.sample()
                asking = pool.submit(_ask_all, services, board.name)
                busy = _busiest(sampler, asking)
                answers = asking.result()
    finally:
        stop(services, board.name)
    _tell_answers(context, answers)
    _tell_samples(context, before, busy)


def _ask_all(services: Services, board: str) -> list[Answer]:
    return [
        ask(services, board, [{"role": "user", "content": prompt}], max_tokens=_ANSWER_TOKENS)
        for prompt in PROMPTS
    ]


def _busiest(sampler: BoardSampler, asking: "Future[list[Answer]]") -> BoardSample:
    """The sample with the highest NPU load of the answers' time and the driver's next second."""
    best = sampler.sample()
    deadline = time.monotonic() + _WATCH_S
    while time.monotonic() < deadline and not (asking.done() and _load(best) > 0):
        time.sleep(0.25)
        best = max(best, sampler.sample(), key=_load)
    if _load(best) <= 0:
        asking.result()
        raise RKDeckError("demo.not_watched")
    return best


def _load(sample: BoardSample) -> float:
    return max(sample.npu_load_percent or (0,))


def _tell_answers(context: Context, answers: list[Answer]) -> None:
    for prompt, answer in zip(PROMPTS, answers, strict=True):
        text = " ".join(answer.text.split())
        rate = f"{answer.tokens_per_s:.0f} tokens/s" if answer.tokens_per_s else "unknown rate"
        first = "unknown" if answer.ttft_ms is None else f"{answer.ttft_ms:.1f} ms"
        _say(
            context,
            "answered",
            f"{prompt} -> {text[:70]}… ({answer.tokens} tokens, {rate}, first after {first})",
            prompt=prompt,
            **answer.to_json(),
        )


def _tell_samples(context: Context, before: BoardSample, busy: BoardSample) -> None:
    from core.cli.commands.monitor import describe

    _say(context, "watched", f"before: {describe(before, context.output)}", sample=before.to_json())
    _say(context, "watched", f"busy:   {describe(busy, context.output)}", sample=busy.to_json())
