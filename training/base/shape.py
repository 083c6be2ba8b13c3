"""The transformers configuration of a GGUF: what its header says, and a refusal of what the trainer cannot compute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...runtime.policies.gguf_file import GGUFHeader
from ..errors import BaseModelError

ARCHITECTURES = ("llama", "qwen2", "qwen3")
_OTHER_MODEL = "choose a Llama, Qwen2 or Qwen3 model (atlas train works with these three families)"
_SCALED = {"none", "", "linear"}


def config_of(header: GGUFHeader, tensors: Mapping[str, tuple[int, ...]]) -> Any:
    """The transformers configuration; `tensors` are the names and shapes in the file. Raises `BaseModelError`."""
    architecture = checked_architecture(header)
    where = str(header.path)
    embedding = tensors.get("token_embd.weight")
    if embedding is None:
        raise BaseModelError(f"{where} has no token_embd.weight", where=where, mend="convert the model again")
    heads, width = _whole(header, "attention.head_count"), _whole(header, "embedding_length")
    head_width = _head_width(header, width // max(1, heads))
    values: dict[str, Any] = {
        "vocab_size": embedding[0], "hidden_size": width, "num_hidden_layers": _whole(header, "block_count"),
        "intermediate_size": _whole(header, "feed_forward_length"), "num_attention_heads": heads,
        "num_key_value_heads": header.number(f"{architecture}.attention.head_count_kv") or heads, "head_dim": head_width,
        "max_position_embeddings": _whole(header, "context_length"), "rms_norm_eps": _epsilon(header),
        "rope_parameters": _rotation(header, head_width), "tie_word_embeddings": "output.weight" not in tensors,
        "bos_token_id": None, "eos_token_id": None, "pad_token_id": None, "use_cache": False,
    }  # fmt: skip
    if architecture == "llama":
        values |= {"attention_bias": "blk.0.attn_q.bias" in tensors, "mlp_bias": "blk.0.ffn_up.bias" in tensors}
    return _config_class(architecture)(**values)


def checked_architecture(header: GGUFHeader) -> str:
    """The architecture, where the trainer knows it. Raises `BaseModelError`."""
    where, architecture = str(header.path), header.architecture
    if header.text("general.type") == "adapter":
        raise BaseModelError(f"{where} is an adapter, not a model", where=where, mend="give its base model")
    if architecture not in ARCHITECTURES:
        raise BaseModelError(
            f"{where} is a model of architecture {architecture or '(none given)'}, which cannot be trained here",
            where=where,
            mend=_OTHER_MODEL,
        )
    if header.number(f"{architecture}.expert_count"):
        raise BaseModelError(f"{where} is a mixture of experts", where=where, mend=_OTHER_MODEL)
    return architecture


def _config_class(architecture: str) -> Any:
    import transformers

    names = {"llama": "LlamaConfig", "qwen2": "Qwen2Config", "qwen3": "Qwen3Config"}
    return getattr(transformers, names[architecture])


def _whole(header: GGUFHeader, name: str) -> int:
    key = f"{header.architecture}.{name}"
    value = header.number(key)
    if value is None:
        kind = "differs from layer to layer" if header.array(key) is not None else "is missing"
        raise BaseModelError(f"{header.path}: {key} {kind}", where=str(header.path), mend=_OTHER_MODEL)
    return value


def _head_width(header: GGUFHeader, usual: int) -> int:
    key = header.number(f"{header.architecture}.attention.key_length") or usual
    value = header.number(f"{header.architecture}.attention.value_length") or usual
    turned = header.number(f"{header.architecture}.rope.dimension_count") or key
    if not key == value == turned:
        raise BaseModelError(
            f"{header.path}: keys of {key}, values of {value} and {turned} rotated dimensions a head differ",
            where=str(header.path),
            mend=_OTHER_MODEL,
        )
    return key


def _epsilon(header: GGUFHeader) -> float:
    value = header.metadata.get(f"{header.architecture}.attention.layer_norm_rms_epsilon")
    if not isinstance(value, float):
        raise BaseModelError(f"{header.path} does not say its norm's epsilon", where=str(header.path), mend=_OTHER_MODEL)
    return float(repr_of_single(value))


def repr_of_single(value: float) -> str:
    """A float32 of the header in the digits that were meant, 1e-06 rather than 9.999999974752427e-07."""
    import numpy as np

    return str(np.float32(value))


def _rotation(header: GGUFHeader, head_width: int) -> dict[str, Any]:
    architecture = header.architecture
    base = header.metadata.get(f"{architecture}.rope.freq_base", 10_000.0)
    kind = header.text(f"{architecture}.rope.scaling.type") or "none"
    factor = header.metadata.get(f"{architecture}.rope.scaling.factor", 1.0)
    assert isinstance(base, int | float) and isinstance(factor, int | float)
    if kind not in _SCALED:
        raise BaseModelError(
            f"{header.path} scales its positions by {kind}, which the trainer does not compute",
            where=str(header.path),
            mend="take the model without the context extension; episodes fit its own context",
        )
    if kind == "linear" and factor != 1:
        return {"rope_type": "linear", "rope_theta": float(base), "factor": float(factor)}
    return {"rope_type": "default", "rope_theta": float(base)}
