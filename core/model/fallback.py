"""Tensors computed from config.json alone, for models whose headers could not be read."""

from core.model.tensors import LinearLayer, SortedTensors
from core.model.textconfig import TextConfig

# Beyond any model, so that an absurd config.json cannot make a long list.
_MOST_LAYERS = 1000


def tensors_from_config(config: TextConfig, layout: str | None) -> SortedTensors | None:
    """Return the tensors a model of this layout has, or None when config.json does not say enough.

    Biases are not counted (Qwen2: 0.02 % of its parameters). Norms are: two vectors a layer, one at the end.
    """
    sizes = (config.hidden, config.layers, config.heads, config.kv_heads, config.head_dim)
    hidden, layers, heads, kv_heads, head_dim = sizes
    width, vocab = config.intermediate, config.vocab
    if not (hidden and layers and heads and kv_heads and head_dim and width and vocab):
        return None
    block = _block(layout, hidden, heads * head_dim, kv_heads * head_dim, width)
    if not block or layers > _MOST_LAYERS or config.experts:
        return None
    found = SortedTensors()
    for layer in range(layers):
        found.layers.add(layer)
        for name, outputs, inputs in block:
            found.body.append(LinearLayer(f"model.layers.{layer}.{name}.weight", outputs, inputs))
    found.embedding = LinearLayer("model.embed_tokens.weight", vocab, hidden)
    found.head = LinearLayer("lm_head.weight", vocab, hidden)
    found.small = (2 * layers + 1) * hidden
    return found


def _block(
    layout: str | None, hidden: int, queries: int, keys: int, width: int
) -> tuple[tuple[str, int, int], ...]:
    separate = (
        ("self_attn.q_proj", queries, hidden),
        ("self_attn.k_proj", keys, hidden),
        ("self_attn.v_proj", keys, hidden),
    )
    fused = (("self_attn.qkv_proj", queries + 2 * keys, hidden),)
    out = (("self_attn.o_proj", hidden, queries),)
    gate_up = (("mlp.gate_proj", width, hidden), ("mlp.up_proj", width, hidden))
    fused_gate_up = (("mlp.gate_up_proj", 2 * width, hidden),)
    plain_up = (("mlp.up_proj", width, hidden),)
    down = (("mlp.down_proj", hidden, width),)
    layouts = {
        "gated": separate + out + gate_up + down,
        "gated-fused": fused + out + fused_gate_up + down,
        "fused-qkv": fused + out + gate_up + down,
        "plain": separate + out + plain_up + down,
    }
    return layouts.get(layout or "", ())
