"""From a task to a vector: what tool search sees of a text, weighed by rarity and reduced; other encoders by choice.

`words` (the default) needs no download; the others are those that tool search knows too. An encoder's identity is stored
with the clusters: vectors of different encoders are never compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...tools_registry.encoding import Encoder, Vectors, unit
from .errors import NoRouter
from .features import BUCKETS, IDENTITY, features

__all__ = ["WORDS", "Encoder", "Vectors", "WordEncoder", "encoder_named", "unit"]

WORDS = "words"
DIMENSIONS = 128
INSTALL = ".venv/bin/pip install -e '.[route]' -c constraints.txt"


def encoder_named(spec: str) -> Encoder | None:
    """The encoder that a setting names (`encoders.naming`); None for `words`, which is fitted on the tasks themselves."""
    from ..encoders.naming import NONE, load_encoder

    return None if spec in (WORDS, NONE) else load_encoder(spec)


class WordEncoder:
    """Hashed features, TF-IDF, and the directions in which the fitted tasks differ most."""

    def __init__(self, rarity: Vectors, directions: Vectors) -> None:
        self._rarity, self._directions = rarity, directions

    @property
    def identity(self) -> str:
        """The features; the directions are stored with the clusters."""
        return IDENTITY

    @staticmethod
    def name() -> str:
        """The identity of every encoder of this kind."""
        return IDENTITY

    @classmethod
    def fit(cls, texts: Sequence[str], *, dimensions: int = DIMENSIONS, seed: int = 0) -> WordEncoder:
        """Learn rarity and directions from tasks. Raises `NoRouter` where scikit-learn is missing."""
        svd_kind = _svd()
        from scipy.sparse import csr_matrix

        rows = [features(text) for text in texts]
        counts = np.zeros(BUCKETS, np.float32)
        for row in rows:
            counts[list(row)] += 1
        rarity = (np.log((1 + len(rows)) / (1 + counts)) + 1).astype(np.float32)
        weighed = [_weighed(row, rarity) for row in rows]
        ends = np.cumsum([0, *(len(buckets) for buckets, _ in weighed)])
        matrix = csr_matrix(
            (np.concatenate([values for _, values in weighed]), np.concatenate([buckets for buckets, _ in weighed]), ends),
            shape=(len(rows), BUCKETS),
        )
        size = max(1, min(dimensions, len(rows) - 1))
        svd = svd_kind(size, random_state=seed).fit(matrix)
        return cls(rarity, np.ascontiguousarray(svd.components_.T, np.float32))

    def encode(self, texts: Sequence[str]) -> Vectors:
        """A row for each text."""
        found = np.zeros((len(texts), self._directions.shape[1]), np.float32)
        for place, text in enumerate(texts):
            buckets, values = _weighed(features(text), self._rarity)
            found[place] = values @ self._directions[buckets]
        return unit(found)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Rarity and directions."""
        return {"rarity": self._rarity, "directions": self._directions}


def _weighed(row: dict[int, float], rarity: Vectors) -> tuple[NDArray[np.int32], Vectors]:
    buckets = np.fromiter(row, np.int32, len(row))
    values = np.fromiter(row.values(), np.float32, len(row)) * rarity[buckets]
    return buckets, values / np.float32(max(float(np.sqrt((values**2).sum())), 1e-9))


def _svd() -> Any:
    try:
        from sklearn.decomposition import TruncatedSVD
    except ImportError:
        raise NoRouter("clusters need scikit-learn", where="the extra `route`", mend=INSTALL) from None
    return TruncatedSVD
