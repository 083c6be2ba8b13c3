"""Tiny random models of every family, written in a moment, on which the trainer is compared with llama.cpp.

Random weights exaggerate what rounding does, so these are a harder case than trained models.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Precision = Literal["F32", "F16", "Q8_0", "Q4_0"]
PRECISIONS: tuple[Precision, ...] = ("F32", "F16", "Q8_0", "Q4_0")
_SPECIALS = ("<|system|>", "<|user|>", "<|assistant|>", "<|result|>", "<|end|>")
_MERGES = ("Ġ p", "a n", "e r", "i n", "l e", "f i", "fi le", "r e", "o n", "t h")
_TEMPLATE = (
    "{% for m in messages %}<|{{ 'result' if m.role == 'tool' else m.role }}|>{{ m.content }}"
    "{% if m.role == 'assistant' %}<|end|>{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@dataclass(frozen=True, slots=True)
class Specimen:
    """The size of a random model; the same seed gives the same weights in every precision."""

    architecture: Literal["llama", "qwen2", "qwen3"] = "qwen3"
    precision: Precision = "F32"
    layers: int = 4
    width: int = 256
    heads: int = 8
    shared_heads: int = 4
    head_width: int = 32
    feed_forward: int = 512
    context_tokens: int = 4096
    tied: bool = True
    seed: int = 0
    scale: float = 0.06
    fused: bool = False
    """Query, key and value in one matrix, as newer converters can write them."""

    def write(self, path: Path) -> Path:
        """Write the model with a byte vocabulary, a chat template and its random weights."""
        import gguf

        writer = gguf.GGUFWriter(path, self.architecture)
        self._write_shape(writer)
        _write_vocabulary(writer)
        random = np.random.default_rng(self.seed)
        for name, *shape in self._tensors():
            _add(writer, name, _values(random, name, shape, self.scale), self.precision)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path

    def _write_shape(self, writer: Any) -> None:
        import gguf

        kinds = {"F32": "ALL_F32", "F16": "MOSTLY_F16", "Q8_0": "MOSTLY_Q8_0", "Q4_0": "MOSTLY_Q4_0"}
        writer.add_file_type(getattr(gguf.LlamaFileType, kinds[self.precision]))
        writer.add_string("atlas.profile", "compact")
        writer.add_context_length(self.context_tokens)
        writer.add_embedding_length(self.width)
        writer.add_block_count(self.layers)
        writer.add_feed_forward_length(self.feed_forward)
        writer.add_head_count(self.heads)
        writer.add_head_count_kv(self.shared_heads)
        writer.add_key_length(self.head_width)
        writer.add_value_length(self.head_width)
        writer.add_rope_dimension_count(self.head_width)
        writer.add_rope_freq_base(10_000.0)
        writer.add_layer_norm_rms_eps(1e-6)

    def _tensors(self) -> list[tuple[Any, ...]]:
        """Name and shape of everything in the file."""
        inner, shared = self.heads * self.head_width, self.shared_heads * self.head_width
        found: list[tuple[Any, ...]] = [("token_embd.weight", vocabulary_size(), self.width)]
        found += [("output_norm.weight", self.width)]
        found += [] if self.tied else [("output.weight", vocabulary_size(), self.width)]
        for layer in range(self.layers):
            block = f"blk.{layer}."
            parts = [("attn_q", inner), ("attn_k", shared), ("attn_v", shared)]
            if self.fused:
                parts = [("attn_qkv", inner + 2 * shared)]
            found += [(f"{block}{name}.weight", rows, self.width) for name, rows in parts]
            if self.architecture == "qwen2":
                found += [(f"{block}{name}.bias", rows) for name, rows in parts]
            if self.architecture == "qwen3":
                found += [(f"{block}{name}_norm.weight", self.head_width) for name in ("attn_q", "attn_k")]
            found += [
                (f"{block}attn_norm.weight", self.width), (f"{block}ffn_norm.weight", self.width),
                (f"{block}attn_output.weight", self.width, inner),
                (f"{block}ffn_gate.weight", self.feed_forward, self.width),
                (f"{block}ffn_up.weight", self.feed_forward, self.width),
                (f"{block}ffn_down.weight", self.width, self.feed_forward),
            ]  # fmt: skip
        return found


def vocabulary_size() -> int:
    """Tokens of every specimen."""
    return 256 + len(_MERGES) + len(_SPECIALS)


def _write_vocabulary(writer: Any) -> None:
    import gguf

    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    characters = {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}
    plain = [characters[byte] for byte in range(256)] + ["".join(merge.split(" ")) for merge in _MERGES]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list([*plain, *_SPECIALS])
    writer.add_token_types([gguf.TokenType.NORMAL] * len(plain) + [gguf.TokenType.CONTROL] * len(_SPECIALS))
    writer.add_token_merges(list(_MERGES))
    writer.add_eos_token_id(len(plain) + _SPECIALS.index("<|end|>"))
    writer.add_add_bos_token(False)
    writer.add_chat_template(_TEMPLATE)
    writer.add_vocab_size(vocabulary_size())


def _values(random: np.random.Generator, name: str, shape: list[int], scale: float) -> npt.NDArray[np.float32]:
    if "norm" in name:
        return (1 + 0.1 * random.standard_normal(shape)).astype(np.float32)
    return (scale * random.standard_normal(shape)).astype(np.float32)


def _add(writer: Any, name: str, values: npt.NDArray[np.float32], precision: Precision) -> None:
    import gguf

    kind = getattr(gguf.GGMLQuantizationType, precision)
    if values.ndim < 2 or precision == "F32":
        writer.add_tensor(name, values)
    elif precision == "F16":
        writer.add_tensor(name, values.astype(np.float16))
    else:
        writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)


def dequantised(path: Path, target: Path) -> Path:
    """The same model with its weights dequantised to F32: what llama.cpp itself makes of them without its fast kernels."""
    import gguf

    reader = gguf.GGUFReader(path)
    writer = gguf.GGUFWriter(target, reader.fields["general.architecture"].contents())
    for name, entry in reader.fields.items():
        if name.startswith("GGUF.") or name in ("general.architecture", "general.file_type"):
            continue
        writer.add_key_value(name, entry.contents(), entry.types[0], entry.types[-1] if len(entry.types) > 1 else None)
    for tensor in reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        writer.add_tensor(tensor.name, np.array(values, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target
