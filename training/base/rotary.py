"""The one difference of layout between GGUF and Hugging Face weights: how Llama's rotated pairs lie in a head.

llama.cpp rotates neighbours (0,1), (2,3), ...; Hugging Face rotates halves (0, d/2), (1, d/2+1), ... The converter
permutes the rows of Llama's query and key matrices accordingly. Qwen2 and Qwen3 rotate halves in both.
"""

from __future__ import annotations

from torch import Tensor

_PERMUTED = ("q_proj", "k_proj")


def is_permuted(architecture: str, name: str) -> bool:
    """True for a weight or bias whose rows lie in another order in the GGUF; `name` is the Hugging Face one."""
    return architecture == "llama" and any(f".{part}." in f".{name}." for part in _PERMUTED)


def heads_of(name: str, heads: int, shared_heads: int) -> int:
    """How many heads the rows of this projection form."""
    return shared_heads if ".k_proj." in f".{name}." else heads


def to_gguf_order(rows: Tensor, heads: int) -> Tensor:
    """Rows (first dimension) as llama.cpp wants them."""
    width = rows.shape[0] // heads
    return rows.reshape(heads, 2, width // 2, *rows.shape[1:]).transpose(1, 2).reshape(rows.shape)


def to_torch_order(rows: Tensor, heads: int) -> Tensor:
    """Rows (first dimension) as Hugging Face wants them."""
    width = rows.shape[0] // heads
    return rows.reshape(heads, width // 2, 2, *rows.shape[1:]).transpose(1, 2).reshape(rows.shape)
