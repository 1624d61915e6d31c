"""`rkdeck perplexity`: how much worse a model guesses with fewer bits, measured."""

import argparse
from pathlib import Path

from core.base.errors import JsonValue
from core.base.foreign import number
from core.base.names import printable
from core.base.units import format_duration
from core.cli.command import Command, Context
from core.cli.following import run_job
from core.cli.output import Output


def _configure(parser: argparse.ArgumentParser) -> None:
    from core.vendor.levels import usual_levels

    parser.add_argument("model", metavar="MODEL")
    parser.add_argument(
        "--level", metavar="L", action="append", nargs="+",
        help=" ".join(level.name for level in usual_levels()),
    )  # fmt: skip
    parser.add_argument("--text", metavar="F")
    parser.add_argument("--window", type=int, metavar="N")
    parser.add_argument("--stride", type=int, metavar="N")
    parser.add_argument("--windows", type=int, metavar="N")
    parser.add_argument("--prompt", metavar="TEXT")
    parser.add_argument("--answer-tokens", type=int, default=48, metavar="N")
    parser.add_argument("--engine", choices=("auto", "numpy", "torch", "toolkit"), default="auto")
    parser.add_argument("--python", metavar="PYTHON")
    parser.add_argument("--platform", metavar="P")
    parser.add_argument("--dataset", metavar="F")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--force", action="store_true")
    parser.add_argument("--stored", action="store_true")


def _run(context: Context) -> int:
    from core.cli.models import local_source
    from core.usecases.perplexity import PerplexityOptions, measure

    options, services = context.options, context.services
    folder, item = local_source(services, options.model)
    if options.stored:
        return _show_stored(context)
    levels = tuple(level for group in options.level or [] for level in group)
    wanted = PerplexityOptions(
        text=_text(options.text),
        window=options.window,
        stride=options.stride,
        windows=options.windows,
        prompt=options.prompt,
        answer_tokens=options.answer_tokens,
        engine=options.engine,
        python=Path(options.python) if options.python else None,
        device=options.device,
        platform=options.platform,
        dataset=Path(options.dataset) if options.dataset else None,
        force=options.force,
        levels=levels or None,
    )
    handle = measure(services, folder, wanted, item=item)
    result = run_job(handle, context.output)
    if not isinstance(result, dict):
        return result.exit_code
    _show(context, result)
    return 0


def _text(text: str | None) -> str | Path | None:
    """A built-in name, or a file: what is no built-in name and looks like one is told as such."""
    from core.cli.models import is_path
    from core.usecases.perplexity import builtin_texts

    if text is None or any(known.name == text for known in builtin_texts()):
        return text
    return Path(text) if is_path(text) or Path(text).exists() else text


def _show_stored(context: Context) -> int:
    from core.cli.models import local_source
    from core.usecases.perplexity import stored_for_folder

    folder, item = local_source(context.services, context.options.model)
    if item is None:
        item = context.services.library.find(str(folder))
    runs = stored_for_folder(context.services, folder, item)
    context.output.result({"runs": [run.to_json() for run in runs]})
    for run in runs:
        _show(context, run.to_json())
        if not run.current:
            changed = context.output.tr("the model's files have changed since")
            context.output.text("  " + context.output.tr("note: {text}", text=changed))
    if not runs:
        context.output.text(context.output.tr("nothing was measured yet"))
    return 0


def _show(context: Context, run: dict[str, JsonValue]) -> None:
    out = context.output
    text, levels, answers = run["text"], run["levels"], run["answers"]
    assert isinstance(text, dict)
    assert isinstance(levels, list)
    assert isinstance(answers, list)
    out.text(
        out.tr(
            "{model}: perplexity on the text {text}, {windows} windows of {window} tokens, {engine}",
            model=printable(str(run["title"])),
            text=printable(str(text["name"])),
            windows=run["windows"],
            window=run["window"],
            engine=run["engine"],
        )
        + _marked(run["engine_facts"], out)
    )
    rows = [_row(level, out) for level in levels if isinstance(level, dict)]
    header = ("LEVEL", "PERPLEXITY", "95 %", "RATIO", "RATIO 95 %", "TOKENS", "TIME")
    out.table(header, rows, right=(1, 2, 3, 4, 5, 6))
    for answer in answers:
        if isinstance(answer, dict):
            out.text(f"  {answer['level']}: {printable(str(answer['text']), limit=2000)}")


def _marked(facts: JsonValue, out: Output) -> str:
    simulated = isinstance(facts, dict) and facts.get("simulated") is True
    return "  " + out.tr("(SIMULATED toolkit)") if simulated else ""


def _row(level: dict[str, JsonValue], out: Output) -> tuple[str, ...]:
    simulated = "  " + out.tr("(8-bit inputs simulated)") if level["simulated_activations"] else ""
    name = str(level["level"]) + simulated
    return (
        name,
        _figure(level["perplexity"], 3),
        _bounds(level["low"], level["high"], 1),
        _figure(level["ratio"], 4),
        _bounds(level["ratio_low"], level["ratio_high"], 4),
        f"{level['tokens']}",
        format_duration(number(level["seconds"])),
    )


def _figure(value: JsonValue, digits: int) -> str:
    known = number(value)
    return "-" if known is None else f"{known:.{digits}f}"


def _bounds(low: JsonValue, high: JsonValue, digits: int) -> str:
    return "-" if low is None or high is None else f"{_figure(low, digits)}..{_figure(high, digits)}"


COMMANDS = (Command("perplexity", _configure, _run, lines=True),)
