"""Starts a run from the weights and the vocabulary of a nano GGUF, so that training can go on where another run ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from torch import Tensor

from . import tokenizer as tokens
from .export import gguf_name
from .model import Nano


class StartError(Exception):
    """A GGUF cannot be the start of a run with this configuration."""


def tokenizer_of(path: Path, folder: Path) -> None:
    """Write the vocabulary of the GGUF into `folder` as a run's tokenizer. Raises `StartError`."""
    fields = _reader(path).fields
    words = _strings(fields, "tokenizer.ggml.tokens", path)
    merges = [tuple(merge.split(" ")) for merge in _strings(fields, "tokenizer.ggml.merges", path)]
    specials = len(tokens.SPECIAL_TOKENS)
    if tuple(words[:specials]) != tokens.SPECIAL_TOKENS:
        raise StartError(f"{path}: not a nano of this repository: its first tokens are {words[:specials]}")
    tokens.save(tokens.build(words[specials:], merges), folder)


def load_weights(model: Nano, path: Path) -> None:
    """Fill `model` with the weights of the GGUF, dequantised. Raises `StartError` when a shape differs."""
    found = {tensor.name: tensor for tensor in _reader(path).tensors}
    state: dict[str, Tensor] = {}
    for key, parameter in model.state_dict().items():
        tensor = found.get(gguf_name(key))
        if tensor is None:
            raise StartError(f"{path}: no tensor {gguf_name(key)}")
        array = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        if array.shape != tuple(parameter.shape):
            raise StartError(f"{path}: {tensor.name} is {array.shape}, the configuration wants {tuple(parameter.shape)}")
        state[key] = torch.from_numpy(array.copy())
    model.load_state_dict(state)


def _reader(path: Path) -> Any:
    try:
        return gguf.GGUFReader(path)
    except (OSError, ValueError) as error:
        raise StartError(f"{path}: not a readable GGUF: {error}") from None


def _strings(fields: Any, name: str, path: Path) -> list[str]:
    if name not in fields:
        raise StartError(f"{path}: no {name} in it")
    return [str(text) for text in fields[name].contents()]
