"""`rkdeck analyze`: what fewer bits do to a model's weights, or to one tensor of it."""

import argparse
from pathlib import Path

from core.base.errors import JsonValue, RKDeckError, UsageError
from core.base.names import printable
from core.base.units import MIB, format_bytes, format_count
from core.cli.command import Command, Context
from core.cli.following import follow
from core.cli.models import existing_path, is_path
from core.cli.output import Output
from core.lab.analysis import Analysis
from core.lab.errors import LevelError, TensorErrors
from core.lab.suggest import Suggestion
from core.lab.summary import Gain
from core.library.records import LibraryItem
from core.services import Services
from core.words import word

_SUFFERING = 5


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("--tensor", metavar="NAME")
    parser.add_argument("--platform", metavar="P")
    parser.add_argument("--revision", metavar="R")
    parser.add_argument("--again", action="store_true")


def _run(context: Context) -> int:
    options = context.options
    source = _local(context.services, options.model)
    if options.tensor:
        return _run_tensor(context, source)
    if source is None:
        raise UsageError("cli.model_not_local", model=options.model)
    from core.usecases.lab import analyse_model, stored_analysis, suggestion
    from core.vendor.platforms import get_platform

    if options.platform:
        get_platform(options.platform)  # a wrong name is told before the work, not after it
    analysis = None if options.again else stored_analysis(context.services, source)
    if analysis is None:
        handle = analyse_model(context.services, source)
        context.output.note(context.output.tr("job {id}", id=handle.id))
        follow(handle, context.output)
        analysis = stored_analysis(context.services, source)
        if analysis is None:
            raise RKDeckError("lab.model_changed", model=options.model)
    advice = None
    try:
        advice = suggestion(context.services, source, analysis, options.platform)
    except RKDeckError as error:
        # The errors of the weights stand without an estimate.
        context.output.note(context.output.tr("no suggestion: {why}", why=context.output.sentence(error)))
    context.output.document(_document(options.model, analysis.tensors, analysis, advice))
    _show(context, analysis, advice)
    return 0


def _run_tensor(context: Context, source: LibraryItem | Path | None) -> int:
    from core.lab.records import HubModel
    from core.usecases.lab import analyze_tensor

    options, out = context.options, context.output

    def advance(done: int, total: int) -> None:
        share = f"{done / total:4.0%}"
        amounts = out.tr("{done} of {total}", done=format_bytes(done), total=format_bytes(total))
        out.progress(out.tr("Fetching {share} ({amounts})", share=share, amounts=amounts))

    where = source if source is not None else HubModel(options.model, options.revision)
    tensor = analyze_tensor(context.services, where, options.tensor, advance)
    out.document(_document(options.model, (tensor,), None, None))
    out.text(
        out.tr(
            "{name}: {kind}, {shape}, stored as {dtype}, {share} beyond 4 standard deviations of their channel",
            name=printable(tensor.name),
            kind=printable(tensor.kind),
            shape=" x ".join(map(str, tensor.shape)),
            dtype=tensor.dtype,
            share=_share(tensor.outlier_share, out),
        )
    )
    rows = [
        (
            level.dtype, f"{level.mse:.4g}", _db(level.sqnr_db, out), _cosine(level.cosine),
            f"{level.max_abs_error:.4g}", _worst(level, out),
        )
        for level in tensor.levels
    ]  # fmt: skip
    out.table(("LEVEL", "MSE", "SQNR dB", "COSINE", "MAX ERROR", "WORST CHANNEL"), rows, right=(1, 2, 3, 4))
    return 0


def _local(services: Services, model: str) -> LibraryItem | Path | None:
    """The model on this computer: a path, or a source in the library by its id, Hub id, path or title."""
    if is_path(model):
        return existing_path(model)
    return services.library.find_source(model)


def _document(
    model: str, tensors: tuple[TensorErrors, ...], analysis: Analysis | None, advice: Suggestion | None
) -> dict[str, JsonValue]:
    summary = analysis.levels if analysis is not None else tensors[0].levels
    document: dict[str, JsonValue] = {
        "model": model,
        "tensors": [tensor.to_json() for tensor in tensors],
        "levels": [level.to_json() for level in summary],
        "suggestion": _suggestion(advice),
    }
    if analysis is not None:
        document |= {
            "left_out": [left.to_json() for left in analysis.left_out],
            "kept": [kept.to_json() for kept in analysis.kept],
            "weights": analysis.weights,
            "bytes_read": analysis.bytes_read,
            "seconds": analysis.seconds,
        }
    return document


