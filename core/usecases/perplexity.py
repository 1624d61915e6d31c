"""Perplexity as a front end uses it: texts, the start of a measurement, what was measured before."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from core.base.errors import JsonValue, RefusedError, RKDeckError, UsageError
from core.base.opening import is_missing
from core.convert.calibration import check_calibration
from core.convert.host import measure_host
from core.convert.plan import calls
from core.convert.recipe import Recipe
from core.estimate.table import group_refusal, support_reason
from core.lab.perplexity import texts
from core.lab.perplexity.figures import DEFAULT_WINDOW, PerplexityResult, spans
from core.lab.perplexity.fingerprint import fingerprint
from core.lab.perplexity.order import Engine, PerplexityOrder
from core.lab.perplexity.records import PerplexityRun
from core.lab.perplexity.texts import LabText, text_file
from core.library.cached import folder_title
from core.library.records import LibraryItem
from core.model.facts import ModelFacts, why_no_source, without_tokenizer
from core.model.shape import ModelShape, build_shape
from core.model.tokenizing import ModelTokenizer
from core.services import Services
from core.usecases.library import local_facts
from core.vendor.levels import Level, get_level, usual_levels
from core.vendor.platforms import Platform, context_limits, get_platform, load_platforms

if TYPE_CHECKING:
    from core.jobs.manager import JobHandle

# The model in float32, its originals in 16 bits, and torch with what it keeps of a window.
_TORCH_BYTES_PER_PARAMETER = 6
_TORCH_BYTES = 1 << 30
_MOST_ANSWER_TOKENS = 1024
_MOST_PROMPT_CHARACTERS = 8000


@dataclass(frozen=True, slots=True)
class PerplexityOptions:
    """What to measure.

    Attributes:
        levels: names of levels, None for the usual ones; unquantized ones are measured first, for the others
            to be compared with. The toolkit builds none but its own, and of the usual levels those.
        text: name of a built-in text, a file, or None for the first built-in one.
        window: tokens of a window, None for 256 or the model's context if that is less.
        stride: tokens between the beginnings of windows, None for separate windows.
        windows: most windows, None for the whole text.
        prompt: is answered greedily at each level; None for no answers.
        answer_tokens: most tokens of an answer.
        engine: "auto" takes our own forward pass for small models it knows, torch for all others; "toolkit" takes
            what rkllm-toolkit computes after its own build of each level (its `get_logits`), without answers.
        python: the interpreter with torch and transformers, or of the toolkit; None takes the newest toolkit
            that has what is needed.
        device: where torch or the toolkit computes.
        platform: the toolkit builds for; None takes the first that has the level.
        dataset: calibration data for the toolkit's builds.
        force: start although memory seems too small.
    """

    levels: tuple[str, ...] | None = None
    text: str | Path | None = None
    window: int | None = None
    stride: int | None = None
    windows: int | None = None
    prompt: str | None = None
    answer_tokens: int = 48
    engine: Literal["auto", "numpy", "torch", "toolkit"] = "auto"
    python: Path | None = None
    device: Literal["cpu", "cuda"] = "cpu"
    platform: str | None = None
    dataset: Path | None = None
    force: bool = field(default=False, kw_only=True)


def builtin_texts() -> tuple[LabText, ...]:
    """The texts that come with RKDeck, the default first."""
    return texts.builtin_texts()


def start_perplexity(services: Services, item_id: str, options: PerplexityOptions) -> str:
    """Start measuring a model of the library; returns the job's id. It goes on without the front end.

    Raises:
        UsageError: `library.unknown` and those of `measure`.
        RefusedError: `perplexity.needs_source` for a converted file, and those of `measure`.
    """
    item = services.library.get(item_id)
    return measure(services, item.path, options, item=item).id


def measure(
    services: Services, folder: Path, options: PerplexityOptions, *, item: LibraryItem | None = None
) -> "JobHandle":
    """Check what can be checked, then start the job, for who wants to follow it.

    Raises:
        UsageError: `quantization.unknown_level`, `perplexity.bad_window`, `perplexity.bad_option`.
        RefusedError: `perplexity.needs_source`, `perplexity.text_*`, `perplexity.window_too_long`,
            `perplexity.group_size`, `perplexity.numpy_cannot`, `perplexity.no_python`,
            `perplexity.not_enough_memory`; as `core.model.facts.why_no_source`
            and `without_tokenizer`.
        RKDeckError: what is wrong with the model's files.
    """
    if item is not None and not item.is_source:
        raise RefusedError("perplexity.needs_source", model=item.title)
    if item is None:
        item = services.library.find(str(folder.absolute()))
    facts = local_facts(folder)
    shape = build_shape(facts)
    levels = _levels(options)
    _check_options(options)
    _check_levels(facts, shape, levels)
    window, stride = _window(options, shape)
    text = _text(options.text)
    engine = _engine(options, folder, facts)
    order = PerplexityOrder(
        source=folder.absolute(),
        item=item.id if item else None,
        title=item.title if item else folder_title(folder),
        revision=item.revision if item else None,
        fingerprint=fingerprint(folder),
        text_name=text.name,
        text_path=text.path,
        text_language=text.language,
        text_sha256=text.sha256,
        window=window,
        stride=stride,
        limit=options.windows,
        levels=tuple(level.name for level in levels),
        prompt=options.prompt,
        answer_tokens=options.answer_tokens,
        engine=engine,
        python=_python(services, options) if engine == "torch" else None,
        device=options.device if engine != "numpy" else "cpu",
    )
    if engine == "toolkit":
        order = _with_toolkit(services, order, options, shape)
    if engine != "numpy" and not options.force:
        _check_memory(services, shape)
    return services.submit(order)


def stored_perplexity(services: Services, item: LibraryItem) -> tuple[PerplexityRun, ...]:
    """What was measured of a model, the newest run first; a run of other files is marked as not current."""
    return stored_for_folder(services, item.path, item)


def stored_for_folder(
    services: Services, folder: Path, item: LibraryItem | None = None
) -> tuple[PerplexityRun, ...]:
    """The same for a model folder that may not be in the library."""
    try:
        now = fingerprint(folder) if folder.is_dir() else None
    except RKDeckError:
        now = None
    source = folder.absolute()
    return services.perplexities.runs(item.id if item else None, source, now)


def newest_run(runs: Iterable[PerplexityRun]) -> PerplexityRun | None:
    """The newest run of the model as it is now."""
    return next((run for run in runs if run.current), None)


def perplexity_by_level(runs: Iterable[PerplexityRun]) -> dict[str, PerplexityResult]:
    """The results to show beside the estimate's levels: those of the newest run of the model as it is now.

    Results of different texts or windows are not comparable, so they are never mixed.
    """
    newest = newest_run(runs)
    return {} if newest is None else {result.level: result for result in newest.results}


def _levels(options: PerplexityOptions) -> tuple[Level, ...]:
    if options.levels is not None:
        found = list(dict.fromkeys(get_level(name) for name in options.levels))
    else:
        # The toolkit has no logits of the model as it was.
        found = [level for level in usual_levels() if level.quantized or options.engine != "toolkit"]
    if not found:
        raise UsageError("perplexity.bad_option", option="level", value=None)
    return tuple(sorted(found, key=lambda level: level.bits < 16))


def _check_options(options: PerplexityOptions) -> None:
    if not 1 <= options.answer_tokens <= _MOST_ANSWER_TOKENS:
        raise UsageError("perplexity.bad_option", option="answer_tokens", value=options.answer_tokens)
    if options.prompt is not None and not 0 < len(options.prompt.strip()) <= _MOST_PROMPT_CHARACTERS:
        raise UsageError("perplexity.bad_option", option="prompt", value=len(options.prompt))


def _check_levels(facts: ModelFacts, shape: ModelShape, levels: tuple[Level, ...]) -> None:
    refusal = why_no_source(facts) or without_tokenizer(facts)
    if refusal is not None:
        raise refusal
    for level in levels:
        bad = shape.indivisible_by(level.group_size, inputs=True) if level.group_size else None
        if bad is not None:
            assert level.group_size is not None
            refused = group_refusal(bad.name, bad.outputs, bad.inputs, level.group_size)
            if refused is not None:
                raise RefusedError("lab.toolkit_refuses", reason=refused.to_json())
            raise RefusedError(
                "perplexity.group_size",
                tensor=bad.name, group_size=level.group_size, inputs=bad.inputs,
            )  # fmt: skip


def _window(options: PerplexityOptions, shape: ModelShape) -> tuple[int, int]:
    context = shape.max_positions
    window = options.window
    if window is None:
        window = DEFAULT_WINDOW if context is None else min(DEFAULT_WINDOW, context)
    stride = window if options.stride is None else options.stride
    spans(0, window, stride, options.windows)  # for its checks
    if context is not None and window > context:
        raise RefusedError("perplexity.window_too_long", window=window, context=context)
    return window, stride


def _text(wanted: str | Path | None) -> LabText:
    if isinstance(wanted, Path):
        if is_missing(wanted):
            raise UsageError("convert.input_missing", path=str(wanted))
        return text_file(wanted)
    known = builtin_texts()
    if wanted is None:
        return known[0]
    found = texts.builtin_text(wanted)
    if found is None:
        raise UsageError("perplexity.no_such_text", text=wanted, known=", ".join(text.name for text in known))
    return found


def _engine(options: PerplexityOptions, folder: Path, facts: ModelFacts) -> Engine:
    if options.engine in {"torch", "toolkit"}:
        return options.engine
    from core.lab.perplexity.checkpoint import numpy_can

    can = numpy_can(folder, facts)
    if options.engine == "numpy" and not can:
        raise RefusedError("perplexity.numpy_cannot")
    return "numpy" if can else "torch"


def _python(services: Services, options: PerplexityOptions) -> Path:
    if options.python is not None:
        return options.python.absolute()
    for toolkit in services.toolkits.list():
        companions = toolkit.facts.get("companions")
        if isinstance(companions, dict) and companions.get("torch") and companions.get("transformers"):
            return toolkit.python
    raise RefusedError("perplexity.no_python")


def _with_toolkit(
    services: Services, order: PerplexityOrder, options: PerplexityOptions, shape: ModelShape
) -> PerplexityOrder:
    """The order with the toolkit's calls for each level."""
    if options.prompt is not None:
        raise UsageError("perplexity.bad_option", option="prompt", value="toolkit")
    toolkit = services.toolkits.choose(None if options.python is None else str(options.python))
    prefix = ModelTokenizer(order.source).prefix()
    limits = context_limits()
    steps = math.ceil((order.window + len(prefix)) / limits.multiple)
    context = max(limits.min, steps * limits.multiple)
    _check_dataset(options, context, order.source)
    made: dict[str, JsonValue] = {}
    for level in order.levels_found():
        recipe = Recipe(
            _platform(shape, level, options.platform).name, level.name,
            context, dataset=options.dataset, device=options.device,
        )  # fmt: skip
        # The last call is the export.
        made[level.name] = list[JsonValue](calls(order.source, recipe, toolkit.version)[:-1])
    facts: dict[str, JsonValue] = {
        "toolkit": toolkit.version, "simulated": toolkit.simulated, "device": options.device,
        "platform": options.platform, "dataset": options.dataset.name if options.dataset else None,
    }  # fmt: skip
    return replace(order, python=toolkit.python, calls=made, toolkit=facts)


