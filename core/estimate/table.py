"""The estimate of a model on a platform, level by level."""

from dataclasses import dataclass

from core.base.errors import UsageError
from core.base.names import printable
from core.base.notes import Note, note
from core.estimate import memory, speed
from core.estimate.constants import estimate_limits, ttft_constants
from core.estimate.fit import BoardNow, fit_board, fits_boards
from core.estimate.records import Basis, Confidence, Estimate, Fit, LevelEstimate, Number
from core.estimate.support import Known, Support, support
from core.model.facts import ModelFacts
from core.model.files import WITH_HEADERS, WeightsKind
from core.model.shape import ModelShape, build_shape
from core.vendor.levels import Level, load_levels
from core.vendor.platforms import Platform, context_limits

# Weights the toolkit is not given: they have a road of their own to a board, or none.
_OTHER_WEIGHTS: dict[WeightsKind, str] = {
    "rkllm": "weights_rkllm", "gguf": "weights_gguf", "onnx": "weights_onnx", "pickle": "weights_pickle",
    "variant": "weights_variant", "layout": "weights_layout",
    "adapter": "weights_adapter", "none": "weights_none", "unindexed": "weights_unindexed",
    "pipeline": "weights_pipeline", "folder": "weights_folder",
    "other": "weights_other",
}  # fmt: skip