def _suggestion(advice: Suggestion | None) -> JsonValue:
    if advice is None:
        return None
    return {
        "dtype": advice.dtype,
        "reason": word(advice.reason)[0],
        "code": advice.reason.code,
        "platform": advice.platform,
        "hybrid_rate": advice.hybrid_rate,
        "partner": advice.partner,
        "price": advice.price.to_json(),
        "prices": [price.to_json() for price in advice.prices],
    }


def _show(context: Context, analysis: Analysis, advice: Suggestion | None) -> None:
    from core.lab.summary import group_gains, hardest, suffering

    out = context.output
    tr = out.tr
    out.text(
        tr(
            "{model}: {tensors} linear weights, {parameters} parameters, measured in {seconds} s; "
            "{kept} other tensors keep their precision",
            model=printable(context.options.model),
            tensors=len(analysis.tensors),
            parameters=format_count(analysis.weights),
            seconds=f"{analysis.seconds:.1f}",
            kept=len(analysis.kept),
        )
    )
    prices = {price.dtype: price for price in advice.prices} if advice else {}
    rows = []
    for level in analysis.levels:
        price = prices.get(level.dtype)
        rows.append(
            (
                level.dtype, f"{level.mse:.4g}", _db(level.sqnr_db, out), _cosine(level.cosine),
                f"{level.max_abs_error:.4g}",
                "-" if price is None or price.ram_bytes is None else f"{price.ram_bytes / MIB:.0f}",
                "-" if price is None or price.tokens_per_s is None else f"{price.tokens_per_s:.1f}",
                "-" if price is None or price.energy is None else f"{price.energy.joules * 1000:.3g}",
            )
        )  # fmt: skip
    header = ("LEVEL", "MSE", "SQNR dB", "COSINE", "MAX ERROR", "RAM MiB", "TOKENS/S", "mJ/TOKEN (estimate)")
    out.table(header, rows, right=(1, 2, 3, 4, 5, 6, 7))
    for left in analysis.left_out:
        out.text(tr("  {dtype} left out: {why}", dtype=left.dtype, why=out.sentence(left.problem)))
    for problem in analysis.problems:
        out.text(tr("  not measured: {why}", why=out.sentence(problem)))
    coarsest = hardest(analysis)
    worst = suffering(analysis, coarsest, _SUFFERING)
    if worst:
        named = ", ".join(_named(tensor, coarsest, out) for tensor in worst)
        out.text(tr("  suffer most at {level}: {tensors}", level=coarsest, tensors=named))
    gains = group_gains(analysis)
    if gains:
        won = ", ".join(_gain(gain, out) for gain in gains)
        out.text(tr("  groups buy beside {level}: {gains}", level=coarsest, gains=won))
    if advice is not None:
        rate = f" + hybrid_rate {advice.hybrid_rate:g} ({advice.partner})" if advice.partner else ""
        out.text(
            tr(
                "  suggested for {platform}: {dtype}. {why}",
                platform=advice.platform,
                dtype=advice.dtype + rate,
                why=out.sentence(advice.reason),
            )
        )


def _worst(level: LevelError, out: Output) -> str:
    if level.worst_channel is None:
        return "-"
    return f"{level.worst_channel} ({_db(level.worst_channel_sqnr_db, out)} dB)"


def _named(tensor: TensorErrors, level: str, out: Output) -> str:
    error = tensor.level(level)
    place = "" if tensor.layer is None else out.tr("layer {n}", n=tensor.layer) + " "
    return f"{place}{printable(tensor.kind)} {_db(error.sqnr_db if error else None, out)} dB"


def _gain(gain: Gain, out: Output) -> str:
    won = out.tr("nothing") if gain.gain_db is None else f"{gain.gain_db:+.2f} dB"
    return out.tr(
        "{size} {gain} for {bits} bit/weight", size=gain.group_size, gain=won, bits=f"{gain.extra_bits:g}"
    )


def _db(value: float | None, out: Output) -> str:
    return out.tr("exact") if value is None else f"{value:.2f}"


def _cosine(value: float | None) -> str:
    return "-" if value is None else f"{value:.6f}"


def _share(value: float | None, out: Output) -> str:
    return out.tr("unknown") if value is None else f"{100 * value:.4f} %"


COMMANDS = (Command("analyze", _configure, _run),)
