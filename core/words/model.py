"""What a repository or folder holds instead of a model's own weights."""

MESSAGES = {
    "model.adapter_only": (
        "{model} is an adapter (LoRA) for {base}; it has no weights of its own to estimate or convert.",
        "Look at {base} instead; the adapter is given to the conversion beside it.",
    ),
    "model.adapter_without_base": (
        "{model} is an adapter (LoRA) and does not say for which model.",
        "Its page may name the base model; take that one instead.",
    ),
    "model.gguf_only": (
        "{model} holds the model as GGUF only; rkllm-toolkit converts from safetensors.",
        "Take the original model, often named on this one's page.",
    ),
    "model.rkllm_only": (
        "{model} holds ready-made .rkllm files and no source model to convert.",
        "Take the file that was made for the board's chip.",
    ),
    "model.onnx_only": (
        "{model} holds the model as ONNX only; rkllm-toolkit converts from safetensors.",
        "Take the original model, often named on this one's page.",
    ),
}
