"""Words for `core.quantization`."""

MESSAGES: dict[str, tuple[str, str]] = {
    "quantization.unknown_level": (
        "There is no level named {level}.",
        "Choose one of: {known}.",
    ),
    "quantization.bits": ("Weights cannot be quantized to {bits} bits.", "Choose 4 or 8 bits."),
    "quantization.shape": (
        "A tensor of shape {shape} cannot be quantized: linear weights are filled matrices.",
        "Check the model's files with `rkdeck library verify`.",
    ),
    "quantization.group_size": (
        "Groups of {group_size} weights do not divide the {inputs} inputs of a linear layer.",
        "Choose a level with another group size, or one without groups.",
    ),
    "quantization.not_finite": (
        "{count} weights are infinite, not a number, or beyond the range of the chosen level.",
        "The file is damaged or the level cannot hold it: verify the download, or choose bf16.",
    ),
    "quantization.too_large": (
        "The largest weight is {largest}, which float32 arithmetic cannot carry.",
        "The file is most likely damaged: verify the download.",
    ),
    "quantization.nibble_range": (
        "Values from {lowest} to {highest} do not fit into four bits.",
        "This is a fault in RKDeck; please report it.",
    ),
    "quantization.packed_length": (
        "{bytes} bytes of packed 4-bit values do not match {count} weights.",
        "The file is damaged: convert the model again.",
    ),
    "quantization.stored_dtype": (
        "Numbers stored as {dtype} are no plain weights.",
        "Choose the repository with the unquantized model.",
    ),
    "quantization.stored_length": (
        "{bytes} bytes are no whole number of weights of type {dtype}.",
        "The file is damaged: download it again.",
    ),
    "forward.activation_bits": (
        "Activations of {bits} bits cannot be computed here.",
        "Choose 8-bit activations, or none.",
    ),
    "forward.unsupported": (
        "This computation does not know models with {field} = {value}.",
        "It handles Llama and Qwen2 style models with plain rotary positions.",
    ),
    "forward.config": (
        "The model's config.json has a missing or impossible {field}.",
        "Compare it with the model's page on the Hub and download it again.",
    ),
    "forward.tensor_missing": (
        "The model's files have no tensor {tensor}.",
        "A shard is missing or damaged: download the model again.",
    ),
    "forward.tensor_shape": (
        "The tensor {tensor} is {found}, but config.json asks for {expected}.",
        "The config and the weights are not of the same model: download both again.",
    ),
    "forward.no_tokens": ("There is no text to compute on.", "Give at least two words."),
    "forward.token_range": (
        "A token is outside the model's vocabulary of {vocabulary}.",
        "The tokenizer and the weights are not of the same model.",
    ),
    "forward.context_full": (
        "{tokens} tokens are more than the model's context of {context}.",
        "Shorten the text, or start a new conversation.",
    ),
    "forward.window": (
        "A window of {window} tokens cannot be used with a context of {context}.",
        "Choose a window of at least 2 tokens and at most the context.",
    ),
}
