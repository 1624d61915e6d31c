"""Words for the laboratory's perplexity."""

_FAULT = "This is a fault in RKDeck; please report it."

MESSAGES: dict[str, tuple[str, str]] = {
    "perplexity.bad_window": (
        "Windows of {window} tokens every {stride} tokens, at most {windows} of them, cannot be measured.",
        "A window has at least 2 tokens, the step between windows is 1 to a window, and at least one is measured.",
    ),
    "perplexity.bad_option": (
        "The option {option} cannot be {value}.",
        "`rkdeck perplexity --help` tells what it takes.",
    ),
    "perplexity.bad_journal": (
        "Line {line} of {file} is no finished window.",
        "The file is damaged: start the measurement again instead of going on.",
    ),
    "perplexity.cannot_write": (
        "A finished window could not be written to {file}: {reason}.",
        "Make room on the disk, then go on with `rkdeck jobs retry`: what was written before counts.",
    ),
    "perplexity.no_text": ("There is no built-in text {text}.", _FAULT),
    "perplexity.no_such_text": (
        "There is no text named {text}.",
        "Built in are {known}; a file is given with its path, as in ./text.txt.",
    ),
    "perplexity.text_unreadable": (
        "The text {path} cannot be read: {reason}.",
        "Choose a plain text file you may read.",
    ),
    "perplexity.text_too_large": (
        "The text {text} is larger than {limit_bytes} bytes.",
        "A few ten thousand bytes are enough: take a piece of it.",
    ),
    "perplexity.text_not_utf8": (
        "The text {text} is not plain UTF-8: byte {position} does not belong there.",
        "Save it as UTF-8 text; PDF and Word files are no text.",
    ),
    "perplexity.text_too_short": (
        "The text {text} has {found} characters; at least {needed} are needed.",
        "Take a longer text: some ten thousand characters give a figure one can rely on.",
    ),
    "perplexity.text_too_few_tokens": (
        "The text {text} gives {tokens} tokens; at least {needed} must be predicted.",
        "Take a longer text, or more windows.",
    ),
    "perplexity.text_changed": (
        "The text {text} is not the one the measurement was started with.",
        "Start a new measurement on the text as it is now.",
    ),
    "perplexity.model_changed": (
        "The files of {model} are not those the measurement was started with.",
        "Windows of two models must not be mixed: start a new measurement.",
    ),
    "perplexity.engine_changed": (
        "The programs that compute have changed since the measurement of {model} was started.",
        "Windows of two versions must not be mixed: start a new measurement.",
    ),
    "perplexity.model_unreadable": (
        "The model in {path} cannot be read: {reason}.",
        "Check that the folder is there and that you may read it.",
    ),
    "perplexity.needs_source": (
        "{model} is a converted file; perplexity is measured on the model it was made from.",
        "Choose the source model in the library; its levels show what each conversion costs.",
    ),
    "perplexity.already_quantized": (
        "The model's weights are already quantized ({how}).",
        "Measure the original model: what was lost before cannot be seen from this one.",
    ),
    "perplexity.window_too_long": (
        "Windows of {window} tokens do not fit into the model's context of {context}.",
        "Choose a shorter window.",
    ),
    "perplexity.group_size": (
        "Groups of {group_size} weights do not divide the {inputs} inputs of {tensor}.",
        "Choose a level with another group size, or one without groups.",
    ),
    "perplexity.dtype_unknown": (
        "The tensor {tensor} is stored as {dtype}, which is not computed with here.",
        "Measure with torch (--engine torch), or take a checkpoint in 16 or 32 bits.",
    ),
    "perplexity.bad_tokenizer": (
        "The model's {file} cannot be used: {reason}.",
        "Download the model again; `rkdeck library verify` tells whether the file is whole.",
    ),
    "perplexity.weights_not_finite": (
        "{count} weights of {tensor} are infinite or not a number.",
        "Such a model gives no answers: the file is damaged, verify the download.",
    ),
    "perplexity.weights_too_large": (
        "A weight of {tensor} is too large for float32 arithmetic.",
        "The file is most likely damaged: verify the download.",
    ),
    "perplexity.beyond_float16": (
        "{count} weights of {tensor} are beyond the range of float16.",
        "Choose bf16 in place of fp16.",
    ),
    "perplexity.not_finite": (
        "At {level} the model's scores are not usable numbers (window {window}).",
        "Its arithmetic overflows at this level, or its files are damaged: try fp16, and verify the download.",
    ),
    "perplexity.no_linear": (
        "The model has no linear layers that could be quantized.",
        "Perplexity per level is for language models whose layers are ordinary matrices.",
    ),
    "perplexity.numpy_cannot": (
        "RKDeck's own forward pass does not know this model, or it is too large for it.",
        "Leave --engine out, and give a Python that has torch with --python.",
    ),
    "perplexity.no_python": (
        "This model needs torch, and no toolkit you added has torch and transformers.",
        "Add one with `rkdeck toolkit add PYTHON`, or name any Python that has both with --python.",
    ),
    "perplexity.python_gone": (
        "The Python {python} cannot be started: {reason}.",
        "Give an interpreter that has torch and transformers with --python.",
    ),
    "perplexity.packages_missing": (
        "{python} cannot import {missing}: {reason}",
        "Install it there: {python} -m pip install torch transformers",
    ),
    "perplexity.no_cuda": (
        "No CUDA device is seen by the torch of {python}.",
        "Measure on the processor (--device cpu), or install torch with CUDA there.",
    ),
    "perplexity.model_refused": (
        "The model cannot be loaded by the transformers of {python}: {reason}",
        "It may be too old for the model, or the model needs code of its authors, which RKDeck does not run.",
    ),
    "perplexity.not_enough_memory": (
        "Measuring takes about {needed_gib} GiB of memory; {available_gib} GiB are free.",
        "Close other programs, take a smaller model, or use --force (it may be killed).",
    ),
    "perplexity.out_of_memory": (
        "The program that computes was killed during {stage}.",
        "Mostly the computer ran out of memory: add swap or take a smaller model. Finished windows are kept.",
    ),
    "perplexity.engine_ended": (
        "The program that computes ended during {stage} with exit code {exit_code}. Its last words: {said}",
        "`rkdeck jobs log` shows everything it printed; `rkdeck jobs retry` goes on after the last window.",
    ),
    "perplexity.toolkit_failed": (
        "The answer of rkllm-toolkit was {returned} during {stage}: {said}",
        "Its log (`rkdeck jobs log`) tells more; the same build would fail in a conversion.",
    ),
    "perplexity.engine_fault": ("The program that computes told something impossible: {what}.", _FAULT),
}
