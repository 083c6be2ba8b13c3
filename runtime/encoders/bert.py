"""The forward pass of a BERT encoder in numpy (Devlin et al. 2019), pooled to one vector for each text."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .safetensors_file import Tensors

Floats = NDArray[np.float32]
_BENT = np.float32(math.sqrt(2 / math.pi))


@dataclass(frozen=True, slots=True)
class _Dense:
    """`x @ weight + bias`."""

    weight: Floats
    bias: Floats

    def __call__(self, x: Floats) -> Floats:
        found: Floats = x @ self.weight
        found += self.bias
        return found


@dataclass(frozen=True, slots=True)
class _Norm:
    """Layer normalisation; changes what it is given."""

    weight: Floats
    bias: Floats
    epsilon: float

    def __call__(self, x: Floats) -> Floats:
        x -= x.mean(-1, keepdims=True)
        x /= np.sqrt(np.einsum("...i,...i->...", x, x)[..., None] / np.float32(x.shape[-1]) + np.float32(self.epsilon))
        x *= self.weight
        x += self.bias
        return x


@dataclass(frozen=True, slots=True)
class _Layer:
    attend: _Dense
    """Queries, keys and values in one."""
    attended: _Dense
    attended_norm: _Norm
    widen: _Dense
    narrow: _Dense
    norm: _Norm


class Bert:
    """Weights of a model whose configuration has the fields of a `BertModel`."""

    def __init__(self, tensors: Tensors, config: dict[str, Any]) -> None:
        """Raises `KeyError` for a tensor or field that is missing."""
        self._heads = int(config["num_attention_heads"])
        self._epsilon = float(config["layer_norm_eps"])
        self._tensors = tensors
        self._words = tensors["embeddings.word_embeddings.weight"]
        places, kinds = (tensors[f"embeddings.{name}_embeddings.weight"] for name in ("position", "token_type"))
        self._places: Floats = places + kinds[0]
        self._first_norm = self._norm("embeddings")
        self._layers = [self._layer(f"encoder.layer.{number}") for number in range(int(config["num_hidden_layers"]))]

    @property
    def most_tokens(self) -> int:
        """The longest text."""
        return len(self._places)

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return int(self._words.shape[1])

    def mean_vectors(self, ids: NDArray[np.int64], mask: Floats) -> Floats:
        """The mean over the tokens of each text; `ids` and `mask` (1 for a token, 0 for none) are texts x tokens."""
        texts, tokens = ids.shape
        x = self._first_norm(self._words[ids.ravel()] + np.tile(self._places[:tokens], (texts, 1)))
        hidden = np.where(mask > 0, np.float32(0), np.float32(-1e9))[:, None, None, :]
        for layer in self._layers:
            x = layer.attended_norm(x + layer.attended(self._attention(layer.attend(x), hidden, texts)))
            x = layer.norm(x + layer.narrow(_gelu(layer.widen(x))))
        by_text = x.reshape(texts, tokens, -1)
        found: Floats = np.matmul(mask[:, None, :], by_text)[:, 0] / mask.sum(1, keepdims=True)
        return found

    def _attention(self, projected: Floats, hidden: Floats, texts: int) -> Floats:
        """Scaled dot products of queries and keys, softmax, and the values summed by it."""
        tokens, width = len(projected) // texts, projected.shape[1] // (3 * self._heads)
        q, k, v = projected.reshape(texts, tokens, 3, self._heads, width).transpose(2, 0, 3, 1, 4)
        share = (q * np.float32(width**-0.5)) @ k.transpose(0, 1, 3, 2)
        share += hidden
        share -= share.max(-1, keepdims=True)
        np.exp(share, out=share)
        share /= share.sum(-1, keepdims=True)
        found: Floats = (share @ v).transpose(0, 2, 1, 3).reshape(texts * tokens, -1)
        return found

    def _layer(self, name: str) -> _Layer:
        parts = [self._dense(f"{name}.attention.self.{part}") for part in ("query", "key", "value")]
        together = _Dense(
            np.ascontiguousarray(np.concatenate([part.weight for part in parts], axis=1)),
            np.concatenate([part.bias for part in parts]),
        )
        return _Layer(
            together, self._dense(f"{name}.attention.output.dense"), self._norm(f"{name}.attention.output"),
            self._dense(f"{name}.intermediate.dense"), self._dense(f"{name}.output.dense"), self._norm(f"{name}.output"),
        )  # fmt: skip

    def _dense(self, name: str) -> _Dense:
        return _Dense(self._tensors[f"{name}.weight"].T, self._tensors[f"{name}.bias"])

    def _norm(self, name: str) -> _Norm:
        weight, bias = self._tensors[f"{name}.LayerNorm.weight"], self._tensors[f"{name}.LayerNorm.bias"]
        return _Norm(weight, bias, self._epsilon)


def _gelu(x: Floats) -> Floats:
    """GELU by its tanh form (Hendrycks and Gimpel 2016), at most 0.0005 from the exact one; changes what it is given."""
    bent = x * x
    bent *= _BENT * np.float32(0.044715)
    bent += _BENT
    bent *= x
    np.tanh(bent, out=bent)
    bent += 1
    bent *= np.float32(0.5)
    x *= bent
    return x