# Models refused before they are estimated; ready-made files are no refusal to whoever looks for a model to run.
_REFUSALS = {
    "model.adapter_only": "weights_adapter", "model.adapter_without_base": "weights_adapter",
    "model.adapter_unmerged": "weights_unmerged", "model.wrapped": "weights_wrapped",
    "model.misnamed": "weights_misnamed", "model.incomplete": "weights_incomplete",
    "model.gguf_only": "weights_gguf",
    "model.onnx_only": "weights_onnx", "model.pickle_only": "weights_pickle",
    "model.variant_only": "weights_variant", "model.layout_only": "weights_layout",
    "model.unindexed": "weights_unindexed", "model.pipeline": "weights_pipeline",
    "model.in_folder": "weights_folder", "model.other_form": "weights_other",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Question:
    """One question: this model, on this platform, so long a context, so long a prompt."""

    shape: ModelShape
    platform: Platform
    context: int
    cores: int
    prompt: int
    board_ram_bytes: int | None
    now: BoardNow | None
    confidence: Confidence


def estimate_model(
    facts: ModelFacts,
    platform: Platform,
    *,
    context: int = 4096,
    cores: int | None = None,
    prompt: int = 128,
    board_ram_bytes: int | None = None,
    now: BoardNow | None = None,
    shape: ModelShape | None = None,
) -> Estimate:
    """Estimate every level of a model on a platform.

    Args:
        facts: config.json and tensor headers.
        platform: the SoC.
        context: max_context in tokens, 32 to 16384 in steps of 32.
        cores: NPU cores; None is all.
        prompt: tokens of the prompt, for speed and time to first token.
        board_ram_bytes: MemTotal of a board to judge the fit for; None leaves `fit` empty.
        now: what is free on that board at this moment, when it is connected.
        shape: of `facts`, built before: who slides the context should not build it at every step.

    Raises:
        RefusedError: `estimate.bad_context`, `estimate.bad_cores`.
        UsageError: `estimate.bad_prompt`.
        RKDeckError: `estimate.bad_shape`, `estimate.no_shapes`.
    """
    context_limits().check(context)
    used_cores = platform.check_cores(cores)
    if not 1 <= prompt <= context:
        raise UsageError("estimate.bad_prompt", prompt=prompt, context=context)
    shape = build_shape(facts) if shape is None else shape
    confidence = _confidence(shape, platform, context, used_cores)
    question = _Question(shape, platform, context, used_cores, prompt, board_ram_bytes, now, confidence)
    return Estimate(
        model=facts.model,
        architecture=shape.architecture,
        parameters=shape.parameters,
        platform=platform.name,
        context=context,
        prompt=prompt,
        cores=used_cores,
        confidence=confidence,
        notes=shape.notes + _notes(question),
        convert_host_ram_bytes=memory.convert_host_ram_bytes(shape),
        bytes_fetched=facts.bytes_fetched,
        rows=tuple(_row(question, level) for level in load_levels()),
    )


def support_reason(shape: ModelShape, platform: Platform, level: Level) -> Note | None:
    """Return why the toolkit does not make this level of this model for this platform, None when it does."""
    if level.kind == "reference":
        return note("reference")
    if level.name not in platform.dtypes:
        if level.name in platform.refusals:
            return platform.refusals[level.name]
        return note("dtype", dtype=level.name, platform=platform.display_name)
    other = whole_refusal(shape)
    if other is not None:
        return other
    if not shape.known:
        return note("architecture", architecture=shape.architecture)
    return _group_reason(shape, level.group_size) if level.group_size is not None else None


def whole_refusal(shape: ModelShape) -> Note | None:
    """Return why no level is made of a model's files as they are, whatever the platform; None where one may be."""
    if shape.config_encoding is not None and shape.weights in WITH_HEADERS:
        return note("config_encoding", encoding=shape.config_encoding)
    if shape.odd_classes and shape.weights in WITH_HEADERS:
        return note("odd_architectures")
    return other_weights(shape.weights, shape.quantization)


def refusal_reason(code: str) -> Note | None:
    """Return why no level is made of a model that was refused with a code; None for what says nothing of it."""
    reason = _REFUSALS.get(code)
    return None if reason is None else note(reason)


def other_weights(weights: WeightsKind | None, quantization: str | None) -> Note | None:
    """Return why no level is made of such weights, None for a model's own, unpacked ones.

    Args:
        weights: their form, None while nobody knows.
        quantization: how they are packed already, None when they are not.
    """
    other = None if weights is None else _OTHER_WEIGHTS.get(weights)
    if other is not None:
        return note(other)
    return None if quantization is None else note("quantized", method=quantization)


def _group_reason(shape: ModelShape, group_size: int) -> Note | None:
    inputs = estimate_limits().groups_divide_inputs
    layer = shape.indivisible_by(group_size, inputs=inputs)
    return None if layer is None else group_refusal(layer.name, layer.outputs, layer.inputs, group_size)


def group_refusal(tensor: str, outputs: int, inputs: int, group_size: int) -> Note | None:
    """Return why the toolkit makes no groups of this size of a linear weight (outputs, inputs); None when it does."""
    size, dimension = (inputs, "inputs") if estimate_limits().groups_divide_inputs else (outputs, "outputs")
    if size % group_size == 0:
        return None
    return note("group", group=group_size, size=size, dimension=dimension, tensor=printable(tensor))


def _row(question: _Question, level: Level) -> LevelEstimate:
    shape, platform = question.shape, question.platform
    reason = support_reason(shape, platform, level)
    parts = _parts(question, level, question.context)
    ram = _ram(question, level, parts)
    counted = shape.modelled
    return LevelEstimate(
        dtype=level.name,
        kind=level.kind,
        bits=level.bits,
        supported=reason is None,
        reason=reason,
        rule_of_thumb_bytes=round(shape.parameters * level.rule_of_thumb_bytes_per_parameter),
        weights_bytes=memory.weights_bytes(shape, level),
        kv_cache_bytes=parts.kv_cache_bytes if parts else None,
        overhead_bytes=parts.overhead_bytes if parts else None,
        ram=ram,
        npu_bytes=_npu_bytes(question, level),
        file_bytes=memory.file_bytes(shape, level) if counted or level.kind == "reference" else None,
        tokens_per_s=_tokens_per_s(question, level),
        ttft_ms=_ttft(question, level),
        fits=fits_boards(int(ram.value), int(ram.high)) if ram else None,
        fit=_fit(question, level, reason, ram),
    )


def _npu_bytes(question: _Question, level: Level) -> int | None:
    if _facts(question, level).npu is None:
        return None
    return memory.npu_bytes(question.shape, level, cores=question.cores)


def _facts(question: _Question, level: Level) -> Support:
    return support(question.platform.name, question.cores, level.name)


def _parts(question: _Question, level: Level, context: int) -> memory.MemoryParts | None:
    if level.kind == "rkllm" and _facts(question, level).ram is None:
        return None
    return memory.memory_parts(
        question.shape, level, question.platform, context=context, cores=question.cores
    )


def _ram(question: _Question, level: Level, parts: memory.MemoryParts | None) -> Number | None:
    if parts is None:
        return None
    low, high = memory.ram_interval(parts.ram_bytes, level, certain=question.confidence == "calibrated")
    basis = "definition" if level.kind == "reference" else _basis(question, _facts(question, level).ram)
    return Number(parts.ram_bytes, low, high, basis)


def _tokens_per_s(question: _Question, level: Level) -> Number | None:
    known = _facts(question, level).tokens_per_s
    if known is None:
        return None
    basis = _basis(question, known)
    found = speed.tokens_per_s(
        question.shape,
        level,
        question.platform,
        cores=question.cores,
        prompt=question.prompt,
        certain=basis == "calibrated",
    )
    return Number(found.value, found.low, found.high, basis) if found else None


def _ttft(question: _Question, level: Level) -> Number | None:
    known = _facts(question, level).ttft
    if known is None:
        return None
    basis = _basis(question, known)
    found = speed.ttft_ms(
        question.shape,
        level,
        question.platform,
        cores=question.cores,
        prompt=question.prompt,
        certain=basis == "calibrated",
    )
    if found is None:
        return None
    measured_so = question.prompt == ttft_constants().prompt
    return Number(found.value, found.low, found.high, basis if measured_so else "extrapolated")


def _basis(question: _Question, known: Known | None) -> Basis:
    return "calibrated" if known == question.confidence == "calibrated" else "extrapolated"


def _fit(question: _Question, level: Level, reason: Note | None, ram: Number | None) -> Fit | None:
    have = question.board_ram_bytes
    if have is None or level.kind == "reference":
        return None
    if reason is not None:
        return Fit("no", reason, None)
    if ram is None:
        return None
    return fit_board(
        int(ram.value), int(ram.high), have, lambda context: _ram_at(question, level, context), question.now
    )


def _ram_at(question: _Question, level: Level, context: int) -> int:
    parts = _parts(question, level, context)
    return parts.ram_bytes if parts else 0


def _confidence(shape: ModelShape, platform: Platform, context: int, cores: int) -> Confidence:
    if not (shape.modelled and shape.known):
        return "uncalibrated"
    near = (
        shape.benchmarked
        and shape.from_headers
        and context <= estimate_limits().max_context
        and cores == platform.npu_cores_max
        and not _is_large(shape, platform)
        and shape.w_linear >= estimate_limits().min_linear
    )
    return "calibrated" if near else "extrapolated"


def _is_large(shape: ModelShape, platform: Platform) -> bool:
    known = estimate_limits()
    return shape.w_linear > (known.max_linear_one_core if platform.npu_cores_max == 1 else known.max_linear)


def _notes(question: _Question) -> tuple[Note, ...]:
    shape, platform, known = question.shape, question.platform, estimate_limits()
    notes: list[Note] = []
    if shape.max_positions is not None and question.context > shape.max_positions:
        notes.append(note("beyond_model", positions=shape.max_positions, context=question.context))
    if question.context > known.max_context:
        notes.append(note("long_context", limit=known.max_context))
    if question.cores < platform.npu_cores_max:
        notes.append(note("fewer_cores", max=platform.npu_cores_max, cores=question.cores))
    if _is_large(shape, platform):
        notes.append(note("large_model"))
    if shape.w_linear < known.min_linear:
        notes.append(note("small_model"))
    if question.prompt != ttft_constants().prompt:
        notes.append(note("other_prompt", benchmark=ttft_constants().prompt, prompt=question.prompt))
    width = (shape.kv_elements_per_token or 0) // (2 * shape.layers)
    if shape.modelled and width < known.min_kv_width:
        notes.append(note("narrow_kv", width=width, minimum=known.min_kv_width))
    notes.append(note("convert_ram"))
    return tuple(notes)
