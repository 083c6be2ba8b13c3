"""Writes an adapter as the GGUF that llama.cpp loads over the base it was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from ..base.names import gguf_names
from ..base.policy import BasePolicy
from ..base.rotary import heads_of, is_permuted, to_gguf_order
from ..errors import AdapterError
from .fold import Pair, common_alpha, folded_b, pairs_of

BASE_HASH = "atlas.base_hash"
RUN = "atlas.run"


def write_gguf_adapter(model: Any, base: BasePolicy, path: Path, *, run: str) -> None:
    """Write the active adapter of a `peft.PeftModel` in float32. Raises `AdapterError`."""
    import gguf

    pairs = pairs_of(model)
    names = gguf_names(base.architecture, base.model.config.num_hidden_layers, [f"{one.module}.weight" for one in pairs])
    alpha = common_alpha(pairs)
    writer = gguf.GGUFWriter(path, base.architecture)
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_name(run)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, alpha)
    writer.add_string(BASE_HASH, base.base_hash)
    writer.add_string(RUN, run)
    for pair in pairs:
        name = names[f"{pair.module}.weight"]
        _add(writer, f"{name}.lora_a", pair.a)
        _add(writer, f"{name}.lora_b", _b_rows(pair, alpha, base))
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()


def _b_rows(pair: Pair, alpha: float, base: BasePolicy) -> Tensor:
    rows, config = folded_b(pair, alpha), base.model.config
    if not is_permuted(base.architecture, pair.module):
        return rows
    return to_gguf_order(rows, heads_of(pair.module, config.num_attention_heads, config.num_key_value_heads))


def _add(writer: Any, name: str, values: Tensor) -> None:
    if not bool(values.isfinite().all()):
        raise AdapterError(
            f"{name} holds a value that is no number", where=name, mend="train again with a smaller learning rate"
        )
    writer.add_tensor(name, values.contiguous().numpy())
