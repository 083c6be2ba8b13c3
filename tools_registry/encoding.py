"""What a text encoder is: something that turns texts into vectors whose product says how near their meanings are.

The encoders themselves (a GGUF, an endpoint, a small sentence encoder) belong to the runtime and are handed in; tool search
and routing share them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .errors import EncoderError

Vectors = NDArray[np.float32]
"""A row for each text, each of length 1."""
MOST_DIMENSIONS = 16_384


class Encoder(Protocol):
    """Turns texts into vectors of length 1."""

    @property
    def identity(self) -> str:
        """What made the vectors: those of different encoders are never compared."""
        ...

    def encode(self, texts: Sequence[str]) -> Vectors:
        """A row for each text. Raises an error with message, place and mend where the model or endpoint fails."""
        ...


def unit(vectors: NDArray[Any]) -> Vectors:
    """Every row of length 1; zero rows stay zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-9), np.float32)


def encoded(encoder: Encoder, texts: Sequence[str]) -> Vectors:
    """The vectors of some texts, checked. Raises `EncoderError` for what are no vectors, and what the encoder raises."""
    found = np.asarray(encoder.encode(texts))
    wrong = _wrong(found, len(texts))
    if wrong:
        raise EncoderError(f"its vectors cannot be used: {wrong}", where=encoder.identity, mend="name another encoder")
    return np.ascontiguousarray(found, np.float32)


def _wrong(found: NDArray[Any], count: int) -> str:
    if found.ndim != 2 or found.dtype.kind != "f":
        return "they are no rows of numbers"
    if len(found) != count:
        return f"{len(found)} for {count} texts"
    if not 0 < found.shape[1] <= MOST_DIMENSIONS:
        return f"{found.shape[1]} numbers each"
    return "" if np.isfinite(found).all() else "not all are numbers"
