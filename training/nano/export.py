"""Writes a trained nano as a GGUF that llama.cpp runs, with its chat template and profile inside."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import gguf
import numpy as np
from torch import Tensor

from .model import Nano
from .tokenizer import CHAT_TEMPLATE, END, END_OF_TEXT, LLAMA_PRE_TOKENIZER, SPECIAL_TOKENS, tokens_and_merges

Precision = Literal["f32", "f16", "q8_0"]
_FILE_TYPE = {
    "f32": gguf.LlamaFileType.ALL_F32,
    "f16": gguf.LlamaFileType.MOSTLY_F16,
    "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
}
_NAMES = {
    "q_proj": "attn_q", "k_proj": "attn_k", "v_proj": "attn_v", "o_proj": "attn_output", "q_norm": "attn_q_norm",
    "k_norm": "attn_k_norm", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    "gate_proj": "ffn_gate", "up_proj": "ffn_up", "down_proj": "ffn_down",
}  # fmt: skip


def export(model: Nano, folder: Path, path: Path, *, precision: Precision = "q8_0", name: str = "nano") -> None:
    """Write `model` with the tokenizer of `folder` to `path`."""
    from .tokenizer import load

    writer = gguf.GGUFWriter(path, "qwen3")
    writer.add_name(name)
    writer.add_string("atlas.profile", "compact")
    _add_shape(writer, model, precision)
    tokens, merges = tokens_and_merges(load(folder))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(LLAMA_PRE_TOKENIZER)
    writer.add_token_list(tokens)
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    writer.add_token_types([control if token in SPECIAL_TOKENS else normal for token in tokens])
    writer.add_token_merges(merges)
    writer.add_bos_token_id(SPECIAL_TOKENS.index(END_OF_TEXT))
    writer.add_eos_token_id(SPECIAL_TOKENS.index(END))
    writer.add_pad_token_id(SPECIAL_TOKENS.index(END_OF_TEXT))
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)
    for key, weight in model.state_dict().items():
        _add_tensor(writer, gguf_name(key), weight, precision)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def gguf_name(key: str) -> str:
    """The GGUF name of a weight of `Nano`."""
    parts = key.split(".")
    if parts[0] == "layers":
        return f"blk.{parts[1]}.{_NAMES[parts[2]]}.weight"
    return {"embed_tokens": "token_embd.weight", "norm": "output_norm.weight"}[parts[0]]


def _add_shape(writer: gguf.GGUFWriter, model: Nano, precision: Precision) -> None:
    config = model.config
    writer.add_context_length(config.context_tokens)
    writer.add_embedding_length(config.width)
    writer.add_block_count(config.layers)
    writer.add_feed_forward_length(config.feed_forward)
    writer.add_head_count(config.heads)
    writer.add_head_count_kv(config.key_value_heads)
    writer.add_key_length(config.head_width)
    writer.add_value_length(config.head_width)
    writer.add_layer_norm_rms_eps(config.norm_epsilon)
    writer.add_rope_freq_base(config.rotary_base)
    writer.add_vocab_size(config.vocabulary)
    writer.add_file_type(_FILE_TYPE[precision])


def _add_tensor(writer: gguf.GGUFWriter, name: str, weight: Tensor, precision: Precision) -> None:
    array = weight.detach().float().cpu().numpy()
    if array.ndim < 2 or precision == "f32":
        writer.add_tensor(name, array)
    elif precision == "f16":
        writer.add_tensor(name, array.astype(np.float16))
    else:
        kind = gguf.GGMLQuantizationType.Q8_0
        writer.add_tensor(name, gguf.quants.quantize(array, kind), raw_dtype=kind)
