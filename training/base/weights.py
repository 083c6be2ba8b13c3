"""Dequantises the tensors of a GGUF into a model, one at a time and in slices: memory holds the model and one slice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...runtime.policies.gguf_file import GGUFHeader
from ..errors import BaseModelError
from .names import check_names, gguf_names
from .rotary import heads_of, is_permuted, to_torch_order
from .shape import checked_architecture, config_of

_SLICE_VALUES = 1 << 24


def model_of_gguf(header: GGUFHeader, *, device: str | torch.device, dtype: torch.dtype) -> nn.Module:
    """The transformers model of a GGUF with its dequantised weights. Raises `BaseModelError`."""
    checked_architecture(header)
    tensors = {tensor.name: tensor for tensor in _reader(header.path).tensors}
    config = config_of(header, {name: _shape(tensor) for name, tensor in tensors.items()})
    model: Any = _empty(config)
    names = _names(header.architecture, model, tensors)
    check_names(names.values(), tensors, str(header.path))
    for key, name in names.items():
        weight = _read(tensors[name], header.path, device, dtype)
        _place(model, key, _ordered(weight, key, header.architecture, config), header.path)
    _without_missing_biases(model, device, dtype)
    if getattr(config, "tie_word_embeddings", False):
        model.tie_weights()
    _turn(model, config, tensors.get("rope_freqs.weight"), device)
    loaded: nn.Module = model
    return loaded


def _reader(path: Path) -> Any:
    import gguf

    try:
        return gguf.GGUFReader(path)
    except (OSError, ValueError, IndexError, KeyError) as error:
        raise BaseModelError(f"{path} cannot be read: {error}", where=str(path), mend="fetch the file again") from None


def _shape(tensor: Any) -> tuple[int, ...]:
    return tuple(int(size) for size in reversed(tensor.shape))


def _empty(config: Any) -> Any:
    """The model without memory behind its weights."""
    from transformers import AutoModelForCausalLM

    automatic: Any = AutoModelForCausalLM
    with torch.device("meta"):
        return automatic.from_config(config, attn_implementation="sdpa")


def _names(architecture: str, model: nn.Module, found: dict[str, Any]) -> dict[str, str]:
    """Weight -> tensor. Biases of Qwen2 that no layer has (llama.cpp takes them for zero) are left out."""
    config: Any = model.config
    keys = [key for key, _ in model.named_parameters()]
    names = gguf_names(architecture, config.num_hidden_layers, keys)
    if config.tie_word_embeddings:
        names.pop("lm_head.weight", None)
    if not any(name.endswith(".bias") for name in found):
        names = {key: name for key, name in names.items() if not name.endswith(".bias")}
    return names


def _read(tensor: Any, path: Path, device: str | torch.device, dtype: torch.dtype) -> Tensor:
    """One tensor in the trainer's own type, dequantised a few rows at a time."""
    import gguf

    shape = _shape(tensor)
    weight = torch.empty(shape, dtype=dtype, device=device)
    rows = weight.view(-1, shape[-1])
    data = tensor.data.reshape(rows.shape[0], -1)
    step = max(1, _SLICE_VALUES // shape[-1])
    try:
        for start in range(0, rows.shape[0], step):
            piece = gguf.quants.dequantize(data[start : start + step], tensor.tensor_type)
            rows[start : start + step] = torch.from_numpy(piece.astype("float32", copy=True))
    except NotImplementedError:
        raise BaseModelError(
            f"{path}: {tensor.name} is of type {tensor.tensor_type.name}, which cannot be dequantised here",
            where=str(path),
            mend="take a Q4_0, Q5_0, Q8_0, K-quant, F16, BF16 or F32 file of the model",
        ) from None
    if not bool(torch.isfinite(rows).all()):
        raise BaseModelError(f"{path}: {tensor.name} holds no numbers", where=str(path), mend="fetch it again")
    return weight


def _ordered(weight: Tensor, key: str, architecture: str, config: Any) -> Tensor:
    if not is_permuted(architecture, key):
        return weight
    return to_torch_order(weight, heads_of(key, config.num_attention_heads, config.num_key_value_heads)).contiguous()


def _place(model: nn.Module, key: str, weight: Tensor, path: Path) -> None:
    owner, _, name = key.rpartition(".")
    module = model.get_submodule(owner)
    wanted = tuple(getattr(module, name).shape)
    if tuple(weight.shape) != wanted:
        raise BaseModelError(
            f"{path}: {key} has the shape {tuple(weight.shape)}, its header promises {wanted}", where=str(path),
            mend="fetch the file again, or convert the model again",
        )  # fmt: skip
    setattr(module, name, nn.Parameter(weight, requires_grad=False))


def _without_missing_biases(model: nn.Module, device: str | torch.device, dtype: torch.dtype) -> None:
    for module in model.modules():
        bias = getattr(module, "bias", None)
        if isinstance(bias, Tensor) and bias.is_meta:
            zeros = torch.zeros(bias.shape, dtype=dtype, device=device)
            module.bias = nn.Parameter(zeros, requires_grad=False)


def _turn(model: Any, config: Any, factors: Any, device: str | torch.device) -> None:
    """The frequencies of the rotation, which are no weights; Llama 3's own factors divide them."""
    kind = type(model.model.rotary_emb)
    rotary = kind(config=config).to(device)
    if factors is not None:
        import numpy as np

        divisor = torch.from_numpy(np.array(factors.data, dtype=np.float32)).to(device)
        rotary.inv_freq = rotary.inv_freq / divisor
        rotary.original_inv_freq = rotary.inv_freq.clone()
    model.model.rotary_emb = rotary