def _check_dataset(options: PerplexityOptions, context: int, folder: Path) -> None:
    """Refuse calibration data as a conversion does."""
    if options.dataset is None:
        return
    if is_missing(options.dataset):
        raise UsageError("convert.input_missing", path=str(options.dataset))
    found = check_calibration(options.dataset, context, folder)
    for error in found.errors + (() if options.force else found.long):
        raise error


def _platform(shape: ModelShape, level: Level, wanted: str | None) -> Platform:
    choice = load_platforms().values() if wanted is None else (get_platform(wanted),)
    for platform in choice:
        if support_reason(shape, platform, level) is None:
            return platform
    asked = next(iter(choice))
    reason = support_reason(shape, asked, level)
    raise RefusedError(
        "convert.unsupported",
        dtype=level.name, platform=asked.display_name, reason=reason.to_json() if reason else None,
    )  # fmt: skip


def _check_memory(services: Services, shape: ModelShape) -> None:
    needed_bytes = _TORCH_BYTES + _TORCH_BYTES_PER_PARAMETER * shape.parameters
    available_bytes = measure_host(services.paths.home).ram_available_bytes
    if available_bytes is not None and available_bytes < needed_bytes:
        raise RefusedError(
            "perplexity.not_enough_memory",
            needed_bytes=needed_bytes,
            available_bytes=available_bytes,
        )
