"""Words for `core.estimate`."""

MESSAGES: dict[str, tuple[str, str]] = {
    "estimate.bad_data_file": (
        "RKDeck's own data file {file} is damaged: {problem}.",
        "Install RKDeck again, or undo your change to that file.",
    ),
    "estimate.unknown_platform": (
        "RKDeck does not know a platform called {name!r}.",
        "Use one of: {known}.",
    ),
    "estimate.bad_cores": (
        "{platform} has 1 to {max} NPU cores, so {cores} is not possible.",
        "Leave --cores away to use all of them.",
    ),
    "estimate.bad_context": (
        "A context of {context} is not possible: the toolkit takes {min} to {max} in steps of {multiple}.",
        "Choose for example 2048 or 4096; a larger context needs more memory on the board.",
    ),
    "estimate.bad_prompt": (
        "A prompt of {prompt} tokens does not fit a context of {context} tokens.",
        "Use a prompt of 1 token up to the context, or a larger --context.",
    ),
    "estimate.no_config": (
        "The folder {folder} has no config.json, so it is not a model in Hugging Face form.",
        "Point to the folder that holds config.json and the .safetensors files.",
    ),
    "estimate.unreadable": ("The file {file} cannot be read: {problem}.", "Check that you may read it."),
    "estimate.bad_config": (
        "The model's config.json cannot be used: {problem}.",
        "Download it again, or tell the model's author.",
    ),
    "estimate.bad_index": (
        "The list of the model's files (model.safetensors.index.json) cannot be used: {problem}.",
        "Download it again, or tell the model's author.",
    ),
    "estimate.missing_shard": (
        "The model in {folder} is not complete: {file} is missing.",
        "Download the missing file; `rkdeck download` goes on where it stopped.",
    ),
    "estimate.bad_file": (
        "{file} is not a sound .safetensors file: {problem}.",
        "Download it again; when it stays like this, tell the model's author.",
    ),
    "estimate.header_incomplete": (
        "A .safetensors file ends inside its header ({got_bytes} bytes of {needed_bytes}).",
        "The download was cut off; download the file again.",
    ),
    "estimate.lfs_pointer": (
        "This is a Git LFS pointer, a small text that stands for the real file.",
        "Run `git lfs pull` in the folder, or download the model with `rkdeck download`.",
    ),
    "estimate.header_too_large": (
        "This is not a .safetensors file: its header would have {header_bytes} bytes (limit {limit_bytes}).",
        "Check that the file is what its name says.",
    ),
    "estimate.bad_header": (
        "The header of a .safetensors file cannot be used: {problem}. {tensor}",
        "Download the file again; when it stays like this, tell the model's author.",
    ),
    "estimate.bad_shape": (
        "No {missing} were found among the model's tensors, so nothing can be computed from them.",
        "This is not a language model in the usual form; choose the repository of the plain model.",
    ),
    "estimate.no_shapes": (
        "The sizes of {architecture} cannot be computed from config.json alone.",
        "Choose the repository that holds the unquantized .safetensors files.",
    ),
}
