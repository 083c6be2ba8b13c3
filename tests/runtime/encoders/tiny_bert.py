"""A tiny random sentence encoder, the same weights in both of the forms in which they come: a folder, and a GGUF."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
WORDS = "a b c find send mail rain file the ##s ##ing ##er count . : ,".split()
WIDTH, HEADS, WIDE, LAYERS, PLACES = 32, 4, 64, 2, 64
Tensors = dict[str, NDArray[np.float32]]
_NAMES = {
    "attention.self.query": "attn_q", "attention.self.key": "attn_k", "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output", "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up", "output.dense": "ffn_down", "output.LayerNorm": "layer_output_norm",
}  # fmt: skip
_EMBEDDINGS = {
    "word_embeddings": "token_embd", "position_embeddings": "position_embd", "token_type_embeddings": "token_types",
    "LayerNorm": "token_embd_norm",
}  # fmt: skip


def random_tensors(seed: int = 0) -> Tensors:
    """Weights under the names of a `BertModel`."""
    random = np.random.default_rng(seed)

    def some(*shape: int) -> NDArray[np.float32]:
        return (random.standard_normal(shape) * 0.4).astype(np.float32)

    found = {
        "embeddings.word_embeddings.weight": some(len(SPECIALS) + len(WORDS), WIDTH),
        "embeddings.position_embeddings.weight": some(PLACES, WIDTH),
        "embeddings.token_type_embeddings.weight": some(2, WIDTH),
        "embeddings.LayerNorm.weight": 1 + some(WIDTH),
        "embeddings.LayerNorm.bias": some(WIDTH),
    }
    for layer in range(LAYERS):
        for name in _NAMES:
            rows = WIDE if name == "intermediate.dense" else WIDTH
            columns = WIDE if name == "output.dense" else WIDTH
            shape = (rows,) if name.endswith("LayerNorm") else (rows, columns)
            found[f"encoder.layer.{layer}.{name}.weight"] = some(*shape) + (name.endswith("LayerNorm"))
            found[f"encoder.layer.{layer}.{name}.bias"] = some(rows)
    return found


def write_folder(folder: Path, seed: int = 0) -> Path:
    """`config.json`, `tokenizer.json` and `model.safetensors`."""
    from safetensors.numpy import save_file
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    folder.mkdir(parents=True, exist_ok=True)
    config = {"num_attention_heads": HEADS, "layer_norm_eps": 1e-12, "num_hidden_layers": LAYERS}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    vocabulary = {token: place for place, token in enumerate([*SPECIALS, *WORDS])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.save(str(folder / "tokenizer.json"))
    save_file(random_tensors(seed), folder / "model.safetensors")
    return folder


def write_gguf(path: Path, seed: int = 0) -> Path:
    """The same as a GGUF of the architecture `bert`."""
    import gguf

    writer = gguf.GGUFWriter(path, "bert")
    writer.add_context_length(PLACES)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(WIDE)
    writer.add_head_count(HEADS)
    writer.add_layer_norm_eps(1e-12)
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_token_type_count(2)
    writer.add_tokenizer_model("bert")
    pieces = [word[2:] if word.startswith("##") else f"▁{word}" for word in WORDS]
    writer.add_token_list([*SPECIALS, *pieces])
    writer.add_token_types([3, 3, 3, 3] + [1] * len(WORDS))
    for name, token in (("padding", 0), ("unknown", 1), ("cls", 2), ("bos", 2), ("seperator", 3), ("eos", 3)):
        writer.add_uint32(f"tokenizer.ggml.{name}_token_id", token)
    for name, tensor in random_tensors(seed).items():
        writer.add_tensor(_gguf_name(name), tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _gguf_name(name: str) -> str:
    stem, _, kind = name.rpartition(".")
    if stem.startswith("embeddings."):
        return f"{_EMBEDDINGS[stem.removeprefix('embeddings.')]}.{kind}"
    _, _, layer, part = stem.split(".", 3)
    return f"blk.{layer}.{_NAMES[part]}.{kind}"
