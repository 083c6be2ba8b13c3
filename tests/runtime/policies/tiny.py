"""Tiny random GGUF models for tests, built in a fraction of a second."""

from __future__ import annotations

from pathlib import Path

import numpy as np

CHATML_TEMPLATE = (
    "{% for m in messages %}<|{{ 'result' if m.role == 'tool' else m.role }}|>{{ m.content }}"
    "{% if m.role == 'assistant' %}<|end|>{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SPECIALS = ["<|system|>", "<|user|>", "<|assistant|>", "<|result|>", "<|end|>"]


def byte_characters() -> dict[int, str]:
    """GPT-2's printable stand-ins for bytes."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}


def small_vocabulary(merges: list[str] | None = None) -> tuple[list[str], list[int], list[str]]:
    """Byte tokens, a few merged words, and the special tokens: (tokens, types, merges)."""
    characters = byte_characters()
    merges = merges or [
        "a n",
        "an s",
        "e r",
        "f i",
        "l e",
        "fi le",
        "s .",
        "Ġ p",
        "p a",
        "t h",
        "pa th",
        "( path",
        ". f",
        "i n",
    ]
    tokens = [characters[byte] for byte in range(256)]
    tokens += ["".join(merge.split(" ")) for merge in merges]
    types = [1] * len(tokens) + [3] * len(SPECIALS)
    return [*tokens, *SPECIALS], types, merges


def write_tiny(
    path: Path,
    *,
    architecture: str = "qwen3",
    vocabulary: tuple[list[str], list[int], list[str]] | None = None,
    template: str | None = CHATML_TEMPLATE,
    pre: str = "qwen2",
    end: str = "<|end|>",
    context: int = 512,
    seed: int = 0,
    profile: str | None = None,
    scale: float = 0.3,
    hidden: int = 32,
    layers: int = 2,
) -> Path:
    """A random model of a real architecture; the same seed gives the same weights."""
    import gguf

    heads, kv_heads, size, ffn = 4, 2, hidden // 4, hidden * 2
    tokens, types, merges = vocabulary or small_vocabulary()
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(context)
    writer.add_embedding_length(hidden)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(ffn)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(len(tokens))
    writer.add_key_length(size)
    writer.add_value_length(size)
    if architecture == "llama":
        writer.add_rope_dimension_count(size)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(merges)
    writer.add_eos_token_id(tokens.index(end))
    writer.add_add_bos_token(False)
    if template is not None:
        writer.add_chat_template(template)
    if profile is not None:
        writer.add_string("atlas.profile", profile)
    random = np.random.default_rng(seed)

    def tensor(name: str, *shape: int) -> None:
        writer.add_tensor(name, (random.standard_normal(shape) * scale).astype(np.float32))

    def ones(name: str, length: int) -> None:
        writer.add_tensor(name, np.ones(length, dtype=np.float32))

    tensor("token_embd.weight", len(tokens), hidden)
    ones("output_norm.weight", hidden)
    for layer in range(layers):
        block = f"blk.{layer}"
        ones(f"{block}.attn_norm.weight", hidden)
        tensor(f"{block}.attn_q.weight", heads * size, hidden)
        tensor(f"{block}.attn_k.weight", kv_heads * size, hidden)
        tensor(f"{block}.attn_v.weight", kv_heads * size, hidden)
        tensor(f"{block}.attn_output.weight", hidden, heads * size)
        if architecture == "qwen3":
            ones(f"{block}.attn_q_norm.weight", size)
            ones(f"{block}.attn_k_norm.weight", size)
        ones(f"{block}.ffn_norm.weight", hidden)
        tensor(f"{block}.ffn_gate.weight", ffn, hidden)
        tensor(f"{block}.ffn_up.weight", ffn, hidden)
        tensor(f"{block}.ffn_down.weight", hidden, ffn)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_adapter(path: Path, base: str = "qwen3", *, seed: int = 1, hidden: int = 32) -> Path:
    """A random LoRA adapter for the query matrices of `write_tiny`'s models."""
    import gguf

    random = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, base)
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, 16.0)
    for layer in range(2):
        name = f"blk.{layer}.attn_q.weight"
        writer.add_tensor(f"{name}.lora_a", random.standard_normal((4, hidden)).astype(np.float32))
        writer.add_tensor(f"{name}.lora_b", random.standard_normal((hidden, 4)).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
