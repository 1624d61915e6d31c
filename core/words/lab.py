"""Words for `core.lab`."""

MESSAGES: dict[str, tuple[str, str]] = {
    "lab.bits": ("Weights are not quantized to {bits} bits here.", "Choose 4 or 8 bits."),
    "lab.group_size": ("There are no groups of {group_size} weights.", "Choose one of: {known}."),
    "lab.no_rounding": (
        "The level {level} keeps every weight as it is, so there is no error to show.",
        "Choose a level of 16, 8 or 4 bits.",
    ),
    "lab.no_tensor": (
        "The model has no tensor called {tensor}.",
        "The names are those of its files, for example: {examples}.",
    ),
    "lab.no_weights": (
        "The folder {folder} has no .safetensors file with weights in it.",
        "Download the model again; a folder with only .gguf or .bin files cannot be analysed.",
    ),
    "lab.no_linear": (
        "No linear weights were found in {model}.",
        "This is not a language model in the usual form; choose the repository of the plain model.",
    ),
    "lab.not_linear": (
        "The tensor {tensor} is no matrix, so no level changes it.",
        "Choose a weight of a linear layer, such as one called q_proj or down_proj.",
    ),
    "lab.empty": (
        "The tensor {tensor} of shape {shape} holds no weights.",
        "Tell the model's author; the other tensors can be analysed.",
    ),
    "lab.dtype": (
        "The tensor {tensor} is stored as {dtype}, which holds no plain weights.",
        "These types can be read: {known}. Choose the repository with the unquantized model.",
    ),
    "lab.row_too_long": (
        "The tensor {tensor} has rows of {inputs} weights; no real layer is that wide (limit {limit}).",
        "The file is most likely not what its name says: verify it.",
    ),
    "lab.unreadable": (
        "The file {file} cannot be read: {problem}.",
        "Check that it is still there and whole.",
    ),
    "lab.cannot_write": (
        "What was measured cannot be written to {file}: {reason}.",
        "Make room on the disk, then try the job again: what was written before counts.",
    ),
    "lab.not_finite": (
        "The tensor {tensor} holds {count} weights that are infinite, no number, or beyond float32 arithmetic.",
        "Verify the download; if the file is as its author made it, the model is broken.",
    ),
    "lab.group_does_not_fit": (
        "Groups of {group_size} weights do not divide the {inputs} inputs of {tensor}.",
        "Choose another group size, or none.",
    ),
    "lab.beyond_float16": (
        "The tensor {tensor} holds weights that the level {level} cannot hold.",
        "Choose bf16 or fewer bits.",
    ),
    "lab.no_channel": (
        "The tensor {tensor} has the output channels 0 to {last}; {channel} is none of them.",
        "Choose one of them.",
    ),
    "lab.no_input": (
        "A channel of {tensor} has the weights 0 to {last}; {column} is none of them.",
        "Choose one of them.",
    ),
    "lab.already_quantized": (
        "The weights of this model are already quantized ({method}), so there is nothing to compare with.",
        "Choose the repository of the model in 16 or 32 bits.",
    ),
    "lab.model_changed": (
        "The files of {model} changed while they were being analysed.",
        "Start the analysis again when they are complete.",
    ),
    "lab.not_a_source": (
        "{title} is a converted file; its weights are already rounded.",
        "Choose the model it was made from.",
    ),
    "lab.tensor_too_large": (
        "The tensor {tensor} takes {size_bytes} bytes on the Hub (limit {limit_bytes}).",
        "Download the model first, or choose another tensor.",
    ),
    "lab.bad_result": (
        "The stored analysis {file} cannot be read: {reason}.",
        "Analyse the model again.",
    ),
    "lab.advice_plain_8": (
        "With 8 bits and one scale per channel the weights keep {sqnr_db} dB; nothing finer is worth its price.",
        "",
    ),
    "lab.advice_groups_8": (
        "One scale per channel keeps only {plain_db} dB; groups of {group_size} keep {sqnr_db} dB, but cost speed.",
        "",
    ),
    "lab.advice_groups_not_worth": (
        "With 8 bits the weights keep {sqnr_db} dB; groups would win only {gain_db} dB for the speed they cost.",
        "",
    ),
    "lab.advice_mixed": (
        "One scale per channel keeps {plain_db} dB; groups of {group_size} for the {percent} % of the weights that "
        "need them most (first {tensor}) bring {sqnr_db} dB.",
        "",
    ),
    "lab.advice_plain_4": (
        "Even 4 bits with one scale per channel keep {sqnr_db} dB, so the smallest and fastest file will do.",
        "",
    ),
    "lab.advice_groups_4": (
        "Groups of {group_size} keep {sqnr_db} dB at 4 bits; coarser ones fall below {good_db} dB.",
        "",
    ),
    "lab.advice_finest_4": (
        "With 4 bits the weights keep {sqnr_db} dB at best, below the {good_db} dB wanted: measure perplexity first.",
        "",
    ),
    "lab.advice_8_not_4": (
        "With 4 bits these weights keep only {four_db} dB at best; with 8 bits they keep {sqnr_db} dB.",
        "",
    ),
}
