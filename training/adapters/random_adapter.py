"""A random adapter over any GGUF, without torch: for measuring swaps and for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...runtime.policies.adapter_swap import BASE_HASH
from ...runtime.policies.file_hash import FileHash
from ...runtime.policies.gguf_file import read_header

_ADAPTED = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")


def write_random_adapter(
    path: Path, base: Path, *, rank: int = 16, alpha: float = 32.0, seed: int = 0, scale: float = 0.02
) -> Path:
    """Write a LoRA adapter with random halves for every linear layer of the model at `base`."""
    import gguf

    random = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, read_header(base).architecture)
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, alpha)
    writer.add_string(BASE_HASH, FileHash(base).value)
    for tensor in gguf.GGUFReader(base).tensors:
        if any(f".{part}.weight" in tensor.name for part in _ADAPTED):
            wide, high = (int(size) for size in tensor.shape)
            for half, shape in (("a", (rank, wide)), ("b", (high, rank))):
                values = (scale * random.standard_normal(shape)).astype(np.float32)
                writer.add_tensor(f"{tensor.name}.lora_{half}", values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
